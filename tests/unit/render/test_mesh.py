"""Meshes and parts: no engine, no PyVista."""

from __future__ import annotations

import numpy as np
import pytest

from posebowl.render import mesh, parts
from posebowl.render.families import FAMILIES
from tests.unit.render.crafts import made

SHAPES = {
    "box": mesh.box((1, 2, 3)),
    "cylinder": mesh.cylinder(1, 2, top=0.5),
    "prism": mesh.prism(1, 2, sides=6),
    "sphere": mesh.sphere(2),
    "bowl": mesh.bowl(1, 0.4),
    "torus": mesh.torus(3, 0.5),
    "rod": mesh.rod((1, 2, 3), (4, 2, 3), 0.1),
    "plate": mesh.plate((0, 0, 0), (1, 0, 0), (0, 2, 0), cells=3, repeats=2),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_sound(name):
    shape = SHAPES[name]
    assert shape.points.shape == shape.normals.shape
    assert len(shape.uv) == len(shape.points)
    assert shape.triangles.min() >= 0
    assert shape.triangles.max() < len(shape.points)
    assert np.isfinite(shape.points).all()
    np.testing.assert_allclose(np.linalg.norm(shape.normals, axis=1), 1)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("box", (-0.5, -1, -1.5), (0.5, 1, 1.5)),
        ("cylinder", (-1, -1, -1), (1, 1, 1)),
        ("sphere", (-2, -2, -2), (2, 2, 2)),
        ("torus", (-3.5, -3.5, -0.5), (3.5, 3.5, 0.5)),
        ("bowl", (-1, -1, 0), (1, 1, 0.4)),
        ("plate", (-1, -2, 0), (1, 2, 0)),
    ],
)
def test_shapes_have_the_size_asked_for(name, low, high):
    points = SHAPES[name].points
    np.testing.assert_allclose(points.min(axis=0), low, atol=0.03)
    np.testing.assert_allclose(points.max(axis=0), high, atol=0.03)


def test_sphere_normals_point_outwards():
    shape = mesh.sphere(2)
    assert ((shape.points * shape.normals).sum(axis=1) > 1.9).all()


def test_rod_runs_from_start_to_end():
    shape = mesh.rod((1, 2, 3), (4, 2, 3), 0.1)
    assert shape.points[:, 0].min() == pytest.approx(1)
    assert shape.points[:, 0].max() == pytest.approx(4)
    assert np.hypot(*(shape.points[:, 1:] - (2, 3)).T) == pytest.approx(0.1)


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 1, 0), (0, -1, 0), (1, 2, 3), (0, 0, -1)])
def test_basis_turns_z_to_the_axis(axis):
    turn = mesh.basis(axis)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(turn @ (0, 0, 1), mesh.normalized(axis), atol=1e-12)


def test_merge_keeps_every_triangle_on_its_own_points():
    one, two = mesh.box((1, 1, 1)), mesh.sphere(1).translated((9, 0, 0))
    both = mesh.merge([one, two])
    corners = both.points[both.triangles]
    np.testing.assert_array_equal(corners[: len(one.triangles)], one.points[one.triangles])
    np.testing.assert_array_equal(corners[len(one.triangles) :], two.points[two.triangles])


def test_there_are_at_least_ten_families():
    assert len(FAMILIES) >= 10


@pytest.mark.parametrize("name", FAMILIES)
def test_family_makes_sound_and_varied_spacecraft(name):
    sizes = set()
    for seed in range(12):
        craft = made(name, seed)
        points = [
            piece.mesh.points
            if isinstance(piece, parts.Part)
            else np.stack([piece.start, piece.end])
            for piece in craft
        ]
        everything = np.concatenate(points)
        assert everything.shape[1] == 3
        assert np.isfinite(everything).all()
        extent = np.ptp(everything, axis=0)
        assert extent.min() > 0.05
        assert 0.5 < extent.max() < 40
        sizes.add(tuple(extent.round(3)))
    assert len(sizes) == 12


@pytest.mark.parametrize("name", FAMILIES)
def test_family_depends_on_nothing_but_its_random_numbers(name):
    first, again = made(name, 4), FAMILIES[name](np.random.default_rng(4))
    assert len(first) == len(again)
    for one, two in zip(first, again, strict=True):
        assert one.role == two.role
        if isinstance(one, parts.Part):
            np.testing.assert_array_equal(one.mesh.points, two.mesh.points)
        else:
            np.testing.assert_array_equal(one.start, two.start)


def test_wing_reaches_as_far_as_its_panels():
    rng = np.random.default_rng(1)
    wing = parts.wing(rng, (0, 0, 0), mesh.X, mesh.Z, panels=4, length=2.0, width=1.0)
    panels = [p for p in wing if isinstance(p, parts.Part) and p.role == "panel"]
    assert len(panels) == 4
    assert max(p.mesh.points[:, 0].max() for p in panels) > 8
    assert max(np.ptp(p.mesh.points[:, 1]) for p in panels) == pytest.approx(1.0)
