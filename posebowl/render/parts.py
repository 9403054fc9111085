"""Parts of spacecraft, and the assemblies that many families share: wings, dishes, booms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np

from posebowl.render import mesh
from posebowl.render.mesh import Array, Mesh, Vector

Role = Literal["body", "trim", "panel", "metal", "dark", "white", "dish", "glow"]
"""What a part is for; the palette of one spacecraft has a material for each."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A mesh of one material."""

    mesh: Mesh
    role: str
    """A Role of procedural spacecraft, or one of a model's own materials."""


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A thin straight member, drawn wide enough to be seen.

    The ends, shape (3,), and the radius are in the spacecraft's own length unit.
    """

    start: Array
    end: Array
    radius: float
    role: Role = "metal"


Rng = np.random.Generator
Craft = list[Part | Wire]
Family = Callable[[Rng], Craft]


class WingShape(TypedDict):
    """How a solar wing is divided: see `wing`."""

    panels: int
    length: float
    width: float


Range = tuple[float, float]
"""What a number is sampled from."""


def sample_wing(rng: Rng, panels: tuple[int, int], length: Range, width: Range) -> WingShape:
    """Sample the shape of a wing; the upper limit of panels is excluded."""
    return {
        "panels": int(rng.integers(*panels)),
        "length": rng.uniform(*length),
        "width": rng.uniform(*width),
    }


def pick(rng: Rng, roles: tuple[Role, ...]) -> Role:
    """Sample one of the roles."""
    return roles[int(rng.integers(len(roles)))]


def part(shape: Mesh, role: str, at: Vector = (0, 0, 0), axis: Vector | None = None) -> Part:
    """Rotate a mesh from z to `axis`, translate it, and assign it a role."""
    rotated = shape if axis is None else shape.aligned_to(axis)
    return Part(mesh=rotated.translated(at), role=role)


def wire(start: Vector, end: Vector, radius: float, role: Role = "metal") -> Wire:
    """Build a thin member between two points."""
    return Wire(
        start=np.asarray(start, dtype=float),
        end=np.asarray(end, dtype=float),
        radius=radius,
        role=role,
    )


def direction(rng: Rng) -> Array:
    """Sample a direction, uniform over the sphere."""
    return mesh.normalized(rng.normal(size=3))


def wing(
    rng: Rng,
    root: Vector,
    along: Vector,
    normal: Vector,
    *,
    panels: int,
    length: float,
    width: float,
) -> Craft:
    """Build a solar wing of panels in a row.

    Args:
        rng: Source of the gaps, the yoke and the density of the cells.
        root: Where it leaves the body.
        along: From the root outwards.
        normal: The side that carries the cells.
        panels: How many there are.
        length: Of one panel, along the wing.
        width: Of the wing.
    """
    outward = mesh.normalized(along)
    across = mesh.normalized(np.cross(normal, outward))
    face = np.cross(outward, across)
    start = np.asarray(root, dtype=float)
    yoke, gap = rng.uniform(0.15, 0.8) * width, rng.uniform(0.01, 0.06) * length
    thick = 0.015 * width
    cells = rng.uniform(1.0, 2.5)
    foot = start + outward * yoke
    u, v = outward * length / 2, across * width / 2
    parts: Craft = [wire(start, foot + sign * across * width * 0.35, thick) for sign in (1, -1)]
    for index in range(panels):
        centre = foot + outward * (index * (length + gap) + length / 2)
        parts += [
            Part(mesh=mesh.plate(centre + face * thick, u, v, repeats=cells), role="panel"),
            Part(mesh=mesh.plate(centre - face * thick, u, v), role="trim"),
        ]
        if index:
            hinge = foot + outward * (index * (length + gap) - gap)
            parts.append(wire(hinge - v, hinge + v, thick))
    return parts


def wing_pair(rng: Rng, half: float, *, panels: int, length: float, width: float) -> Craft:
    """Build two wings along +y and -y of a body of half width `half`, turned alike."""
    angle = rng.uniform(0, np.pi)
    normal = (np.cos(angle), 0.0, np.sin(angle))
    shape: WingShape = {"panels": panels, "length": length, "width": width}
    offset = (0.0, 0.0, rng.uniform(-0.3, 0.3) * half)
    right = wing(rng, mesh.Y * half + offset, mesh.Y, normal, **shape)
    left = wing(rng, -mesh.Y * half + offset, -mesh.Y, normal, **shape)
    return right + left


def dish(rng: Rng, at: Vector, axis: Vector, radius: float) -> Craft:
    """Build a reflector with its feed on struts, at `at` and facing along `axis`."""
    depth = rng.uniform(0.2, 0.5) * radius
    turn, foot = mesh.basis(axis), np.asarray(at, dtype=float)
    focus = foot + turn @ np.array((0, 0, rng.uniform(0.7, 1.1) * radius))
    parts: Craft = [
        part(mesh.bowl(radius, depth), "dish", foot, axis),
        part(mesh.cylinder(0.08 * radius, 0.15 * radius), "metal", focus, axis),
        part(mesh.cylinder(0.15 * radius, 0.12 * radius), "dark", foot, axis),
    ]
    for angle in np.arange(3) * 2.1 + rng.uniform(0, 6):
        rim = turn @ np.array((0.8 * radius * np.cos(angle), 0.8 * radius * np.sin(angle), depth))
        parts.append(wire(foot + rim, focus, 0.012 * radius))
    return parts


def nozzle(at: Vector, axis: Vector, radius: float, length: float) -> Craft:
    """Build an engine bell that opens along `axis`."""
    z = np.linspace(0, 1, 8)
    profile = np.stack((radius * (0.3 + 0.7 * np.sqrt(z)), length * z), axis=1)
    return [part(mesh.revolve(profile, smooth=True), "dark", at, axis)]


def whips(rng: Rng, half: Vector, count: int, length: float) -> Craft:
    """Build thin antennas that leave the faces of a box of the given half sides."""
    parts: Craft = []
    for _ in range(count):
        way = direction(rng)
        foot = way / np.abs(way / np.asarray(half, dtype=float)).max()
        tip = foot + mesh.normalized(way + 0.5 * direction(rng)) * length * rng.uniform(0.4, 1.2)
        parts.append(wire(foot, tip, 0.006 * length))
    return parts


def clutter(rng: Rng, half: Vector, count: int) -> Craft:
    """Build boxes, drums and sensors that stand on the faces of a box of the given half sides."""
    sides = np.asarray(half, dtype=float)
    roles: tuple[Role, ...] = ("body", "trim", "metal", "dark", "white", "panel")
    parts: Craft = []
    for _ in range(count):
        axis = int(rng.integers(3))
        sign = rng.choice((-1.0, 1.0))
        at = rng.uniform(-0.8, 0.8, 3) * sides
        at[axis] = sign * sides[axis]
        size = sides.min() * rng.uniform(0.1, 0.5)
        role = pick(rng, roles)
        outward = np.eye(3)[axis] * sign
        if rng.random() < 0.5:
            shape = mesh.box(size * rng.uniform(0.3, 1.2, 3), cells=3)
        else:
            top = size * rng.uniform(0.2, 0.6)
            shape = mesh.cylinder(size * 0.4, size * rng.uniform(0.3, 1.4), top=top, segments=14)
        parts.append(part(shape, role, at, outward))
    return parts


def lattice(
    start: Vector, end: Vector, width: float, bays: int, *, radius: float | None = None
) -> Craft:
    """Build a square truss between two points."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    turn = mesh.basis(b - a)
    corners = np.array([(1, 1, 0), (-1, 1, 0), (-1, -1, 0), (1, -1, 0)]) * width / 2 @ turn.T
    thin = 0.04 * width if radius is None else radius
    steps = [a + (b - a) * k / bays for k in range(bays + 1)]
    parts: Craft = [wire(a + corner, b + corner, thin) for corner in corners]
    for k, here in enumerate(steps):
        for i in range(4):
            parts.append(wire(here + corners[i], here + corners[(i + 1) % 4], thin * 0.8))
            if k < bays:
                parts.append(
                    wire(here + corners[i], steps[k + 1] + corners[(i + 1) % 4], thin * 0.7)
                )
    return parts
