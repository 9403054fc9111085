"""Materials: foil, solar cells, paint, black, bare metal, and what is painted on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from posebowl.render import textures
from posebowl.render.parts import Range, Rng
from posebowl.render.textures import Pixels, cell_grid, panel_lines, wrinkles

DECORATED: Final = 0.4
"""Share of the surfaces of a varied spacecraft with marks, stripes or stains."""
FOILS: Final = (
    (0.45, 0.25, 0.1),
    (0.7, 0.2, 0.12),
    (0.25, 0.5, 0.3),
    (0.5, 0.3, 0.6),
    (0.2, 0.35, 0.7),
    (0.12, 0.12, 0.13),
)
"""Rarer colours of foil: brown with age, red, green, violet, blue, black."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """How a surface reflects light.

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


Palette = dict[str, Material]


def palette(rng: Rng, *, varied: bool = False) -> Palette:
    """Sample a material for each role; varied ones may have odd colours, marks and stains."""
    plain = _plain(rng)
    if not varied:
        return plain
    return {role: decorate(rng, role, material) for role, material in plain.items()}


def _plain(rng: Rng) -> Palette:
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


def decorate(rng: Rng, role: str, material: Material) -> Material:
    """Vary a surface: rare foil or cells, marks, stripes, squares, stains."""
    if role == "panel":
        if rng.random() < 0.3:
            sheet = textures.blanket(rng) if rng.random() < 0.5 else textures.worn_cells(rng)
            return replace(material, texture=sheet)
        return material
    if rng.random() < 0.12:
        material = odd_foil(rng) if rng.random() < 0.6 else tiles(rng)
    if rng.random() > DECORATED:
        return material
    page = material.texture if material.texture is not None else textures.blank()
    pattern = rng.random()
    if pattern < 0.5:
        page = textures.marked(rng, page)
    elif pattern < 0.65:
        page = textures.striped(rng, page)
    elif pattern < 0.75:
        page = textures.checkered(rng, page)
    if pattern >= 0.75 or rng.random() < 0.4:
        page = textures.stained(rng, page)
    return replace(material, texture=page)


def weather(rng: Rng, material: Material, *, repainted: float) -> Material:
    """Vary the tint and shine of a material from a mesh file; replace a share by others."""
    if rng.random() < repainted:
        return _plain(rng)["body"]
    tint = rng.lognormal(0, 0.2) * rng.lognormal(0, 0.05, 3)
    red, green, blue = np.clip(np.array(material.colour) * tint, 0.01, 1)
    return replace(
        material,
        colour=(float(red), float(green), float(blue)),
        diffuse=material.diffuse * rng.uniform(0.7, 1.1),
        specular=min(1.0, material.specular * rng.uniform(0.5, 1.5) + rng.uniform(0, 0.2)),
        crinkle=rng.uniform(0.2, 0.6) if rng.random() < 0.15 else 0.0,
    )


def odd_foil(rng: Rng) -> Material:
    """Sample foil of a rarer colour."""
    hue = FOILS[int(rng.integers(len(FOILS)))]
    red, green, blue = np.array(hue) * rng.uniform(0.7, 1.3, 3)
    return _foil(rng, (red, green, blue))


def tiles(rng: Rng) -> Material:
    """Sample mirror tiles of a radiator, or dark heat-shield tiles."""
    grey = rng.choice((0.15, 0.8)) * rng.uniform(0.8, 1.2)
    return Material(
        colour=(grey, grey, grey * rng.uniform(0.95, 1.1)),
        diffuse=rng.uniform(0.3, 0.9),
        specular=rng.uniform(0.1, 1.0),
        power=rng.uniform(10, 120),
        texture=textures.grid(rng),
    )


def _pick(rng: Rng, weighted: dict[Callable[[Rng], Material], int]) -> Callable[[Rng], Material]:
    weights = np.array(list(weighted.values()), dtype=float)
    return list(weighted)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def gold_foil(rng: Rng) -> Material:
    """Sample golden or copper insulation foil."""
    red = rng.uniform(0.7, 0.95)
    colour = (red, red * rng.uniform(0.6, 0.82), red * rng.uniform(0.15, 0.45))
    return _foil(rng, colour)


def silver_foil(rng: Rng) -> Material:
    """Sample silver insulation foil."""
    return _foil(rng, _greyish(rng, (0.6, 0.9)))


def _greyish(
    rng: Rng, grey: Range, green: Range = (0.95, 1), blue: Range = (0.9, 1.05)
) -> tuple[float, float, float]:
    """Sample a grey with a slight tint: ranges of the red, and of the others relative to it."""
    red = rng.uniform(*grey)
    return red, red * rng.uniform(*green), red * rng.uniform(*blue)


def _lines(rng: Rng, share: float) -> Pixels | None:
    """Paint panel lines for a share of the materials."""
    return panel_lines(rng) if rng.random() < share else None


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
    """Sample white or grey paint with panel lines."""
    return Material(
        colour=_greyish(rng, (0.6, 1.0), (0.94, 1), (0.88, 1)),
        diffuse=rng.uniform(0.75, 1.0),
        specular=rng.uniform(0, 0.25),
        power=rng.uniform(5, 30),
        texture=_lines(rng, 0.7),
    )


def tinted(rng: Rng) -> Material:
    """Sample paint of any colour."""
    red, green, blue = rng.uniform(0.15, 0.9, 3)
    return replace(white_paint(rng), colour=(red, green, blue))


def black(rng: Rng) -> Material:
    """Sample black paint or carbon fibre."""
    grey = rng.uniform(0.03, 0.22)
    return Material(
        colour=(grey, grey, grey * rng.uniform(0.9, 1.2)),
        specular=rng.uniform(0.05, 0.5),
        power=rng.uniform(5, 50),
        crinkle=rng.choice((0.0, 0.3)),
        texture=_lines(rng, 0.3),
    )


def metal(rng: Rng) -> Material:
    """Sample bare metal, which scatters little light and mirrors much."""
    return Material(
        colour=_greyish(rng, (0.35, 0.8)),
        diffuse=rng.uniform(0.4, 0.8),
        specular=rng.uniform(0.4, 1.0),
        power=rng.uniform(8, 80),
        texture=_lines(rng, 0.3),
    )


def solar_cells(rng: Rng) -> Material:
    """Sample solar cells: mostly blue or near black, with a grid of wires."""
    return Material(
        colour=(1.0, 1.0, 1.0),
        diffuse=rng.uniform(0.7, 1.0),
        specular=rng.uniform(0.2, 1.0),
        power=rng.uniform(10, 120),
        texture=cell_grid(rng),
    )
