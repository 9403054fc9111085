"""Triangle meshes in plain NumPy: the shapes that spacecraft are built of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Vector = Sequence[float] | Array

X: Final[Array] = np.array((1.0, 0.0, 0.0))
Y: Final[Array] = np.array((0.0, 1.0, 0.0))
Z: Final[Array] = np.array((0.0, 0.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Triangles with a normal and a texture coordinate at every vertex.

    Shapes: points and normals (n, 3), uv (n, 2) in texture repeats, triangles (m, 3).
    """

    points: Array
    normals: Array
    uv: Array
    triangles: npt.NDArray[np.int64]

    def translated(self, offset: Vector) -> Mesh:
        """Return it shifted by an offset, in the mesh's own length unit."""
        return replace(self, points=self.points + np.asarray(offset))

    def rotated(self, rotation: Array) -> Mesh:
        """Return it rotated by a matrix, shape (3, 3), that acts on column vectors."""
        return replace(self, points=self.points @ rotation.T, normals=self.normals @ rotation.T)

    def transformed(self, matrix: Array) -> Mesh:
        """Return it transformed by any regular matrix, shape (3, 3), with normals of length one."""
        normals = normalized(self.normals @ np.linalg.inv(matrix))
        return replace(self, points=self.points @ matrix.T, normals=normals)

    def aligned_to(self, axis: Vector) -> Mesh:
        """Return it rotated so that z points along `axis`."""
        return self.rotated(basis(axis))


def normalized(vector: Vector) -> Array:
    """Scale a vector, shape (3,) or (n, 3), to length one; zero stays zero."""
    array = np.asarray(vector, dtype=float)
    length = np.linalg.norm(array, axis=-1, keepdims=True)
    return array / np.where(length > 0, length, 1.0)


def basis(axis: Vector) -> Array:
    """Return a rotation, shape (3, 3), that takes z to `axis`."""
    z = normalized(axis)
    x = normalized(np.cross(Y if abs(z[1]) < 0.9 else X, z))
    return np.stack((x, np.cross(z, x), z), axis=1)


def around(count: int, start: float = 0.0) -> list[Array]:
    """Return directions in the plane of x and y, evenly spaced, each of shape (3,)."""
    angles = start + np.arange(count) * 2 * np.pi / count
    return [np.array((np.cos(angle), np.sin(angle), 0.0)) for angle in angles]


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """Join meshes into one, vertices unshared."""
    items = list(meshes)
    starts = np.cumsum([0, *(len(mesh.points) for mesh in items[:-1])])
    return Mesh(
        points=np.concatenate([mesh.points for mesh in items]),
        normals=np.concatenate([mesh.normals for mesh in items]),
        uv=np.concatenate([mesh.uv for mesh in items]),
        triangles=np.concatenate(
            [mesh.triangles + start for mesh, start in zip(items, starts, strict=True)]
        ),
    )


def patch(points: Array, normals: Array, *, repeats: tuple[float, float] = (1.0, 1.0)) -> Mesh:
    """Build a surface from a grid of points.

    Args:
        points: Shape (rows, columns, 3).
        normals: Of the same shape, or one normal for all, shape (3,).
        repeats: How often the texture repeats along rows and along columns.
    """
    rows, columns = points.shape[:2]
    v, u = np.meshgrid(
        np.linspace(0, repeats[0], rows), np.linspace(0, repeats[1], columns), indexing="ij"
    )
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate(
        [np.stack((a, b, d), -1).reshape(-1, 3), np.stack((a, d, c), -1).reshape(-1, 3)]
    )
    return Mesh(
        points=points.reshape(-1, 3),
        normals=np.broadcast_to(normalized(normals), points.shape).reshape(-1, 3),
        uv=np.stack((u, v), -1).reshape(-1, 2),
        triangles=triangles,
    )


def plate(
    centre: Vector, half_u: Vector, half_v: Vector, *, cells: int = 1, repeats: float | None = None
) -> Mesh:
    """Build a flat parallelogram from its centre and two half sides.

    Args:
        centre: Its middle.
        half_u: From the middle to the middle of one side.
        half_v: From the middle to the middle of the next side.
        cells: Number of cells along a side: foil crinkles at their corners.
        repeats: How often the texture repeats along u; along v, in proportion to the sides.
    """
    u, v = np.asarray(half_u, dtype=float), np.asarray(half_v, dtype=float)
    steps = np.linspace(-1, 1, cells + 1)
    grid = np.asarray(centre) + steps[:, None, None] * v + steps[None, :, None] * u
    length_u, length_v = float(np.linalg.norm(u)), float(np.linalg.norm(v))
    across = 1.0 if repeats is None else repeats
    down = 1.0 if repeats is None else repeats * length_v / max(length_u, 1e-9)
    return patch(grid, np.cross(u, v), repeats=(down, across))


