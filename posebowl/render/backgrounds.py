"""Backgrounds by name: the Earth and its limb by day and night, planets, stars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from posebowl.render import earth, fractal_noise, ground, mesh, planets, sky
from posebowl.render.earth import Picture
from posebowl.render.parts import Rng
from posebowl.render.sky import FULL, HALF

if TYPE_CHECKING:
    from posebowl.render.imagery import Imagery


REAL: Final = 0.85
"""Share painted from imagery, of the backgrounds that it shows."""
FAR: Final = (0.08, 0.3)
"""Share of far orbits, without a limb and with one."""
REAL_FAR: Final = (0.2, 0.55)
"""The same of those painted from imagery: detectors take coasts of continents and the edge of a
whole globe into the box of a large spacecraft."""


@dataclass(frozen=True, kw_only=True)
class Background:
    """A kind of background.

    Attributes:
        weight: How often it is used, relative to the others.
        real_weight: The same beside imagery.
        earthshine: How much light it reflects onto the spacecraft, 0 to 1.
        plain: Whether compact sets use it too.
        paint: Paints one, 0 to about 1, shape (IMAGE_HEIGHT, IMAGE_WIDTH, 3).
        paint_real: Paints one from imagery; None where imagery does not help.
    """

    weight: float
    real_weight: float
    earthshine: float
    plain: bool = True
    paint: Callable[[Rng], Picture]
    paint_real: Callable[[Rng, Imagery], Picture] | None = None

    def picture(self, rng: Rng, maps: Imagery | None) -> Picture:
        """Paint one, mostly from imagery if there is any."""
        if maps is None or self.paint_real is None or rng.random() > REAL:
            return self.paint(rng)
        return self.paint_real(rng, maps)


@dataclass(frozen=True, kw_only=True)
class _Earth:
    """How the Earth is seen: with its limb or not, by night, at dusk, under an aurora."""

    limb: bool = False
    night: bool = False
    dusk: bool = False
    aurora: bool = False

    def __call__(self, rng: Rng, maps: Imagery | None = None) -> Picture:
        """Paint one, from imagery if there is any."""
        far = (FAR if maps is None else REAL_FAR)[self.limb]
        orbit = earth.sample_orbit(rng, HALF, limb=self.limb, night=self.night, far=far)
        if self.dusk:
            low = orbit.sun * (1, 1, 0) + (0, 0, rng.uniform(-0.12, 0.15))
            orbit = replace(orbit, sun=mesh.normalized(low), twilight=rng.uniform(0.02, 0.12))
        if maps is None:
            small = earth.paint(rng, orbit)
        else:
            orbit = replace(orbit, place=ground.look_at(rng, orbit, maps))
            small = earth.paint(rng, orbit, partial(ground.surface, maps=maps))
        if self.aurora:
            small += earth.aurora(rng, orbit)
        large = fractal_noise.enlarge(small, FULL)
        grain = fractal_noise.cut(fractal_noise.field(0.9), rng, FULL, rng.uniform(1, 2.5))
        large *= (1 + rng.uniform(0, 0.09) * grain)[..., None]
        if self.limb and rng.random() < 0.5:
            large += sky.stars(rng) * (large.max(axis=2, keepdims=True) < 0.02)
        return np.asarray(np.maximum(large, 0), dtype=np.float32)


def _seen(earth_: _Earth, weight: float, real_weight: float, earthshine: float) -> Background:
    return Background(
        weight=weight,
        real_weight=real_weight,
        earthshine=earthshine,
        plain=not (earth_.dusk or earth_.aurora),
        paint=earth_,
        paint_real=earth_,
    )


BACKGROUNDS: Final[dict[str, Background]] = {
    "earth-day": _seen(_Earth(), 34, 46, 1.0),
    "earth-limb": _seen(_Earth(limb=True), 20, 18, 0.7),
    "earth-night": _seen(_Earth(night=True), 8, 9, 0.05),
    "night-limb": _seen(_Earth(limb=True, night=True), 5, 4, 0.1),
    "stars": Background(weight=11, real_weight=6, earthshine=0.0, paint=sky.stars),
    "black": Background(weight=9, real_weight=7, earthshine=0.2, paint=sky.black),
    "moon": Background(
        weight=8, real_weight=6, earthshine=0.3, paint=planets.moon, paint_real=planets.real_moon
    ),
    "glare": Background(weight=5, real_weight=3, earthshine=0.1, paint=sky.glare),
    "dusk": _seen(_Earth(dusk=True), 5, 5, 0.2),
    "dusk-limb": _seen(_Earth(limb=True, dusk=True), 4, 4, 0.2),
    "aurora": _seen(_Earth(limb=True, night=True, aurora=True), 3, 2, 0.05),
    "gas-planet": Background(
        weight=4, real_weight=2, earthshine=0.4, plain=False, paint=planets.gas_giant
    ),
    "rocky-planet": Background(
        weight=5,
        real_weight=4,
        earthshine=0.4,
        plain=False,
        paint=planets.rocky_planet,
        paint_real=planets.real_planet,
    ),
}
