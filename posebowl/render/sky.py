"""The empty sky: black, stars, stray light."""

from __future__ import annotations

from typing import Final

import numpy as np

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render.earth import Picture
from posebowl.render.parts import Rng, direction

FULL: Final = (IMAGE_WIDTH, IMAGE_HEIGHT)
HALF: Final = (IMAGE_WIDTH // 2, IMAGE_HEIGHT // 2)


def black(_rng: Rng) -> Picture:
    """Return black space."""
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


def glare(rng: Rng) -> Picture:
    """Paint stray light: a smooth gradient from a sun just outside the frame."""
    image = stars(rng) if rng.random() < 0.5 else black(rng)
    middle = (0.5 + direction(rng)[:2] * rng.uniform(0.3, 0.9)) * FULL
    x, y = np.arange(IMAGE_WIDTH) - middle[0], np.arange(IMAGE_HEIGHT) - middle[1]
    far = np.hypot(x[None, :], y[:, None]) / IMAGE_WIDTH
    light = rng.uniform(0.1, 0.7) * np.exp(-far * rng.uniform(1.5, 6))
    tint = np.array((1.0, rng.uniform(0.85, 1), rng.uniform(0.7, 1)))
    return np.asarray(image + light[..., None] * tint, dtype=np.float32)