def box(size: Vector, centre: Vector = (0, 0, 0), *, cells: int = 10) -> Mesh:
    """Build a box from the lengths of its sides."""
    half = np.asarray(size, dtype=float) / 2
    faces = []
    for axis in range(3):
        u, v, w = np.roll(np.eye(3), -axis, axis=0) * np.roll(half, -axis)[:, None]
        faces += [plate(w, u, v, cells=cells), plate(-w, v, u, cells=cells)]
    return merge(faces).translated(centre)


def revolve(
    profile: Sequence[tuple[float, float]] | Array,
    *,
    segments: int = 24,
    smooth: bool = False,
    facets: bool = False,
) -> Mesh:
    """Build a surface of revolution around z.

    Args:
        profile: Points (radius, height), shape (k, 2).
        segments: Cells around.
        smooth: Whether normals follow the profile; otherwise each of its pieces is a cone.
        facets: Whether faces are flat all around, as on a hexagonal prism.
    """
    line = np.asarray(profile, dtype=float)
    pieces = [line] if smooth else [line[i : i + 2] for i in range(len(line) - 1)]
    angles = np.linspace(0, 2 * np.pi, segments + 1)
    spans = [angles[i : i + 2] for i in range(segments)] if facets else [angles]
    bands = []
    for piece in pieces:
        slope = np.gradient(piece, axis=0)
        normal_r, normal_z = slope[:, 1], -slope[:, 0]
        for span in spans:
            around = np.full_like(span, span.mean()) if facets else span
            bands.append(
                patch(
                    _ring(piece[:, 0], piece[:, 1], span),
                    _ring(normal_r, normal_z, around),
                    repeats=(1.0, 1.0 if facets else 3.0),
                )
            )
    return merge(bands)


def _ring(radius: Array, height: Array, angles: Array) -> Array:
    return np.stack(
        (
            radius[:, None] * np.cos(angles),
            radius[:, None] * np.sin(angles),
            np.repeat(height[:, None], len(angles), axis=1),
        ),
        axis=-1,
    )


def cylinder(radius: float, height: float, *, top: float | None = None, segments: int = 24) -> Mesh:
    """Build a closed cylinder, or a frustum where `top` is another radius, about the origin."""
    upper = radius if top is None else top
    profile = [(0.0, -height / 2), (radius, -height / 2), (upper, height / 2), (0.0, height / 2)]
    return revolve(_refined(profile), segments=segments)


def prism(radius: float, height: float, *, sides: int = 6) -> Mesh:
    """Build a closed prism with flat sides, about the origin."""
    profile = [(0.0, -height / 2), (radius, -height / 2), (radius, height / 2), (0.0, height / 2)]
    return revolve(profile, segments=sides, facets=True)


def _refined(profile: Sequence[tuple[float, float]], pieces: int = 5) -> Array:
    line = np.asarray(profile, dtype=float)
    steps = np.linspace(0, 1, pieces + 1)[:-1, None]
    parts = [a + (b - a) * steps for a, b in pairwise(line)]
    return np.concatenate([*parts, line[-1:]])


def sphere(radius: float, *, start: float = 0.0, stop: float = np.pi) -> Mesh:
    """Build a sphere, or a cap of it between two polar angles in radians."""
    angle = np.linspace(stop, start, 14)  # upwards, so that normals point outwards
    profile = np.stack((radius * np.sin(angle), radius * np.cos(angle)), axis=1)
    return revolve(profile, smooth=True)


def bowl(radius: float, depth: float) -> Mesh:
    """Build a paraboloid, open towards +z, with its lowest point at the origin."""
    r = np.linspace(0, radius, 9)
    return revolve(np.stack((r, depth * (r / radius) ** 2), axis=1), segments=30, smooth=True)


def torus(radius: float, thickness: float) -> Mesh:
    """Build a ring around z from its mean radius and the radius of its tube."""
    angle = np.linspace(0, 2 * np.pi, 13)
    profile = np.stack((radius + thickness * np.cos(angle), thickness * np.sin(angle)), axis=1)
    return revolve(profile, segments=36, smooth=True)


def rod(start: Vector, end: Vector, radius: float) -> Mesh:
    """Build an open tube with six sides between two points."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    tube = _unit_tube()
    long = replace(tube, points=tube.points * (radius, radius, float(np.linalg.norm(b - a))))
    return long.aligned_to(b - a).translated(a)


@cache
def _unit_tube() -> Mesh:
    return revolve([(1.0, 0.0), (1.0, 1.0)], segments=6)
