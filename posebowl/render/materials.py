"""Materials: foil, solar cells, paint, black, bare metal, with procedural textures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from posebowl.render.parts import Rng, Role

Pixels = npt.NDArray[np.uint8]
TEXTURE_SIZE: Final = 128


@dataclass(frozen=True, kw_only=True)
class Material:
    """How a surface looks in the sun.

    Attributes:
        colour: RGB, 0 to 1; multiplies the texture.
        diffuse: Share of the light scattered.
        specular: Share of the light mirrored.
        power: Sharpness of the mirrored light.
        crinkle: How far normals are bent at random, as of foil.
        texture: RGB, shape (n, n, 3), or none.
    """

    colour: tuple[float, float, float]
    diffuse: float = 0.9
    specular: float = 0.1
    power: float = 20.0
    crinkle: float = 0.0
    texture: Pixels | None = None


Palette = dict[Role, Material]


def palette(rng: Rng) -> Palette:
    """Draw the materials of one spacecraft, one for each role."""
    body = _pick(rng, {gold_foil: 4, silver_foil: 3, white_paint: 3, black: 2, metal: 2, tinted: 1})
    return {
        "body": body(rng),
        "trim": _pick(rng, {silver_foil: 3, gold_foil: 3, white_paint: 3, black: 2, metal: 2})(rng),
        "panel": solar_cells(rng),
        "metal": _pick(rng, {metal: 4, silver_foil: 1, white_paint: 1})(rng),
        "dark": black(rng),
        "white": _pick(rng, {white_paint: 5, tinted: 1, silver_foil: 1})(rng),
        "dish": _pick(rng, {white_paint: 4, metal: 2, gold_foil: 1, black: 1})(rng),
        "glow": replace(white_paint(rng), diffuse=1.0),
    }


def _pick(rng: Rng, weighted: dict[Callable[[Rng], Material], int]) -> Callable[[Rng], Material]:
    weights = np.array(list(weighted.values()), dtype=float)
    return list(weighted)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def gold_foil(rng: Rng) -> Material:
    """Draw golden or copper insulation foil."""
    red = rng.uniform(0.7, 0.95)
    colour = (red, red * rng.uniform(0.6, 0.82), red * rng.uniform(0.15, 0.45))
    return _foil(rng, colour)


def silver_foil(rng: Rng) -> Material:
    """Draw silver insulation foil."""
    grey = rng.uniform(0.6, 0.9)
    return _foil(rng, (grey, grey * rng.uniform(0.95, 1), grey * rng.uniform(0.9, 1.05)))


def _foil(rng: Rng, colour: tuple[float, float, float]) -> Material:
    return Material(
        colour=colour,
        diffuse=rng.uniform(0.35, 0.7),
        specular=rng.uniform(0.4, 1.0),
        power=rng.uniform(6, 40),
        crinkle=rng.uniform(0.2, 0.7),
        texture=wrinkles(rng),
    )


def white_paint(rng: Rng) -> Material:
    """Draw white or grey paint with panel lines."""
    grey = rng.uniform(0.6, 1.0)
    return Material(
        colour=(grey, grey * rng.uniform(0.94, 1), grey * rng.uniform(0.88, 1)),
        diffuse=rng.uniform(0.75, 1.0),
        specular=rng.uniform(0, 0.25),
        power=rng.uniform(5, 30),
        texture=panel_lines(rng) if rng.random() < 0.7 else None,
    )


def tinted(rng: Rng) -> Material:
    """Draw paint of any colour."""
    red, green, blue = rng.uniform(0.15, 0.9, 3)
    return replace(white_paint(rng), colour=(red, green, blue))


def black(rng: Rng) -> Material:
    """Draw black paint or carbon fibre."""
    grey = rng.uniform(0.03, 0.22)
    return Material(
        colour=(grey, grey, grey * rng.uniform(0.9, 1.2)),
        specular=rng.uniform(0.05, 0.5),
        power=rng.uniform(5, 50),
        crinkle=rng.choice((0.0, 0.3)),
        texture=panel_lines(rng) if rng.random() < 0.3 else None,
    )


def metal(rng: Rng) -> Material:
    """Draw bare metal: little scattered, much mirrored."""
    grey = rng.uniform(0.35, 0.8)
    return Material(
        colour=(grey, grey * rng.uniform(0.95, 1), grey * rng.uniform(0.9, 1.05)),
        diffuse=rng.uniform(0.4, 0.8),
        specular=rng.uniform(0.4, 1.0),
        power=rng.uniform(8, 80),
        texture=panel_lines(rng) if rng.random() < 0.3 else None,
    )


def solar_cells(rng: Rng) -> Material:
    """Draw solar cells: mostly blue or near black, with a grid of wires."""
    return Material(
        colour=(1.0, 1.0, 1.0),
        diffuse=rng.uniform(0.7, 1.0),
        specular=rng.uniform(0.2, 1.0),
        power=rng.uniform(10, 120),
        texture=cell_grid(rng),
    )


def cell_grid(rng: Rng) -> Pixels:
    """Draw a texture of solar cells, shape (n, n, 3), RGB."""
    n = TEXTURE_SIZE
    base = np.array(
        [(18, 26, 70), (12, 14, 30), (35, 45, 110), (45, 25, 60), (60, 45, 25), (25, 50, 90)]
    )[rng.integers(6)] * rng.uniform(0.6, 1.5)
    columns, rows = (int(value) for value in rng.integers(3, 12, 2))
    cells = base * rng.uniform(0.8, 1.2, (rows, columns, 1))
    y, x = np.arange(n) * rows // n, np.arange(n) * columns // n
    image = cells[y[:, None], x[None, :]]
    line = np.array((170, 175, 185)) * rng.uniform(0.3, 1.1)
    wide = max(1, int(n / max(rows, columns) * rng.uniform(0.04, 0.14)))
    image[(np.arange(n) * rows % n) < wide * rows] = line
    image[:, (np.arange(n) * columns % n) < wide * columns] = line
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)


def wrinkles(rng: Rng) -> Pixels:
    """Draw a texture of wrinkled foil, shape (n, n, 3), RGB."""
    n = TEXTURE_SIZE
    total = np.zeros((n, n))
    for cells in (5, 11, 27):
        small = Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32))
        field = np.asarray(small.resize((n, n), Image.Resampling.BICUBIC))
        total += np.abs(field) * 5 / cells**0.7
    shade = 255 * np.clip(0.45 + 0.6 * total / total.max(), 0, 1)
    image = np.repeat(shade[..., None], 3, axis=2)
    seams = int(rng.integers(0, 3))
    for place in rng.integers(0, n, seams):
        image[place : place + 2] *= 0.5
    return image.astype(np.uint8)


def panel_lines(rng: Rng) -> Pixels:
    """Draw a texture of panels, seams, vents and stickers, shape (n, n, 3), RGB."""
    n = TEXTURE_SIZE
    image = np.full((n, n, 3), 235.0) + rng.normal(size=(n, n, 1)) * 5
    for _ in range(int(rng.integers(4, 18))):
        x, y = rng.integers(0, n, 2)
        w, h = rng.integers(5, n // 2, 2)
        image[y : y + h, x : x + w] *= rng.uniform(0.75, 1.08)
        image[y : y + 1, x : x + w] *= 0.5
        image[y : y + h, x : x + 1] *= 0.5
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.integers(0, n, 2)
        w, h = rng.integers(4, 30, 2)
        image[y : y + h, x : x + w] = rng.uniform(10, 120, 3)
    return np.clip(image, 0, 255).astype(np.uint8)
