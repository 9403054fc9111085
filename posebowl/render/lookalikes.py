"""What detectors mistake for a spacecraft, beside it in most pictures that have imagery.

Islands and lakes of true shape, cut-off scraps of cloud, knots of city light, the Moon and planets
as small discs at any phase, sparkling water.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from posebowl.render import fractal_noise, imagery, mesh, shores
from posebowl.render.earth import Picture
from posebowl.render.fractal_noise import Field
from posebowl.render.imagery import Imagery
from posebowl.render.parts import Rng, direction

SHARE: Final = 0.7
"""Share of pictures with lookalikes."""
DARK: Final = 0.04
"""Light below which a place is sky or night: discs and cities are added, not land or cloud."""
SIDES: Final = (8.0, 260.0)
"""Limits of the longer side of a lookalike, in pixels, evenly in the logarithm."""


def add_lookalikes(rng: Rng, light: Picture, maps: Imagery) -> list[str]:
    """Add one to four lookalikes to most pictures, in place; return their names."""
    if rng.random() > SHARE:
        return []
    taken, frame = [], np.array((light.shape[1], light.shape[0]))
    for _ in range(int(rng.integers(1, 5))):
        side = float(np.exp(rng.uniform(*np.log(SIDES))))
        x, y = (int(v) for v in rng.uniform(0, 1, 2) * (frame - 4))
        width, height = (min(int(side), int(end)) for end in frame - (x, y))
        if min(width, height) < 3:
            continue
        here = light[y : y + height, x : x + width]
        kinds = ON_DARK if float(np.median(here.max(axis=2))) < DARK else ON_GROUND
        name = list(kinds)[int(rng.integers(len(kinds)))]
        kinds[name](rng, here, maps)
        taken.append(name)
    return taken


def shape(rng: Rng, size: tuple[int, int], maps: Imagery) -> Field:
    """Return the cover of an island or lake, turned at random: true where shores are known."""
    width, height = size
    if maps.shores:
        outlines = shores.read_outlines(imagery.outlines_for(maps.shores, 1.0))
        counts = outlines.last - outlines.first
        several = np.flatnonzero((counts >= min(12, counts.max())) & (counts < 20000))
        k = int(rng.choice(several))
        points = outlines.points[outlines.first[k] : outlines.last[k]].astype(float)
        points *= (np.cos(np.radians(points[:, 1].mean())), 1)
        angle = rng.uniform(0, 2 * np.pi)
        c, s = np.cos(angle), np.sin(angle)
        points = (points - points.mean(axis=0)) @ np.array(((c, -s), (s, c)))
        low, reach = points.min(axis=0), max(float(np.ptp(points, axis=0).max()), 1e-9)
        page = Image.new("L", (width * 2, height * 2))
        places = (points - low) / reach * min(width, height) * 1.9 + 1
        ImageDraw.Draw(page).polygon(places.ravel().tolist(), fill=255)
        return np.asarray(page.resize(size), dtype=np.float32) / np.float32(255)
    ragged = fractal_noise.cut(fractal_noise.field(1.4, 1), rng, size, 1.0)
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    cover = np.clip((0.6 - np.hypot(x, y) + 0.2 * ragged) * 8, 0, 1)
    return np.asarray(cover * _fading(size), dtype=np.float32)


def _fading(size: tuple[int, int]) -> Field:
    """Return a map that is 1 in the middle and 0 on the ellipse that touches the borders."""
    x, y = (np.linspace(-1, 1, side) for side in size)
    fading = np.clip(2 - 2 * np.hypot(x[None, :], y[:, None]), 0, 1)
    return np.asarray(fading, dtype=np.float32)


def _mix(here: Picture, cover: npt.ArrayLike, colour: npt.ArrayLike) -> None:
    share = np.asarray(cover, dtype=np.float32)[..., None]
    here += share * (np.asarray(colour, dtype=np.float32) - here)


def land(rng: Rng, here: Picture, maps: Imagery) -> None:
    """Add an island or a lake, lighter or darker than its surroundings."""
    size = (here.shape[1], here.shape[0])
    cover = shape(rng, size, maps)
    grain = 1 + 0.2 * fractal_noise.cut(fractal_noise.field(1.5), rng, size, 1.0)
    level = max(float(here.mean()), 0.05) * rng.choice((0.3, 0.6, 1.5, 2.5))
    tint = ((0.9, 1.1, 0.7), (1.2, 1.0, 0.75), (0.7, 0.95, 1.3), (1, 1, 1))[int(rng.integers(4))]
    rim = Image.fromarray((cover * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(3))
    if rng.random() < 0.4:  # surf, or shoals
        _mix(here, np.asarray(rim, dtype=np.float32) / 512, level * np.array((1.2, 1.8, 2.0)))
    _mix(here, cover, level * np.clip(grain, 0.3, 1.8)[..., None] * np.array(tint))


def scrap(rng: Rng, here: Picture, _maps: Imagery) -> None:
    """Add a scrap of cloud and its shadow."""
    size = (here.shape[1], here.shape[0])
    billow = fractal_noise.cut(fractal_noise.field(1.6, 2), rng, size, rng.uniform(1, 3))
    x, y = np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1])[:, None]
    bulk = (
        rng.uniform(0.3, 0.7) - np.hypot(x, y * rng.uniform(1, 3)) + rng.uniform(0.1, 0.4) * billow
    )
    cover = np.clip(bulk * rng.uniform(1, 6), 0, 1) * _fading(size)
    cover = np.asarray(cover * rng.uniform(0.6, 1), dtype=np.float32)
    reach = int(rng.integers(0, 2 + min(size) // 6))
    here *= 1 - 0.5 * np.roll(cover, (reach, reach), axis=(0, 1))[..., None]
    bright = min(1.2, max(float(here.mean()) * rng.uniform(1.5, 4), 0.1))
    _mix(here, cover, bright * np.clip(0.85 + 0.15 * billow, 0.4, 1.1)[..., None] * np.ones(3))


def glint(rng: Rng, here: Picture, _maps: Imagery) -> None:
    """Add sparkling water: short bright strokes, close together."""
    size = (here.shape[1], here.shape[0])
    sparks = fractal_noise.cut(fractal_noise.field(0.9), rng, size, rng.uniform(1, 2))
    level = np.clip(sparks - rng.uniform(0.3, 1.5), 0, 2) * _fading(size) * rng.uniform(0.3, 1.2)
    here += (level[..., None] * np.array((1, 0.95, rng.uniform(0.7, 1)))).astype(np.float32)


def city(rng: Rng, here: Picture, _maps: Imagery) -> None:
    """Add a knot of city light: a bright core, streets that lead away, sparks around it."""
    size = (here.shape[1], here.shape[0])
    x, y = np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1])[:, None]
    away = np.hypot(x, y)
    streets = fractal_noise.cut(fractal_noise.field(1.5, 3), rng, size, 1.0)
    lines = np.exp(-np.abs(streets) * rng.uniform(6, 20))
    sparks = np.clip(fractal_noise.cut(fractal_noise.field(0.4), rng, size, 1.0) - 0.8, 0, 3)
    core = np.exp(-((away / rng.uniform(0.1, 0.4)) ** 2))
    level = (core + (lines + sparks) * np.exp(-away * rng.uniform(1, 4))) * _fading(size)
    tint = np.array((1.0, rng.uniform(0.65, 0.95), rng.uniform(0.3, 0.9)))
    here += (level[..., None] * tint * rng.uniform(0.2, 1.2)).astype(np.float32)


def ball(rng: Rng, here: Picture, maps: Imagery) -> None:
    """Add the Moon or a planet as a small disc at any phase, thin crescents too."""
    choices = (*maps.moon * 3, *maps.planets)
    side = min(here.shape[:2])
    span = (np.arange(side) + 0.5) * 2 / side - 1
    u, v = np.broadcast_arrays(span[None, :], span[:, None])
    inside = 1 - u**2 - v**2
    z = np.sqrt(np.maximum(inside, 0))
    globe = np.stack((u, v, z), axis=2) @ mesh.basis(direction(rng))
    latitude = np.degrees(np.arcsin(np.clip(globe[..., 2], -1, 1)))
    longitude = np.degrees(np.arctan2(globe[..., 1], globe[..., 0]))
    colour = np.full((side, side, 3), 0.7, dtype=np.float32)
    if choices:
        chosen = choices[int(rng.integers(len(choices)))]
        colour = imagery.sample(imagery.read_map(chosen, 1), longitude, latitude)
    sun = direction(rng)
    lit = np.clip(u * sun[0] + v * sun[1] + z * sun[2], 0, 1) ** rng.uniform(0.5, 1)
    lit = lit * np.clip(inside * side / 3, 0, 1)
    here[:side, :side] += (lit[..., None] * colour * rng.uniform(0.5, 2.5)).astype(np.float32)


Lookalike = Callable[[Rng, Picture, Imagery], None]
ON_GROUND: Final[dict[str, Lookalike]] = {
    "land": land,
    "lake": land,
    "scrap": scrap,
    "glint": glint,
}
ON_DARK: Final[dict[str, Lookalike]] = {"city": city, "ball": ball, "moon": ball}
"""What is added where it is dark, by name; a disc is drawn twice as often as a city."""
