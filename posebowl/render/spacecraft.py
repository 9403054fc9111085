"""One spacecraft of a family, varied by damage, antennas and docked companions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from posebowl.render import mesh
from posebowl.render.damage import damage_craft, points
from posebowl.render.families import FAMILIES
from posebowl.render.materials import Palette, weather
from posebowl.render.mesh_files import NO_MESHES, read_model
from posebowl.render.parts import Craft, Part, Rng, Wire, direction, part, pick, wire

WITH_ANTENNAS: Final = 0.25
"""Share of spacecraft with additional antennas."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How far spacecraft differ from their models. All but `stretch` are shares."""

    stretch: float = 0.0
    """How much longer or shorter they become along three axes at most: a natural logarithm."""
    docked: float = 0.12
    """Of spacecraft, with a second one."""
    damaged: float = 0.25
    """Of spacecraft."""
    repainted: float = 0.12
    """Of the materials of mesh files, replaced by procedural ones."""


USUAL: Final = Changes()
REMODELLED: Final = Changes(stretch=0.5, docked=0.5, damaged=0.35, repainted=0.45)
"""Other spacecraft from the same models, to train on where models are few."""


def build(
    rng: Rng,
    family: str,
    families: Sequence[str],
    *,
    meshes: Mapping[str, Path] = NO_MESHES,
    varied: bool = True,
    changes: Changes = USUAL,
) -> Craft:
    """Build a spacecraft.

    Args:
        rng: Source of randomness.
        family: Of FAMILIES or of the meshes.
        families: Those of the set; a companion comes from them.
        meshes: Mesh files, by their names as families.
        varied: Whether it may be stretched, docked, damaged or given antennas.
        changes: How often, and how far it is stretched.
    """
    craft = _make(rng, family, meshes)
    if not varied:
        return craft
    craft = stretch(rng, craft, changes.stretch)
    if rng.random() < changes.docked:
        other = _make(rng, families[int(rng.integers(len(families)))], meshes)
        craft = dock(rng, craft, stretch(rng, other, changes.stretch))
    if rng.random() < changes.damaged:
        craft = damage_craft(rng, craft)
    if rng.random() < WITH_ANTENNAS:
        craft = add_antennas(rng, craft)
    return craft


def _make(rng: Rng, family: str, meshes: Mapping[str, Path]) -> Craft:
    return read_model(meshes[family]).craft if family in meshes else FAMILIES[family](rng)


def own_materials(rng: Rng, craft: Craft, *, repainted: float = USUAL.repainted) -> Palette:
    """Return the materials of the parts from mesh files, varied a little, a share replaced."""
    roles = sorted({piece.role for piece in craft if "#" in piece.role})
    files = [Path(role.rpartition("#")[0]) for role in roles]
    return {
        role: weather(rng, read_model(file).materials[role], repainted=repainted)
        for role, file in zip(roles, files, strict=True)
    }


def stretch(rng: Rng, craft: Craft, most: float) -> Craft:
    """Change proportions along three random axes at right angles, by exp(-most) to exp(most)."""
    if not most:
        return craft
    axes, factors = mesh.basis(direction(rng)), np.exp(rng.uniform(-most, most, 3))
    change = (axes * factors) @ axes.T
    return [_placed(piece, change, 1.0, np.zeros(3)) for piece in craft]


def dock(rng: Rng, craft: Craft, other: Craft) -> Craft:
    """Join another spacecraft to one, at any attitude and 0.3 to 1.2 times its size."""
    mine, others = (np.concatenate([points(piece) for piece in each]) for each in (craft, other))
    scale = rng.uniform(0.3, 1.2) * np.ptp(mine, axis=0).max() / np.ptp(others, axis=0).max()
    turn = mesh.basis(direction(rng)) * scale
    way = direction(rng)
    # Side by side along `way`, a tenth of the smaller one inside the other.
    shift = (mine @ way).max() - (others @ turn.T @ way).min()
    shift -= 0.1 * min(np.ptp(mine @ way), np.ptp(others @ turn.T @ way))
    across = mine.mean(axis=0) - (others @ turn.T).mean(axis=0)
    offset = way * shift + across - way * (across @ way)
    return craft + [_placed(piece, turn, scale, offset) for piece in other]


def _placed(piece: Part | Wire, turn: mesh.Array, scale: float, offset: mesh.Array) -> Part | Wire:
    if isinstance(piece, Wire):
        start, end = (turn @ tip + offset for tip in (piece.start, piece.end))
        return replace(piece, start=start, end=end, radius=piece.radius * scale)
    return replace(piece, mesh=piece.mesh.transformed(turn).translated(offset))


def add_antennas(rng: Rng, craft: Craft) -> Craft:
    """Add antennas that its family does not have: long rods, loops, combs and helices."""
    parts = [piece for piece in craft if isinstance(piece, Part)]
    everything = np.concatenate([piece.mesh.points for piece in parts])
    middle, size = everything.mean(axis=0), float(np.ptp(everything, axis=0).max())
    added: Craft = []
    for _ in range(int(rng.integers(1, 6))):
        foot = everything[int(rng.integers(len(everything)))]
        way = mesh.normalized(mesh.normalized(foot - middle) + 0.6 * direction(rng))
        length = size * rng.uniform(0.1, 0.7)
        shape = (_rod, _comb, _loop, _helix)[int(rng.choice(4, p=(0.6, 0.15, 0.15, 0.1)))]
        added += shape(rng, foot, way, length)
    return craft + added


def _rod(rng: Rng, foot: mesh.Array, way: mesh.Array, length: float) -> Craft:
    tip = foot + way * length
    role = pick(rng, ("metal", "dark", "white"))
    added: Craft = [wire(foot, tip, 0.004 * length, role)]
    if rng.random() < 0.3:
        added.append(part(mesh.sphere(0.03 * length), "dark", tip))
    return added


def _comb(rng: Rng, foot: mesh.Array, way: mesh.Array, length: float) -> Craft:
    side = mesh.normalized(np.cross(way, direction(rng)))
    added: Craft = [wire(foot, foot + way * length, 0.008 * length)]
    for place in np.linspace(0.3, 1, int(rng.integers(3, 8))):
        at, half = foot + way * length * place, side * length * (0.25 - 0.12 * place)
        added.append(wire(at - half, at + half, 0.005 * length))
    return added


def _loop(rng: Rng, foot: mesh.Array, way: mesh.Array, length: float) -> Craft:
    side = mesh.normalized(np.cross(way, direction(rng)))
    angles = np.linspace(-np.pi / 2, 1.5 * np.pi, 13)
    rim = foot + way * length / 2
    ring = [rim + length / 2 * (side * np.cos(a) + way * np.sin(a)) for a in angles]
    return [wire(a, b, 0.008 * length) for a, b in pairwise(ring)]


def _helix(rng: Rng, foot: mesh.Array, way: mesh.Array, length: float) -> Craft:
    turn, turns = mesh.basis(way), rng.uniform(2, 5)
    steps = np.linspace(0, 1, int(turns * 8))
    angle = 2 * np.pi * turns * steps
    coil = np.stack((np.cos(angle) * 0.12, np.sin(angle) * 0.12, steps), axis=1) * length
    places = foot + coil @ turn.T
    return [wire(a, b, 0.01 * length) for a, b in pairwise(places)]
