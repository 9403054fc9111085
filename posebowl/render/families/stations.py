"""Stations and large platforms."""

from __future__ import annotations

import numpy as np

from posebowl.render import mesh
from posebowl.render.parts import (
    Craft,
    Rng,
    clutter,
    direction,
    lattice,
    part,
    pick,
    sample_wing,
    whips,
    wing,
    wire,
)


def truss_station(rng: Rng) -> Craft:
    """Build a long truss with pairs of wings at its ends, radiators and modules in the middle."""
    half, width = rng.uniform(4, 8), rng.uniform(0.4, 0.9)
    parts: Craft = lattice((0, -half, 0), (0, half, 0), width, int(half * 1.6))
    angle = rng.uniform(0, np.pi)
    length = rng.uniform(0.8, 1.5)
    out = np.array((np.cos(angle), 0.0, np.sin(angle)))
    normal = np.cross(out, mesh.Y)
    for place in np.linspace(0.6, 1.0, int(rng.integers(1, 4))):
        for side, sign in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            panels, wide = int(rng.integers(2, 4)), rng.uniform(0.9, 1.4)
            root, along = (0, side * place * half, 0), sign * out
            parts += wing(rng, root, along, normal, panels=panels, length=length, width=wide)
    for k in range(int(rng.integers(1, 5))):
        at = (width, (k - 1) * 1.1, -0.9)
        parts.append(part(mesh.cylinder(0.5, rng.uniform(1.4, 3)), "white", at, (1, 0.1, 0)))
    for sign in (-1, 1):
        if rng.random() < 0.7:
            plate = mesh.plate((-1.3, sign * 2.2, 0.2), (1.1, 0, 0.2), (0, 0.5, 0), cells=6)
            parts.append(part(plate, "white"))
    return parts + clutter(rng, (width, half * 0.7, width / 2), int(rng.integers(3, 10)))


def module_station(rng: Rng) -> Craft:
    """Build pressurised modules that meet in nodes, with wings and docked ships."""
    parts: Craft = [part(mesh.sphere(0.65), "white")]
    ways = [mesh.X, -mesh.X, mesh.Y, -mesh.Y, mesh.Z, -mesh.Z]
    rng.shuffle(ways)
    for way in ways[: int(rng.integers(2, 6))]:
        radius, length = rng.uniform(0.4, 0.75), rng.uniform(1.2, 3)
        middle = way * (0.5 + length / 2)
        end = way * (0.5 + length)
        role = pick(rng, ("white", "body", "trim"))
        parts += [
            part(mesh.cylinder(radius, length), role, middle, way),
            part(mesh.cylinder(radius, 0.35, top=radius * 0.4), "metal", end + way * 0.15, way),
        ]
        belt = middle + way * rng.uniform(-0.4, 0.4)
        parts.append(part(mesh.cylinder(radius * 1.03, 0.1), "dark", belt, way))
        side = mesh.normalized(np.cross(way, direction(rng)))
        if rng.random() < 0.7:
            shape = sample_wing(rng, (1, 5), (0.6, 1.1), (0.6, 1.3))
            normal = np.cross(way, side) + way * rng.normal() * 0.6
            for sign in (-1, 1):
                parts += wing(rng, middle + sign * side * radius, sign * side, normal, **shape)
    parts += whips(rng, (1, 1, 1), int(rng.integers(0, 4)), 1.5)
    return parts


def panel_platform(rng: Rng) -> Craft:
    """Build a flat platform: a frame that carries a field of panels around a small body."""
    columns, rows = int(rng.integers(2, 7)), int(rng.integers(2, 6))
    side = rng.uniform(0.7, 1.2)
    gap = rng.uniform(1.03, 1.25)
    fold = rng.normal() * 0.15
    parts: Craft = []
    width, height = columns * side * gap, rows * side * gap
    for i in range(columns):
        for j in range(rows):
            x, y = (i + 0.5) * side * gap - width / 2, (j + 0.5) * side * gap - height / 2
            z = abs(x) * fold
            tilt = np.sign(x) * fold
            u, v = np.array((side / 2, 0, tilt * side / 2)), np.array((0, side / 2, 0))
            parts += [
                part(mesh.plate((x, y, z + 0.03), u, v, repeats=1.0), "panel"),
                part(mesh.plate((x, y, z - 0.03), u, v), "dark"),
            ]
    for y in (-height / 3, height / 3):
        parts.append(wire((0, y, 0), (width / 2, y, fold * width / 2), 0.04))
        parts.append(wire((0, y, 0), (-width / 2, y, fold * width / 2), 0.04))
    size = rng.uniform(0.6, 1.5, 3)
    below = -size[2] / 2 - 0.1
    parts.append(part(mesh.box(size), "body", (0, 0, below)))
    for thing in clutter(rng, size / 2, int(rng.integers(2, 8))):
        if not hasattr(thing, "start"):
            parts.append(part(thing.mesh, thing.role, (0, 0, below)))
    if rng.random() < 0.5:
        parts.append(wire((0, 0, below), (0, rng.normal(), below - rng.uniform(1, 3)), 0.03))
    return parts


def ring_station(rng: Rng) -> Craft:
    """Build a ring around a hub with spokes, or a large mesh reflector hoop."""
    radius, thickness = rng.uniform(1.8, 3.0), rng.uniform(0.1, 0.4)
    parts: Craft = [
        part(mesh.torus(radius, thickness), pick(rng, ("white", "metal", "body"))),
        part(mesh.cylinder(rng.uniform(0.4, 0.8), rng.uniform(0.8, 3)), "body"),
    ]
    spokes = int(rng.integers(3, 9))
    for angle in np.arange(spokes) * 2 * np.pi / spokes:
        rim = np.array((np.cos(angle), np.sin(angle), 0)) * radius
        parts.append(wire((0, 0, 0), rim, 0.06))
    if rng.random() < 0.3:
        parts.append(part(mesh.bowl(radius, radius * 0.3), "dish"))
    if rng.random() < 0.6:
        for sign in (-1, 1):
            panels, length = int(rng.integers(1, 4)), rng.uniform(0.7, 1.4)
            root, along = (0, 0, sign * 0.6), sign * mesh.Z
            parts += wing(rng, root, along, mesh.X, panels=panels, length=length, width=1.2)
    return parts
