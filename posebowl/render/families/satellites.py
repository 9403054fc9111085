"""Satellites and probes."""

from __future__ import annotations

import numpy as np

from posebowl.render import mesh
from posebowl.render.mesh import around
from posebowl.render.parts import (
    Craft,
    Rng,
    WingShape,
    clutter,
    dish,
    lattice,
    nozzle,
    part,
    sample_wing,
    whips,
    wing,
    wing_pair,
    wire,
)


def box_bus(rng: Rng) -> Craft:
    """Build a box with two wings, or one, some instruments and antennas."""
    size = rng.uniform(0.7, 1.8, 3)
    half = size / 2
    parts: Craft = [part(mesh.box(size), "body")]
    shape = sample_wing(rng, (1, 6), (0.5, 1.6), (0.6, 2.0))
    if rng.random() < 0.25:
        angle = rng.uniform(0, np.pi)
        normal = (np.cos(angle), 0.0, np.sin(angle))
        parts += wing(rng, mesh.Y * half[1], mesh.Y, normal, **shape)
    else:
        parts += wing_pair(rng, half[1], **shape)
    parts += clutter(rng, half, int(rng.integers(2, 12)))
    parts += whips(rng, half, int(rng.integers(0, 5)), rng.uniform(0.5, 3))
    if rng.random() < 0.4:
        parts += dish(rng, (half[0], 0, 0), (1, rng.normal() * 0.4, 0.3), rng.uniform(0.3, 0.9))
    if rng.random() < 0.4:
        parts += nozzle((0, 0, -half[2]), (0, 0, -1), 0.25, 0.4)
    return parts


