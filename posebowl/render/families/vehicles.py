"""Vehicles: what carries, lands, pushes, and an assembly of anything."""

from __future__ import annotations

import numpy as np

from posebowl.render import mesh
from posebowl.render.mesh import around
from posebowl.render.parts import (
    Craft,
    Rng,
    Role,
    clutter,
    direction,
    dish,
    nozzle,
    part,
    pick,
    sample_wing,
    whips,
    wing,
    wing_pair,
    wire,
)


def capsule(rng: Rng) -> Craft:
    """Build a blunt cone on a service module, with an engine and sometimes wings."""
    radius, height = rng.uniform(0.9, 1.3), rng.uniform(0.8, 1.6)
    top = radius * rng.uniform(0.25, 0.6)
    length = rng.uniform(0.6, 2.4)
    parts: Craft = [
        part(
            mesh.cylinder(radius, height, top=top),
            pick(rng, ("white", "body", "metal")),
            (0, 0, height / 2),
        ),
        part(mesh.cylinder(top * 0.7, 0.3), "dark", (0, 0, height + 0.1)),
        part(mesh.cylinder(radius * 0.97, length), "trim", (0, 0, -length / 2)),
    ]
    for angle in np.arange(int(rng.integers(0, 5))) * 1.3:
        at = np.array((np.cos(angle), np.sin(angle), 0)) * (radius + top) / 2
        parts.append(
            part(mesh.box((0.22, 0.22, 0.22), cells=1), "dark", at + mesh.Z * height * 0.5)
        )
    parts += nozzle((0, 0, -length), (0, 0, -1), radius * 0.4, 0.6)
    style = rng.integers(3)
    if style == 0:
        parts += wing_pair(rng, radius, **sample_wing(rng, (2, 5), (0.6, 1), (0.7, 1.4)))
    elif style == 1:
        for out in around(int(rng.choice((2, 4))), 0.8):
            root = out * radius - mesh.Z * length * 0.8
            parts += wing(rng, root, out, mesh.Z, panels=3, length=0.8, width=0.7)
    return parts + clutter(
        rng, (radius * 0.75, radius * 0.75, height * 0.4), int(rng.integers(0, 6))
    )


def lander(rng: Rng) -> Craft:
    """Build a squat body on legs with foot pads, an ascent stage, tanks and an engine."""
    radius, height = rng.uniform(0.9, 1.5), rng.uniform(0.6, 1.2)
    sides = int(rng.choice((4, 6, 8)))
    parts: Craft = [part(mesh.prism(radius, height, sides=sides), "body")]
    legs = int(rng.choice((3, 4, 4, 6)))
    reach = radius * rng.uniform(1.5, 2.2)
    drop = -height / 2 - rng.uniform(0.6, 1.3)
    for out in around(legs, 0.4):
        foot = out * reach + mesh.Z * drop
        parts += [
            wire(out * radius + mesh.Z * height * 0.3, foot, 0.05),
            wire(out * radius * 0.9 - mesh.Z * height * 0.5, foot * 0.98, 0.03),
            part(mesh.cylinder(0.22, 0.07), "metal", foot),
        ]
    if rng.random() < 0.7:
        size = radius * rng.uniform(0.8, 1.4, 3)
        at = np.array((0, 0, height / 2 + size[2] / 2))
        parts.append(
            part(mesh.box(size) if rng.random() < 0.5 else mesh.sphere(size[2] * 0.6), "trim", at)
        )
        parts.append(wire(at, at + np.array((0.4, 0.3, size[2] + rng.uniform(0.2, 1.5))), 0.015))
    parts += nozzle((0, 0, -height / 2), (0, 0, -1), radius * 0.35, 0.5)
    for k in range(int(rng.integers(0, 5))):
        at = np.array((np.cos(1.6 * k), np.sin(1.6 * k), 0)) * radius * 0.9
        parts.append(part(mesh.sphere(rng.uniform(0.2, 0.4)), "metal", at))
    if rng.random() < 0.4:
        parts.append(
            part(mesh.plate((0, radius, 0.3), (0.8, 0, 0), (0, 0.3, 0.5), repeats=1), "panel")
        )
    return parts + clutter(rng, (radius * 0.7, radius * 0.7, height / 2), int(rng.integers(2, 9)))


def rocket_stage(rng: Rng) -> Craft:
    """Build a spent stage: a long tank, an interstage, one or more bells."""
    radius, length = rng.uniform(0.5, 0.9), rng.uniform(2, 6)
    tip = rng.choice(("cone", "dome", "open"))
    parts: Craft = [
        part(mesh.cylinder(radius, length), pick(rng, ("white", "body", "metal", "trim")))
    ]
    for place in rng.uniform(-0.45, 0.45, int(rng.integers(1, 4))):
        role = pick(rng, ("dark", "metal", "trim"))
        parts.append(
            part(mesh.cylinder(radius * 1.02, rng.uniform(0.05, 0.5)), role, (0, 0, place * length))
        )
    if tip == "cone":
        high = rng.uniform(0.5, 1.5)
        cone = mesh.cylinder(radius, high, top=radius * rng.uniform(0.1, 0.6))
        parts.append(part(cone, "trim", (0, 0, (length + high) / 2)))
    elif tip == "dome":
        parts.append(part(mesh.sphere(radius, stop=np.pi / 2), "metal", (0, 0, length / 2)))
    else:
        parts.append(part(mesh.revolve([(radius, 0), (radius, 0.8)]), "dark", (0, 0, length / 2)))
    engines = int(rng.choice((1, 1, 2, 3, 4)))
    spread = radius * 0.5 * (engines > 1)
    bell = radius * (0.75 if engines == 1 else 0.4)
    for way in around(engines):
        parts += nozzle(
            way * spread - mesh.Z * length / 2, (0, 0, -1), bell, bell * rng.uniform(1.2, 2.2)
        )
    if rng.random() < 0.4:
        parts.append(part(mesh.box((0.15, 0.15, length * 0.9)), "dark", (radius, 0, 0)))
    return parts


