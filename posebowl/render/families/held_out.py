"""Families for tests alone: no model is ever trained on them.

They share no assembly with the training families (no wing, dish, truss or clutter), only meshes and
wires, so that they measure how well a model finds spacecraft it has never seen.
"""

from __future__ import annotations

import numpy as np

from posebowl.render import mesh
from posebowl.render.mesh import Array, Mesh, Vector, around
from posebowl.render.parts import Craft, Rng, Role, direction, part, pick, wire


def cloth(corners: tuple[Vector, Vector, Vector, Vector], *, sag: float = 0.0) -> Mesh:
    """Build a sheet between four corners in order around; two may be one, for a triangle.

    Args:
        corners: Of shape (3,) each.
        sag: How far its middle hangs through, along its normal.
    """
    a, b, c, d = (np.asarray(corner, dtype=float) for corner in corners)
    steps = np.linspace(0, 1, 7)
    u, v = steps[None, :, None], steps[:, None, None]
    grid = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)
    flat = mesh.normalized(np.cross(c - a, d - b))
    grid = grid + 16 * sag * u * (1 - u) * v * (1 - v) * flat
    return mesh.patch(grid, _normals(grid, flat), repeats=(2.0, 2.0))


def _normals(grid: Array, flat: Array) -> Array:
    found = np.cross(np.gradient(grid, axis=1), np.gradient(grid, axis=0))
    pinched = np.linalg.norm(found, axis=2, keepdims=True) < 1e-9
    return np.where(pinched, flat, found)


def slab(rng: Rng, size: Vector, role: Role, at: Vector, axis: Vector = (0, 0, 1)) -> Craft:
    """Build a box with a smaller one of another material recessed into its face."""
    sides = np.asarray(size, dtype=float)
    inlay = sides * (*rng.uniform(0.3, 0.8, 2), 1.04)
    return [part(mesh.box(sides), role, at, axis), part(mesh.box(inlay), "dark", at, axis)]


def umbrella_antenna(rng: Rng) -> Craft:
    """Build a wide mesh reflector on ribs like an umbrella, and a slim tower with its feed."""
    ribs, radius = int(rng.integers(8, 25)), rng.uniform(2.5, 5)
    depth, tower = radius * rng.uniform(0.15, 0.45), radius * rng.uniform(0.5, 1.1)
    role = pick(rng, ("dish", "trim", "metal"))
    gap = rng.uniform(0.05, 0.2)
    parts: Craft = [part(mesh.cylinder(0.25, tower), "metal", (0, 0, tower / 2))]
    ways = around(ribs)
    for way, following in zip(ways, ways[1:] + ways[:1], strict=True):
        elbow, tip = way * radius * 0.55 + mesh.Z * depth * 0.3, way * radius + mesh.Z * depth
        parts += [wire(way * gap, elbow, 0.03), wire(elbow, tip, 0.025)]
        inner, outer = following * radius * 0.55, following * radius
        inner, outer = inner + mesh.Z * depth * 0.3, outer + mesh.Z * depth
        parts.append(part(cloth((way * gap, elbow, inner, following * gap)), role))
        if rng.random() < 0.95:  # a gore may be torn off
            parts.append(part(cloth((elbow, tip, outer, inner), sag=-0.03 * radius), role))
    size = rng.uniform(0.5, 1.3, 3)
    parts += slab(rng, size, "body", (0, 0, tower + size[2] / 2))
    parts += slab(rng, rng.uniform(0.4, 1.0, 3), "body", (0, 0, -0.5))
    for way in around(3, 0.5):
        parts.append(wire(way * radius * 0.5 + mesh.Z * depth * 0.3, (0, 0, tower), 0.015))
    return parts