def dish_comsat(rng: Rng) -> Craft:
    """Build a tall box with two to four large reflectors and long wings."""
    size = np.array((rng.uniform(1, 1.6), rng.uniform(1, 1.6), rng.uniform(1.4, 3)))
    half = size / 2
    parts: Craft = [part(mesh.box(size), "body")]
    for k in range(int(rng.integers(2, 5))):
        sign = 1 if k % 2 else -1
        radius = rng.uniform(0.6, 1.3)
        at = (
            sign * (half[0] + radius * rng.uniform(0.7, 1.1)),
            (k // 2) * rng.uniform(0.4, 1.0),
            half[2] * rng.uniform(-0.3, 1),
        )
        parts.append(wire((sign * half[0], 0, at[2] * 0.5), at, 0.03))
        parts += dish(rng, at, (-sign * 0.5, rng.normal() * 0.2, 1), radius)
    parts += wing_pair(rng, half[1], **sample_wing(rng, (2, 7), (0.9, 1.8), (1, 2.2)))
    parts += clutter(rng, half, int(rng.integers(2, 8)))
    parts += [
        part(mesh.cylinder(0.12, 0.5, top=0.2), "white", (0.3 * k - 0.3, 0, half[2] + 0.2))
        for k in range(int(rng.integers(0, 4)))
    ]
    return parts


def cubesat(rng: Rng) -> Craft:
    """Build a small box of one to twelve units with cells on its faces and tape antennas."""
    size = np.array([(1, 1, 1), (1, 1, 2), (1, 1, 3), (2, 1, 3), (2, 2, 3)][rng.integers(5)]) * 1.0
    half = size / 2
    parts: Craft = [part(mesh.box(size, cells=4), "metal")]
    for axis in range(3):
        for sign in (-1, 1):
            if rng.random() < 0.75:
                u, v, w = (np.roll(np.eye(3), -axis, axis=0).T * np.roll(half, -axis)).T
                face = mesh.plate(sign * w * 1.01, u * 0.9, v * 0.9, repeats=rng.uniform(0.5, 1.2))
                parts.append(part(face, "panel" if rng.random() < 0.7 else "body"))
    rail = mesh.box((0.08, 0.08, size[2] * 1.04))
    for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        parts.append(part(rail, "metal", (x * half[0], y * half[1], 0)))
    parts += whips(rng, half, int(rng.integers(0, 5)), rng.uniform(1, 3))
    if rng.random() < 0.5:
        tilt = rng.uniform(-0.3, 1.2)
        shape = WingShape(
            panels=int(rng.integers(1, 4)), length=size[2] * 0.6, width=size[0] * 0.95
        )
        for sign in (-1, 1):
            root, along = (0, sign * half[1], half[2] * 0.9), (0, sign * np.cos(tilt), np.sin(tilt))
            parts += wing(rng, root, along, (0, -sign * np.sin(tilt), np.cos(tilt)), **shape)
    return parts + clutter(rng, half, int(rng.integers(0, 5)))


def telescope(rng: Rng) -> Craft:
    """Build a tube with a slanted sunshade, a lid, a service module and wings."""
    radius, length = rng.uniform(0.5, 0.9), rng.uniform(2, 4)
    parts: Craft = [
        part(mesh.cylinder(radius, length), "body"),
        part(
            mesh.cylinder(radius * rng.uniform(1.1, 1.6), length * 0.35),
            "trim",
            (0, 0, -length / 2),
        ),
        part(mesh.cylinder(radius * 0.92, 0.02), "dark", (0, 0, length / 2 + 0.02)),
        part(mesh.revolve([(radius, 0), (radius * 1.05, 0.6)]), "dark", (0, 0, length / 2)),
    ]
    if rng.random() < 0.6:
        at, axis = (radius * 1.3, 0, length / 2 + radius), (1, 0, rng.uniform(-0.2, 0.5))
        parts.append(part(mesh.cylinder(radius, 0.05), "trim", at, axis))
    parts += wing_pair(rng, radius * 1.05, **sample_wing(rng, (1, 4), (0.7, 1.5), (0.8, 2.4)))
    for sign in (-1, 1):
        if rng.random() < 0.6:
            away = (sign * (radius + rng.uniform(0.4, 1.4)), 0, rng.uniform(-0.5, 0.5) * length)
            parts.append(wire((sign * radius, 0, away[2]), away, 0.02))
            parts += dish(rng, away, (sign, 0, rng.normal() * 0.5), rng.uniform(0.2, 0.5))
    return parts + clutter(rng, (radius * 0.8, radius * 0.8, length / 2), int(rng.integers(2, 8)))


def spinner(rng: Rng) -> Craft:
    """Build a drum covered with cells, with long wire booms and a mast."""
    radius, height = rng.uniform(0.7, 1.3), rng.uniform(0.5, 2.0)
    sides = int(rng.choice((8, 12, 16)))
    parts: Craft = [
        part(mesh.prism(radius, height, sides=sides), "panel"),
        part(mesh.cylinder(radius * 0.96, height * 1.06), "body"),
        part(mesh.cylinder(radius * 1.01, height * 0.08, segments=sides), "trim"),
    ]
    booms = int(rng.integers(2, 7))
    reach = radius * rng.uniform(1.4, 3)
    for way in around(booms, rng.uniform(0, 6)):
        tip = way * reach
        parts.append(wire(way * radius, tip, 0.02))
        if rng.random() < 0.6:
            parts.append(part(mesh.box((0.14, 0.14, 0.14), cells=1), "dark", tip))
    if rng.random() < 0.7:
        mast = height / 2 + rng.uniform(0.4, 2)
        parts.append(wire((0, 0, height / 2), (0, 0, mast), 0.03))
        parts.append(part(mesh.cylinder(0.1, 0.4, top=0.18), "white", (0, 0, mast)))
    if rng.random() < 0.4:
        parts += dish(rng, (0, 0, height / 2 + 0.3), (0.6, 0, 1), radius * rng.uniform(0.4, 0.9))
    return parts + nozzle((0, 0, -height / 2), (0, 0, -1), 0.2, 0.35)


def radar(rng: Rng) -> Craft:
    """Build a slim bus that carries a long flat antenna and a wing along it."""
    length, width = rng.uniform(3, 8), rng.uniform(0.6, 1.5)
    size = np.array((rng.uniform(0.8, 1.5), rng.uniform(1, 2), rng.uniform(0.7, 1.2)))
    low = -size[2] / 2 - 0.15
    parts: Craft = [part(mesh.box(size), "body")]
    pieces = int(rng.integers(1, 6))
    for k in range(pieces):
        at = (0, (k + 0.5 - pieces / 2) * length / pieces, low)
        piece = mesh.box((width, length / pieces * 0.97, 0.08), cells=6)
        parts.append(part(piece, "white" if k % 2 else "dish", at))
    for sign in (-1, 1):
        parts.append(wire((0, 0, size[2] / 2), (0, sign * length * 0.45, low), 0.025))
    tilt = rng.uniform(0, 1)
    along, shape = (0, np.cos(tilt), np.sin(tilt)), sample_wing(rng, (2, 5), (0.6, 1.2), (0.7, 1.3))
    parts += wing(rng, (0, 0, size[2] / 2), along, (1, 0, 0.4), **shape)
    return parts + clutter(rng, size / 2, int(rng.integers(3, 9)))


def probe(rng: Rng) -> Craft:
    """Build a deep-space probe: a great dish on a prism, a magnetometer boom, generators."""
    radius = rng.uniform(0.5, 0.9)
    height = rng.uniform(0.4, 1.0)
    parts: Craft = [part(mesh.prism(radius, height, sides=int(rng.integers(6, 11))), "body")]
    parts += dish(rng, (0, 0, height / 2 + 0.2), (0, 0, 1), radius * rng.uniform(1.3, 2.6))
    reach = rng.uniform(2, 7)
    way = np.array((np.cos(2.0), np.sin(2.0), rng.normal() * 0.2))
    if rng.random() < 0.6:
        parts += lattice(way * radius, way * reach, 0.12, int(reach * 3), radius=0.008)
    else:
        parts.append(wire(way * radius, way * reach, 0.02))
    for k in range(int(rng.integers(0, 4))):
        angle = 4.2 + 0.9 * k
        out = np.array((np.cos(angle), np.sin(angle), -0.2))
        parts.append(wire(out * radius, out * radius * 2.6, 0.03))
        parts.append(part(mesh.cylinder(0.14, 0.7), "dark", out * (radius * 2.6), out))
    for _ in range(int(rng.integers(0, 3))):
        tip = rng.normal(size=3) * 2.0
        parts.append(wire((0, 0, -height / 2), tip, 0.01))
    if rng.random() < 0.4:
        parts += wing_pair(rng, radius, panels=int(rng.integers(1, 5)), length=1.0, width=1.2)
    return parts + clutter(rng, (radius, radius, height / 2), int(rng.integers(3, 10)))


def hex_bus(rng: Rng) -> Craft:
    """Build a prism with panels that fold out around it like petals."""
    sides = int(rng.choice((4, 6, 8)))
    radius, height = rng.uniform(0.6, 1.0), rng.uniform(0.6, 2.0)
    parts: Craft = [part(mesh.prism(radius, height, sides=sides), "body")]
    petals = int(rng.choice((2, 3, 4, sides)))
    tilt = rng.uniform(-0.6, 0.9)
    for k in range(petals):
        angle = (k + 0.5) * 2 * np.pi / petals
        out = np.array((np.cos(angle), np.sin(angle), 0.0))
        along = out * np.cos(tilt) + mesh.Z * np.sin(tilt)
        normal = mesh.Z * np.cos(tilt) - out * np.sin(tilt)
        root = out * radius * 0.9 + mesh.Z * height / 2
        parts += wing(
            rng,
            root,
            along,
            normal,
            panels=1 + petals % 2,
            length=height * 0.8,
            width=radius * 1.6 / np.sqrt(petals / 2),
        )
    parts += whips(
        rng, (radius, radius, height / 2), int(rng.integers(1, 6)), rng.uniform(0.6, 2.4)
    )
    if rng.random() < 0.5:
        parts.append(
            part(mesh.cylinder(radius * 0.4, 0.8, top=radius * 0.5), "dark", (0, 0, -height * 0.7))
        )
    return parts + clutter(rng, (radius * 0.8, radius * 0.8, height / 2), int(rng.integers(2, 9)))