def space_plane(rng: Rng) -> Craft:
    """Build a winged orbiter with a tail fin and engines."""
    radius, length = rng.uniform(0.5, 0.8), rng.uniform(3, 5)
    span = rng.uniform(1.2, 2.4)
    parts: Craft = [
        part(mesh.cylinder(radius, length), "white"),
        part(mesh.sphere(radius, stop=np.pi / 2), "dark", (0, 0, length / 2)),
        part(mesh.box((radius * 1.6, 0.3, length * 0.9)), "dark", (0, -radius * 0.85, 0)),
    ]
    front, back = length * rng.uniform(0.0, 0.3), -length / 2
    for sign in (-1, 1):
        corners = np.array(
            [[(0, 0, back), (sign * span, 0, back)], [(0, 0, front), (sign * span, 0, back + 0.8)]],
            dtype=float,
        )
        surface = mesh.patch(corners, mesh.Y, repeats=(2, 2))
        x, y = sign * radius * 0.6, -radius * 0.6
        parts.append(part(surface, "white", (x, y + 0.04, 0)))
        parts.append(part(surface, "dark", (x, y - 0.04, 0)))
    high = span * 0.8
    fin = np.array(
        [[(0, 0, back), (0, high, back - 0.2)], [(0, 0, back + 1.3), (0, high, back + 0.5)]]
    )
    parts.append(part(mesh.patch(fin, mesh.X), "white", (0, radius * 0.8, 0)))
    for k in range(int(rng.integers(1, 4))):
        parts += nozzle(((k - 1) * 0.35, 0.1 * k, back), (0, 0, -1), 0.22, 0.4)
    if rng.random() < 0.5:
        parts.append(part(mesh.box((radius, 0.1, length * 0.6)), "metal", (0, radius * 0.9, 0)))
    return parts


def tug(rng: Rng) -> Craft:
    """Build a servicer: an open frame with tanks, robot arms and wings."""
    size = rng.uniform(0.8, 1.6, 3)
    half = size / 2
    parts: Craft = [part(mesh.box(size * 0.8), "body")]
    for x in (-1, 1):
        for y in (-1, 1):
            at = np.array((x, y, 0)) * half
            parts.append(wire(at - mesh.Z * half[2], at + mesh.Z * half[2], 0.04))
            if rng.random() < 0.7:
                tank = mesh.sphere(half.min() * 0.5)
                parts.append(part(tank, pick(rng, ("metal", "trim", "white")), at))
    for _ in range(int(rng.integers(1, 4))):
        joint = direction(rng) * half.max()
        for _ in range(3):
            following = joint + direction(rng) * rng.uniform(0.3, 0.9)
            parts.append(wire(joint, following, 0.05, "white"))
            parts.append(part(mesh.sphere(0.09), "dark", following))
            joint = following
    parts += wing_pair(rng, half[1], **sample_wing(rng, (1, 4), (0.6, 1.2), (0.6, 1.6)))
    parts += nozzle((0, 0, -half[2]), (0, 0, -1), 0.3, 0.5)
    return parts + clutter(rng, half * 0.8, int(rng.integers(2, 9)))


def assembly(rng: Rng) -> Craft:
    """Build a random assembly like no known spacecraft, so that none is memorized."""
    parts: Craft = []
    roles: tuple[Role, ...] = ("body", "trim", "metal", "white", "dark", "panel")
    at = np.zeros(3)
    for _ in range(int(rng.integers(2, 7))):
        shape = [
            mesh.box(rng.uniform(0.3, 1.6, 3)),
            mesh.cylinder(rng.uniform(0.2, 0.7), rng.uniform(0.3, 2.4), top=rng.uniform(0.1, 0.7)),
            mesh.sphere(rng.uniform(0.3, 0.8)),
            mesh.prism(rng.uniform(0.3, 0.9), rng.uniform(0.2, 1.4), sides=int(rng.integers(3, 9))),
        ][int(rng.integers(4))]
        parts.append(part(shape, pick(rng, roles), at, direction(rng)))
        at = at + direction(rng) * rng.uniform(0.3, 1.1)
    for _ in range(int(rng.integers(0, 5))):
        way, normal = direction(rng), direction(rng)
        parts += wing(
            rng, way * 0.3, way, normal, **sample_wing(rng, (1, 4), (0.3, 1.2), (0.3, 1.4))
        )
    if rng.random() < 0.5:
        way = direction(rng)
        parts += dish(rng, way * 0.8, way, rng.uniform(0.3, 1.1))
    return parts + whips(rng, (0.5, 0.5, 0.5), int(rng.integers(0, 5)), rng.uniform(1, 4))
