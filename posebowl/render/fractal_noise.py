"""Fractal noise: tileable fields made once, sampled at any place, scale and angle."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

Field = npt.NDArray[np.float32]

TILE: Final = 1024
"""Side of a field, in texels; a power of two, so that wrapping is a bit mask."""


@cache
def field(exponent: float, number: int = 0) -> Field:
    """Build a tileable field of power-law noise, mean 0, deviation 1, shape (TILE, TILE).

    Args:
        exponent: Amplitude falls with frequency to this power; 1 is rough, 2 is smooth.
        number: Selects one of many such fields.
    """
    rng = np.random.default_rng([int(exponent * 1000), number])
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :])
    frequency[0, 0] = np.inf
    phase = rng.uniform(0, 2 * np.pi, frequency.shape)
    values = np.fft.irfft2(frequency**-exponent * np.exp(1j * phase), (TILE, TILE))
    return np.asarray((values - values.mean()) / values.std(), dtype=np.float32)


def sample(tile: Field, x: Field, y: Field) -> Field:
    """Read a tile at places in texels, bilinear and wrapped; shaped like x and y."""
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    mask = tile.shape[0] - 1
    i0, j0 = x0.astype(np.int32) & mask, (y0.astype(np.int32) & mask) * tile.shape[1]
    i1, j1 = (i0 + 1) & mask, (j0 + tile.shape[1]) & (tile.size - 1)
    flat = tile.reshape(-1)
    top = flat.take(j0 + i0) * (1 - fx) + flat.take(j0 + i1) * fx
    bottom = flat.take(j1 + i0) * (1 - fx) + flat.take(j1 + i1) * fx
    return np.asarray(top * (1 - fy) + bottom * fy, dtype=np.float32)


def enlarge(image: Field, size: tuple[int, int]) -> Field:
    """Enlarge a map, shape (h, w), or an image, shape (h, w, c), to (width, height)."""
    if image.ndim == 3:
        return np.stack([enlarge(image[..., c], size) for c in range(image.shape[2])], axis=-1)
    small = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    return np.asarray(small.resize(size, Image.Resampling.BICUBIC))


def cut(tile: Field, rng: np.random.Generator, size: tuple[int, int], zoom: float) -> Field:
    """Cut a random piece of a tile as a map of (width, height), enlarged by `zoom` of 1 or more."""
    width, height = (int(np.ceil(side / zoom)) for side in size)
    x, y = rng.integers(0, TILE, 2)
    rows, columns = np.arange(y, y + height) % TILE, np.arange(x, x + width) % TILE
    piece = tile[rows[:, None], columns[None, :]]
    return piece if (width, height) == size else enlarge(piece, size)