def solar_sail(rng: Rng) -> Craft:
    """Build a square sail of four triangles, or strips, on crossed booms around a small hub."""
    reach, sag = rng.uniform(3, 7), rng.uniform(-0.25, 0.25)
    role = pick(rng, ("trim", "dish", "body", "trim"))
    height = rng.uniform(-0.4, 0.4)
    ways = around(4)
    parts: Craft = slab(rng, rng.uniform(0.3, 0.9, 3), "body", (0, 0, 0))
    strips = int(rng.choice((1, 1, 3, 5)))
    for way, following in zip(ways, ways[1:] + ways[:1], strict=True):
        parts.append(wire((0, 0, 0), way * reach + mesh.Z * height, 0.05, "white"))
        lift = mesh.Z * (height + 0.05)
        for k in range(strips):
            near, far = (0.06 + 0.92 * k / strips) * reach, (0.04 + 0.92 * (k + 1) / strips) * reach
            corners = (way * near, way * far, following * far, following * near)
            low, high, right, left = (corner + lift for corner in corners)
            parts.append(part(cloth((low, high, right, left), sag=sag / strips), role))
        if rng.random() < 0.5:
            vane = (way * reach, way * reach * 1.2 + mesh.Z * 0.4, way * reach * 1.2 - mesh.Z * 0.4)
            parts.append(part(cloth((vane[0], vane[1], vane[2], vane[0])), "panel"))
    return parts


def flat_pack(rng: Rng) -> Craft:
    """Build flat slabs with antenna tiles, one or a stack, with a blanket folded like a fan."""
    width, length, thick = rng.uniform(1.4, 2.4), rng.uniform(2.4, 4), rng.uniform(0.08, 0.25)
    stack = int(rng.choice((1, 1, 1, 2, 6)))
    parts: Craft = []
    for k in range(stack):
        shift = rng.normal(size=2) * 0.05 * (stack > 1)
        at = (shift[0], shift[1], k * thick * 1.5)
        parts.append(part(mesh.box((width, length, thick)), pick(rng, ("body", "metal")), at))
        parts.append(wire((-width / 2, 0, at[2]), (width / 2, 0, at[2]), 0.06, "dark"))
    tiles = int(rng.integers(2, 5))
    for k in range(tiles):
        y = (k + 0.5 - tiles / 2) * length / tiles
        tile = mesh.box((width * 0.8, length / tiles * 0.8, 0.05), cells=3)
        parts.append(part(tile, pick(rng, ("white", "dark", "trim")), (0, y, -thick / 2 - 0.02)))
    if stack == 1 or rng.random() < 0.3:
        folds, deep = int(rng.integers(6, 16)), rng.uniform(0.4, 0.9)
        lean, crease = rng.uniform(-0.5, 1.5), rng.uniform(0.02, 0.25)
        up = np.array((0.0, np.cos(lean), np.sin(lean)))
        side = np.array((0.0, -np.sin(lean), np.cos(lean)))
        foot = np.array((0, length / 2, stack * thick * 1.5))
        for k in range(folds):
            low = foot + up * k * deep + side * crease * (k % 2)
            high = foot + up * (k + 1) * deep + side * crease * ((k + 1) % 2)
            across = mesh.X * width * 0.48
            sheet = cloth((low - across, low + across, high + across, high - across))
            parts.append(part(sheet, "panel"))
        parts.append(wire(foot, foot + up * folds * deep, 0.03))
    return parts


def inspector(rng: Rng) -> Craft:
    """Build a free-flying robot: a round body, jointed arms with claws, an eye on each side."""
    radius = rng.uniform(0.7, 1.1)
    ball = mesh.sphere(radius)
    squash = rng.uniform(0.6, 1.2, 3)
    body = mesh.Mesh(
        points=ball.points * squash,
        normals=mesh.normalized(ball.normals / squash),
        uv=ball.uv,
        triangles=ball.triangles,
    )
    parts: Craft = [part(body, pick(rng, ("white", "body"))), part(mesh.torus(radius, 0.1), "dark")]
    for k in (-1, 1):
        at = np.array((radius * 0.8, k * 0.3, 0.35))
        parts += [part(mesh.cylinder(0.2, 0.3), "metal", at, mesh.X)]
        parts.append(part(mesh.cylinder(0.15, 0.32), "dark", at, mesh.X))
    for way in around(int(rng.choice((2, 2, 3, 4))), rng.uniform(0, 6)):
        parts += _arm(rng, way * radius * 0.95, way)
    for way in around(4, 0.8):
        pod = mesh.box((0.25, 0.25, 0.35), cells=2)
        parts.append(part(pod, "metal", way * radius * 0.8 - mesh.Z * radius * 0.5, way))
    if rng.random() < 0.5:
        parts.append(part(mesh.box((0.6, 1.0, 0.9)), "trim", (-radius * 0.9, 0, 0)))
    return parts


