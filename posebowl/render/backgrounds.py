"""Backgrounds by name: the Earth and its limb by day and night, planets, stars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from posebowl.render import earth, fractal_noise, mesh, planets, sky
from posebowl.render.earth import Picture
from posebowl.render.parts import Rng
from posebowl.render.sky import FULL, HALF


@dataclass(frozen=True, kw_only=True)
class Background:
    """A kind of background.

    Attributes:
        weight: How often it is used, relative to the others.
        earthshine: How much light it reflects onto the spacecraft, 0 to 1.
        plain: Whether compact sets use it too.
        paint: Paints one, 0 to about 1, shape (IMAGE_HEIGHT, IMAGE_WIDTH, 3).
    """

    weight: float
    earthshine: float
    plain: bool = True
    paint: Callable[[Rng], Picture]


def _earth(
    *, limb: bool, night: bool = False, dusk: bool = False, aurora: bool = False
) -> Callable[[Rng], Picture]:
    def paint(rng: Rng) -> Picture:
        orbit = earth.sample_orbit(rng, HALF, limb=limb, night=night)
        if dusk:
            low = orbit.sun * (1, 1, 0) + (0, 0, rng.uniform(-0.12, 0.15))
            orbit = replace(orbit, sun=mesh.normalized(low), twilight=rng.uniform(0.02, 0.12))
        small = earth.paint(rng, orbit)
        if aurora:
            small += earth.aurora(rng, orbit)
        large = fractal_noise.enlarge(small, FULL)
        grain = fractal_noise.cut(fractal_noise.field(0.9), rng, FULL, rng.uniform(1, 2.5))
        large *= (1 + rng.uniform(0, 0.09) * grain)[..., None]
        if limb and rng.random() < 0.5:
            large += sky.stars(rng) * (large.max(axis=2, keepdims=True) < 0.02)
        return np.asarray(np.maximum(large, 0), dtype=np.float32)

    return paint


BACKGROUNDS: Final[dict[str, Background]] = {
    "earth-day": Background(weight=34, earthshine=1.0, paint=_earth(limb=False)),
    "earth-limb": Background(weight=20, earthshine=0.7, paint=_earth(limb=True)),
    "earth-night": Background(weight=8, earthshine=0.05, paint=_earth(limb=False, night=True)),
    "night-limb": Background(weight=5, earthshine=0.1, paint=_earth(limb=True, night=True)),
    "stars": Background(weight=11, earthshine=0.0, paint=sky.stars),
    "black": Background(weight=9, earthshine=0.2, paint=sky.black),
    "moon": Background(weight=8, earthshine=0.3, paint=planets.moon),
    "glare": Background(weight=5, earthshine=0.1, paint=sky.glare),
    "dusk": Background(weight=5, earthshine=0.2, plain=False, paint=_earth(limb=False, dusk=True)),
    "dusk-limb": Background(
        weight=4, earthshine=0.2, plain=False, paint=_earth(limb=True, dusk=True)
    ),
    "aurora": Background(
        weight=3,
        earthshine=0.05,
        plain=False,
        paint=_earth(limb=True, night=True, aurora=True),
    ),
    "gas-planet": Background(weight=4, earthshine=0.4, plain=False, paint=planets.gas_giant),
    "rocky-planet": Background(weight=5, earthshine=0.4, plain=False, paint=planets.rocky_planet),
}
