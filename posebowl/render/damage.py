"""Damage of spacecraft: missing parts, and wings bent or torn off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posebowl.render import mesh
from posebowl.render.mesh import Array
from posebowl.render.parts import Craft, Part, Rng, Wire, direction

MIN_LENGTH_LEFT = 0.35
"""Minimum share of its length that a damaged spacecraft keeps."""


def damage_craft(rng: Rng, craft: Craft) -> Craft:
    """Remove, bend or tear off parts of a spacecraft, but leave enough of it to detect."""
    harm = (remove_parts, bend, tear_off)[int(rng.integers(3))]
    left = harm(rng, craft)
    return left if _reach(left) > MIN_LENGTH_LEFT * _reach(craft) else craft


def remove_parts(rng: Rng, craft: Craft) -> Craft:
    """Remove parts at random, never the one with the largest surface."""
    sizes = [_area(piece) for piece in craft]
    largest = int(np.argmax(sizes))
    kept = rng.random(len(craft)) > rng.uniform(0.05, 0.4)
    return [piece for k, piece in enumerate(craft) if kept[k] or k == largest]


def bend(rng: Rng, craft: Craft) -> Craft:
    """Rotate everything beyond a plane about a hinge in it, as if it had been hit."""
    beyond, hinge, way = _cut(rng, craft)
    turn = _rotation(np.cross(way, direction(rng)), rng.choice((-1, 1)) * rng.uniform(0.2, 1.4))
    return [
        _turned(piece, hinge, turn) if out else piece
        for piece, out in zip(craft, beyond, strict=True)
    ]


def tear_off(rng: Rng, craft: Craft) -> Craft:
    """Remove everything beyond a plane."""
    beyond, _, _ = _cut(rng, craft)
    return [piece for piece, out in zip(craft, beyond, strict=True) if not out]


def _cut(rng: Rng, craft: Craft) -> tuple[list[bool], Array, Array]:
    """Sample a plane; return what lies beyond it, a point in it, and its normal."""
    way = direction(rng)
    lows = np.array([(points(piece) @ way).min() for piece in craft])
    highs = np.array([(points(piece) @ way).max() for piece in craft])
    place = float(lows.min() + rng.uniform(0.5, 0.85) * (highs.max() - lows.min()))
    beyond = [bool(low > place) for low in lows]
    centres = [points(piece).mean(axis=0) for piece, out in zip(craft, beyond, strict=True) if out]
    middle = np.mean(centres, axis=0) if centres else np.zeros(3)
    return beyond, middle + way * (place - float(middle @ way)), way


def points(piece: Part | Wire) -> Array:
    """Return the vertices of a part or the ends of a wire, shape (n, 3)."""
    return piece.mesh.points if isinstance(piece, Part) else np.stack((piece.start, piece.end))


def _turned(piece: Part | Wire, hinge: Array, turn: Array) -> Part | Wire:
    if isinstance(piece, Part):
        return replace(piece, mesh=piece.mesh.translated(-hinge).rotated(turn).translated(hinge))
    start, end = (turn @ (tip - hinge) + hinge for tip in (piece.start, piece.end))
    return replace(piece, start=start, end=end)


def _rotation(axis: Array, angle: float) -> Array:
    """Return a rotation about an axis, shape (3, 3): Rodrigues' formula."""
    x, y, z = mesh.normalized(axis)
    cross = np.array(((0, -z, y), (z, 0, -x), (-y, x, 0)))
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _area(piece: Part | Wire) -> float:
    if isinstance(piece, Wire):
        return 0.0
    a, b, c = (piece.mesh.points[piece.mesh.triangles[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _reach(craft: Craft) -> float:
    if not any(isinstance(piece, Part) for piece in craft):
        return 0.0
    everything = np.concatenate([points(piece) for piece in craft])
    return float(np.linalg.norm(np.ptp(everything, axis=0)))