def _arm(rng: Rng, root: Array, way: Array) -> Craft:
    joint, role, parts = root, pick(rng, ("white", "metal", "trim")), Craft()
    for k in range(int(rng.integers(2, 4))):
        following = joint + mesh.normalized(way + 0.8 * direction(rng)) * rng.uniform(0.6, 1.3)
        parts.append(part(mesh.rod(joint, following, 0.13 - 0.02 * k), role))
        parts.append(part(mesh.cylinder(0.17, 0.3), "dark", following, direction(rng)))
        joint = following
    for claw in around(3):
        bend = joint + 0.25 * (way + claw)
        parts += [wire(joint, bend, 0.05, "metal"), wire(bend, bend + 0.25 * way, 0.04, "metal")]
    return parts


def geodesic(rng: Rng) -> Craft:
    """Build a ball of flat facets, or a polished one, with a few swept antennas."""
    radius = rng.uniform(0.6, 1.2)
    parts: Craft = [part(mesh.sphere(radius * 0.985), pick(rng, ("dark", "metal", "body")))]
    if rng.random() < 0.75:
        faces = icosphere(int(rng.integers(1, 3))) * radius
        chosen = rng.random(len(faces)) < rng.uniform(0.2, 0.9)
        if chosen.any():
            parts.append(part(facets(faces[chosen]), pick(rng, ("panel", "panel", "white"))))
        if not chosen.all():
            parts.append(part(facets(faces[~chosen]), pick(rng, ("metal", "metal", "white"))))
    if rng.random() < 0.5:
        parts.append(part(mesh.torus(radius * 1.01, 0.05), "trim", (0, 0, 0), direction(rng)))
    sweep, reach = rng.uniform(0.2, 1.2), radius * rng.uniform(1.5, 4)
    for way in around(int(rng.choice((2, 4, 4, 5)))):
        foot = mesh.normalized(way * 0.6 - mesh.Z * 0.8) * radius
        parts.append(wire(foot, foot + mesh.normalized(way * sweep - mesh.Z) * reach, 0.02))
    return parts


