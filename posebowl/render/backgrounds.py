"""What is behind the spacecraft: the Earth, its limb, its night side, the Moon, stars, nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render import earth, mesh, noise
from posebowl.render.earth import Picture
from posebowl.render.parts import Rng, direction

FULL: Final = (IMAGE_WIDTH, IMAGE_HEIGHT)
HALF: Final = (IMAGE_WIDTH // 2, IMAGE_HEIGHT // 2)


@dataclass(frozen=True, kw_only=True)
class Background:
    """A kind of background.

    Attributes:
        weight: How often it is taken, relative to the others.
        earthshine: How much light it throws back on the spacecraft, 0 to 1.
        paint: Makes one, 0 to about 1, shape (IMAGE_HEIGHT, IMAGE_WIDTH, 3).
    """

    weight: float
    earthshine: float
    paint: Callable[[Rng], Picture]


def _earth(*, limb: bool, night: bool) -> Callable[[Rng], Picture]:
    def paint(rng: Rng) -> Picture:
        small = earth.paint(rng, earth.look(rng, HALF, limb=limb, night=night))
        large = noise.enlarge(small, FULL)
        grain = noise.cut(noise.field(0.9), rng, FULL, rng.uniform(1, 2.5))
        large *= (1 + rng.uniform(0, 0.09) * grain)[..., None]
        if limb and rng.random() < 0.5:
            large += stars(rng) * (large.max(axis=2, keepdims=True) < 0.02)
        return np.asarray(np.maximum(large, 0), dtype=np.float32)

    return paint


def black(_rng: Rng) -> Picture:
    """Paint nothing."""
    return np.zeros((IMAGE_HEIGHT, IMAGE_WIDTH, 3), dtype=np.float32)


def stars(rng: Rng) -> Picture:
    """Paint stars: few bright ones, many faint ones, some a few pixels wide."""
    image = black(rng)
    count = int(rng.integers(20, 900))
    rows, columns = (
        rng.integers(1, IMAGE_HEIGHT - 1, count),
        rng.integers(1, IMAGE_WIDTH - 1, count),
    )
    light = np.clip(rng.pareto(1.5, count) * rng.uniform(0.04, 0.2), 0, 1.5)[:, None]
    tint = light * rng.uniform(0.8, 1.0, (count, 3))
    np.add.at(image, (rows, columns), tint)
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        np.add.at(image, (rows + dy, columns + dx), tint * rng.uniform(0.1, 0.5))
    return image


def moon(rng: Rng) -> Picture:
    """Paint the Moon, from a small disc to a landscape, over stars or nothing."""
    image = stars(rng) if rng.random() < 0.4 else black(rng)
    radius = float(np.exp(rng.uniform(np.log(20), np.log(3000))))
    middle = rng.uniform(0, 1, 2) * FULL
    if radius > 400:
        middle = np.array(FULL) / 2 + direction(rng)[:2] * radius
    x = (np.arange(HALF[0], dtype=np.float32) * 2 - middle[0]) / radius
    y = (np.arange(HALF[1], dtype=np.float32) * 2 - middle[1]) / radius
    inside2 = x[None, :] ** 2 + y[:, None] ** 2
    z = np.sqrt(np.maximum(1 - inside2, 0))
    u, v = np.broadcast_arrays(x[None, :], y[:, None])
    scale = min(radius, 900) * 0.7
    shift = rng.uniform(0, noise.TILE, 2).astype(np.float32)
    a, b = (u / (0.4 + z) * scale + shift[0]), (v / (0.4 + z) * scale + shift[1])
    slopes = [noise.sample(slope, a, b) for slope in craters()]
    rough = rng.uniform(0.15, 0.5)
    sun = mesh.unit(direction(rng) * (1, 1, 0.6) + (0, 0, 0.5))
    light = (u + rough * slopes[0]) * sun[0] + (v + rough * slopes[1]) * sun[1] + z * sun[2]
    light = np.clip(light, 0, 1.3) * np.clip(
        0.6 + 0.1 * noise.sample(noise.field(1.8), a, b), 0.2, 1
    )
    edge = np.clip((1 - np.sqrt(inside2)) * radius / 2, 0, 1)
    disc = noise.enlarge(np.asarray(light * edge, dtype=np.float32), FULL)
    cover = noise.enlarge(np.asarray(edge, dtype=np.float32), FULL)[..., None]
    tint = np.array((1.0, rng.uniform(0.94, 1), rng.uniform(0.86, 1)), dtype=np.float32)
    mixed = image * (1 - cover) + disc[..., None] * tint * rng.uniform(0.5, 1.3)
    return np.asarray(np.maximum(mixed, 0), dtype=np.float32)


_CRATERS: list[noise.Field] = []


def craters() -> list[noise.Field]:
    """Make the slopes of a tileable cratered plain along x and y, each (TILE, TILE)."""
    if not _CRATERS:
        rng = np.random.default_rng(5)
        height = noise.field(1.7, 5) * 4
        for _ in range(500):
            radius = float(np.clip(rng.pareto(1.5) * 5 + 3, 3, 90))
            reach = int(radius * 1.6)
            span = np.arange(-reach, reach + 1)
            r = np.hypot(span[:, None], span[None, :]) / radius
            bowl = np.where(r < 1, (r**2 - 1) * 0.5 + 0.15, 0.15 * np.clip(1 - (r - 1) / 0.6, 0, 1))
            rows, columns = ((span + rng.integers(noise.TILE)) % noise.TILE for _ in range(2))
            height[rows[:, None], columns[None, :]] += (bowl * radius).astype(np.float32)
        for axis in (1, 0):
            slope = (np.roll(height, 1, axis) - np.roll(height, -1, axis)) / 2
            _CRATERS.append(np.asarray(slope, dtype=np.float32))
    return _CRATERS


def glare(rng: Rng) -> Picture:
    """Paint stray light: a smooth gradient from a sun just outside the frame."""
    image = stars(rng) if rng.random() < 0.5 else black(rng)
    middle = (0.5 + direction(rng)[:2] * rng.uniform(0.3, 0.9)) * FULL
    x, y = np.arange(IMAGE_WIDTH) - middle[0], np.arange(IMAGE_HEIGHT) - middle[1]
    far = np.hypot(x[None, :], y[:, None]) / IMAGE_WIDTH
    light = rng.uniform(0.1, 0.7) * np.exp(-far * rng.uniform(1.5, 6))
    tint = np.array((1.0, rng.uniform(0.85, 1), rng.uniform(0.7, 1)))
    return np.asarray(image + light[..., None] * tint, dtype=np.float32)


BACKGROUNDS: Final[dict[str, Background]] = {
    "earth-day": Background(weight=34, earthshine=1.0, paint=_earth(limb=False, night=False)),
    "earth-limb": Background(weight=20, earthshine=0.7, paint=_earth(limb=True, night=False)),
    "earth-night": Background(weight=8, earthshine=0.05, paint=_earth(limb=False, night=True)),
    "night-limb": Background(weight=5, earthshine=0.1, paint=_earth(limb=True, night=True)),
    "stars": Background(weight=11, earthshine=0.0, paint=stars),
    "black": Background(weight=9, earthshine=0.2, paint=black),
    "moon": Background(weight=8, earthshine=0.3, paint=moon),
    "glare": Background(weight=5, earthshine=0.1, paint=glare),
}