def icosphere(splits: int) -> Array:
    """Return the triangles of a sphere of radius 1, shape (20 * 4 ** splits, 3, 3).

    An icosahedron, each of whose faces is cut into four, again and again.
    """
    g = (1 + 5**0.5) / 2
    corners = [np.roll((0, a, b * g), k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
    points = mesh.normalized(np.array(corners, dtype=float))
    edge = 1.01 * np.sort(np.linalg.norm(points[0] - points[1:], axis=1))[0]
    near = np.linalg.norm(points[:, None] - points[None], axis=2) < edge
    faces = np.array(
        [
            (points[i], points[j], points[k])
            for i in range(12)
            for j in range(i)
            for k in range(j)
            if near[i, j] and near[j, k] and near[i, k]
        ]
    )
    for _ in range(splits):
        a, b, c = faces[:, 0], faces[:, 1], faces[:, 2]
        ab, bc, ca = mesh.normalized(a + b), mesh.normalized(b + c), mesh.normalized(c + a)
        quarters = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        faces = np.concatenate([np.stack(quarter, axis=1) for quarter in quarters])
    return faces


def facets(faces: Array) -> Mesh:
    """Build flat tiles of triangles, shape (n, 3, 3), with seams between them."""
    middle = faces.mean(axis=1, keepdims=True)
    points = (middle + (faces - middle) * 0.94).reshape(-1, 3)
    return Mesh(
        points=points,
        normals=np.repeat(mesh.normalized(middle[:, 0]), 3, axis=0),
        uv=np.tile(((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)), (len(faces), 1)),
        triangles=np.arange(len(points)).reshape(-1, 3),
    )


def starshade(rng: Rng) -> Craft:
    """Build a disc with tapering petals all around, like a flower, and a bus in its middle."""
    petals, inner = int(rng.integers(8, 25)), rng.uniform(1.2, 2.5)
    reach, cone = inner * rng.uniform(1.6, 2.6), rng.uniform(-0.3, 0.3)
    role = pick(rng, ("dark", "body", "trim", "dark"))
    parts: Craft = [part(mesh.cylinder(inner, 0.06, segments=petals * 2), role)]
    half = np.pi / petals * inner * 0.95
    for way in around(petals):
        side = np.cross(mesh.Z, way)
        knee = way * (inner + (reach - inner) * 0.45) + mesh.Z * cone * 0.5
        tip = way * reach + mesh.Z * cone
        foot, wide = way * inner * 0.98, side * half * 0.75
        parts.append(
            part(cloth((foot - side * half, foot + side * half, knee + wide, knee - wide)), role)
        )
        parts.append(part(cloth((knee - wide, knee + wide, tip + 0.02 * side, tip)), role))
        parts.append(wire(foot, tip, 0.02))
    size = inner * rng.uniform(0.3, 0.7)
    parts += [
        part(mesh.cylinder(size, size), "body", (0, 0, size / 2)),
        part(mesh.cylinder(size * 0.6, size * 0.8), "panel", (0, 0, size * 1.3)),
        part(mesh.torus(inner, 0.05), "metal"),
    ]
    return parts


def gravity_boom(rng: Rng) -> Craft:
    """Build two small bodies on one very long boom, sometimes with cross booms: a dumbbell."""
    reach = rng.uniform(4, 12)
    radius = rng.uniform(0.4, 0.9)
    shape = pick(rng, ("body", "white", "metal"))
    parts: Craft = [
        part(
            mesh.cylinder(radius, radius * rng.uniform(0.6, 2.5), top=radius * rng.uniform(0.4, 1)),
            shape,
        ),
        part(mesh.torus(radius * 1.05, 0.06), "trim"),
        wire((0, 0, 0), (0, 0, reach), 0.03),
    ]
    size = rng.uniform(0.15, 0.6)
    tip = mesh.sphere(size) if rng.random() < 0.5 else mesh.cylinder(size, size * 1.5)
    parts.append(part(tip, pick(rng, ("metal", "dark", "panel")), (0, 0, reach)))
    for way in around(int(rng.choice((0, 2, 4))), rng.uniform(0, 3)):
        end = way * reach * rng.uniform(0.3, 0.8) - mesh.Z * rng.uniform(0, 1.5)
        parts += [wire((0, 0, 0), end, 0.025), part(mesh.sphere(0.12), "dark", end)]
    for way in around(int(rng.choice((0, 3, 5)))):
        a, b = way * radius, way * (radius + rng.uniform(0.6, 1.4)) - mesh.Z * 0.6
        side = np.cross(mesh.Z, way) * 0.35
        parts.append(part(cloth((a - side, a + side, b + side, b - side)), "panel"))
    return parts


def inflatable(rng: Rng) -> Craft:
    """Build a bunch of lobed balloons on a tunnel, with round fans of cells."""
    parts, at = Craft(), 0.0
    tilt = direction(rng) * 0.3
    for _ in range(int(rng.integers(2, 5))):
        radius = rng.uniform(0.7, 1.4)
        at += radius
        role = pick(rng, ("white", "body", "white", "trim"))
        parts.append(
            part(pumpkin(radius, int(rng.integers(6, 14))), role, (0, 0, at), mesh.Z + tilt)
        )
        if rng.random() < 0.5:
            way = around(1, rng.uniform(0, 6))[0]
            small = radius * rng.uniform(0.4, 0.7)
            bud = pumpkin(small, int(rng.integers(5, 9)))
            parts.append(part(bud, role, way * (radius + small * 0.8) + mesh.Z * at, way))
        at += radius * 0.75
        parts.append(part(mesh.cylinder(0.4, 0.5), "metal", (0, 0, at)))
    spread = rng.uniform(0.8, 1.6)
    normal = mesh.normalized((rng.normal() * 0.4, 0, 1))
    for sign in (-1, 1):
        middle = np.array((0, sign * (1.6 + spread), at * rng.uniform(0.2, 0.8)))
        disc = mesh.cylinder(spread, 0.03, segments=10)
        parts += [
            wire((0, 0, middle[2]), middle, 0.05),
            part(disc, "panel", middle, normal),
            part(mesh.cylinder(spread * 0.12, 0.12), "metal", middle, normal),
        ]
    return parts


def pumpkin(radius: float, lobes: int) -> Mesh:
    """Build a balloon held by meridian ropes: a flat ball with lobes."""
    polar, turn = np.linspace(np.pi, 0, 15)[:, None], np.linspace(0, 2 * np.pi, lobes * 6 + 1)
    bulge = radius * (0.86 + 0.16 * np.abs(np.sin(turn * lobes / 2)))
    across = bulge * np.sin(polar)
    height = np.broadcast_to(0.75 * radius * np.cos(polar), across.shape)
    grid = np.stack((across * np.cos(turn), across * np.sin(turn), height), axis=-1)
    return mesh.patch(grid, _normals(grid, mesh.Z), repeats=(1.0, float(lobes)))


def segmented_telescope(rng: Rng) -> Craft:
    """Build a mirror of hexagons, bare, over layers of a kite-shaped sunshield."""
    rings, side = int(rng.integers(1, 4)), rng.uniform(0.35, 0.7)
    mirror, shield = pick(rng, ("body", "dish", "metal")), pick(rng, ("trim", "dish", "body"))
    parts, wide = Craft(), side * 3**0.5 * (rings + 1)
    for q in range(-rings, rings + 1):
        for r in range(max(-rings, -q - rings), min(rings, -q + rings) + 1):
            if q or r:
                x, y = side * 1.5 * q * 1.03, side * 3**0.5 * (r + q / 2) * 1.03
                curve = 0.05 * (x * x + y * y) / wide
                tile = mesh.prism(side * 0.98, 0.06, sides=6)
                parts.append(
                    part(tile, mirror, (x, y, curve), (-0.1 * x / wide, -0.1 * y / wide, 1))
                )
    focus = np.array((0, 0, wide * rng.uniform(0.9, 1.5)))
    parts.append(part(mesh.cylinder(side * 0.5, 0.1), "metal", focus))
    for way in around(3, np.pi / 2):
        parts.append(wire(way * wide * 0.85, focus, 0.03, "dark"))
    # The mirror stands on the shield, which lies in the plane of x and z.
    below, long, broad = -wide * 1.15, wide * rng.uniform(1.3, 2), wide * rng.uniform(0.8, 1.2)
    for k in range(int(rng.integers(2, 6))):
        y, grow = below - 0.12 * k, 1 + 0.05 * k
        kite = ((-broad, 0), (0, long), (broad, 0), (0, -long))
        a, b, c, d = (np.array((x * grow, y, z * grow)) for x, z in kite)
        parts.append(part(cloth((a, b, c, d), sag=0.08), shield))
    parts.append(wire((0, -wide * 0.5, -0.2), (0, below, -0.2), 0.12, "dark"))
    return parts + slab(rng, rng.uniform(0.6, 1.4, 3), "body", (0, below - 1, 0))


def reactor_ship(rng: Rng) -> Craft:
    """Build a long spine with a shadow cone at one end and great triangular radiators."""
    length = rng.uniform(5, 9)
    parts: Craft = [
        part(mesh.cylinder(0.1, length), "metal"),
        part(mesh.cylinder(0.5, 0.8, top=0.25), "dark", (0, 0, length / 2)),
        part(mesh.cylinder(0.3, 0.5), "metal", (0, 0, length / 2 + 0.6)),
    ]
    role = pick(rng, ("dark", "white", "metal", "trim"))
    span, start = rng.uniform(1.2, 2.6), length * rng.uniform(-0.35, 0.0)
    top = length / 2 - 0.5
    for way in around(int(rng.choice((2, 3, 4))), 0.4):
        a, b = way * 0.1 + mesh.Z * top, way * 0.1 + mesh.Z * start
        c, d = way * span + mesh.Z * start, way * span * rng.uniform(0.2, 0.6) + mesh.Z * top
        parts.append(part(cloth((a, b, c, d)), role))
        parts.append(wire(b, c, 0.04))
        parts.append(wire(a, c, 0.03))
    for k in range(int(rng.integers(2, 6))):
        way, z = around(1, 1.05 * k * 2)[0], -length / 2 + 0.5
        tank = mesh.sphere(rng.uniform(0.35, 0.6))
        parts.append(part(tank, pick(rng, ("white", "body")), way * 0.6 + mesh.Z * (z + 0.1 * k)))
    size = rng.uniform(0.8, 1.6)
    parts.append(
        part(mesh.prism(size * 0.6, size, sides=5), "body", (0, 0, -length / 2 - size / 2))
    )
    for way in around(int(rng.integers(3, 7))):
        at = way * size * 0.4 - mesh.Z * (length / 2 + size + 0.1)
        parts.append(part(mesh.cylinder(0.12, 0.25, top=0.2), "dark", at, -mesh.Z))
    return parts
