"""Damage and companions: what is left is still a spacecraft."""

from __future__ import annotations

import numpy as np
import pytest

from posebowl.render import damage, mesh, spacecraft
from posebowl.render.families import FAMILIES, HELD_OUT, TRAINING
from posebowl.render.parts import Craft, Part, part, wire
from tests.unit.render.crafts import made


def points(craft: Craft) -> np.ndarray:
    return np.concatenate([damage.points(piece) for piece in craft])


def row() -> Craft:
    """Five boxes in a row and a rod at the end of it."""
    boxes = [part(mesh.box((0.5, 0.5, 0.5)), "body", (0, 0, k)) for k in range(5)]
    return [part(mesh.box((1, 1, 1)), "white"), *boxes, wire((0, 0, 5), (0, 0, 6), 0.1)]


def drawn(harm, count=60):
    return [harm(np.random.default_rng(seed), row()) for seed in range(count)]


def test_parts_are_lost_but_never_the_largest():
    left = drawn(damage.remove_parts)
    assert min(len(craft) for craft in left) < len(row()) <= max(len(craft) for craft in left) + 1
    assert all(craft[0].role == "white" for craft in left)


def test_what_is_bent_keeps_its_parts_and_their_sizes():
    translated = 0
    for craft in drawn(damage.bend):
        assert len(craft) == len(row())
        for piece, before in zip(craft, row(), strict=True):
            one, two = (damage.points(each) for each in (piece, before))
            spans = [np.linalg.norm(each - each[0], axis=1) for each in (one, two)]
            np.testing.assert_allclose(*spans, atol=1e-9)
            translated += bool(np.abs(one - two).max() > 0.01)
    assert translated > 20


def test_what_is_torn_off_lay_beyond_a_plane():
    left = drawn(damage.tear_off)
    assert min(len(craft) for craft in left) < len(row())
    for craft in left:
        kept = {piece.mesh.points.mean(axis=0)[2].round(6) for piece in craft[1:-1]}
        assert kept <= {0, 1, 2, 3, 4}


def test_stretching_changes_proportions_along_three_axes_at_right_angles():
    cubes = [part(mesh.box((1, 1, 1)), "body"), wire((0, 0, 0), (0, 0, 1), 0.1)]
    spans = []
    for seed in range(200):
        (cube, rod) = spacecraft.stretch(np.random.default_rng(seed), cubes, 0.5)
        change, *_ = np.linalg.lstsq(cubes[0].mesh.points, cube.mesh.points, rcond=None)
        np.testing.assert_allclose(change, change.T, atol=1e-9)
        spans.append(np.linalg.eigvalsh(change))
        np.testing.assert_allclose(rod.end, (0, 0, 1) @ change, atol=1e-9)
        corners = cube.mesh.points[cube.mesh.triangles]
        sides = np.diff(corners, axis=1)
        faces = mesh.normalized(np.cross(sides[:, 0], sides[:, 1]))
        shaded = cube.mesh.normals[cube.mesh.triangles].mean(axis=1)
        np.testing.assert_allclose((faces * shaded).sum(axis=1), 1, atol=1e-9)
    assert np.exp(-0.5) <= np.min(spans) < 0.65
    assert 1.55 < np.max(spans) <= np.exp(0.5)


def test_remodelled_spacecraft_are_other_ones_and_plain_ones_are_not():
    def size(seed: int, **how: object) -> np.ndarray:
        craft = spacecraft.build(np.random.default_rng(seed), "cubesat", ["cubesat"], **how)
        return np.ptp(points(craft), axis=0)

    remodel = {"changes": spacecraft.REMODELLED}
    usual, other = (np.array([size(seed, **how) for seed in range(20)]) for how in ({}, remodel))
    assert not np.isclose(usual, other).all(axis=1).any()
    plain = [size(seed, varied=False) for seed in range(20)]
    np.testing.assert_array_equal(
        plain, [size(seed, varied=False, **remodel) for seed in range(20)]
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_damage_leaves_something_to_find(family):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        craft = FAMILIES[family](rng)
        left = damage.damage_craft(rng, craft)
        assert any(isinstance(piece, Part) for piece in left)
        span, before = (np.linalg.norm(np.ptp(points(each), axis=0)) for each in (left, craft))
        assert span >= 0.3 * before


def test_what_would_leave_too_little_is_not_done():
    alone: Craft = [wire((0, 0, 0), (0, 0, 1), 0.1)]
    assert damage.damage_craft(np.random.default_rng(0), alone) is alone


def test_joined_spacecraft_touch_and_are_of_like_size():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        first, second = FAMILIES["box-bus"](rng), FAMILIES["lander"](rng)
        both = spacecraft.dock(rng, first, second)
        assert both[: len(first)] == first
        ours, other = points(first), points(both[len(first) :])
        ratio = np.ptp(other, axis=0).max() / np.ptp(ours, axis=0).max()
        assert 0.15 < ratio < 2
        gap = np.maximum(ours.min(axis=0) - other.max(axis=0), other.min(axis=0) - ours.max(axis=0))
        assert gap.max() < 0.5 * np.ptp(ours, axis=0).max()
        for piece in both:
            if isinstance(piece, Part):
                np.testing.assert_allclose(np.linalg.norm(piece.mesh.normals, axis=1), 1)


def test_antennas_are_added_to_the_skin():
    shapes = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        craft = row()
        add_antennas = spacecraft.add_antennas(rng, craft)
        assert add_antennas[: len(craft)] == craft
        shapes.add(len(add_antennas) - len(craft))
        foot = add_antennas[len(craft)].start
        assert np.linalg.norm(points(craft) - foot, axis=1).min() < 1.5
    assert len(shapes) > 5


def test_a_plain_spacecraft_is_what_its_family_makes():
    plain = spacecraft.build(np.random.default_rng(3), "probe", tuple(TRAINING), varied=False)
    alone = FAMILIES["probe"](np.random.default_rng(3))
    np.testing.assert_array_equal(points(plain), points(alone))


def test_companions_come_of_the_set_s_families_alone(monkeypatch):
    asked = []
    watched = {
        name: lambda rng, name=name: asked.append(name) or made(name, int(rng.integers(3)))
        for name in FAMILIES
    }
    monkeypatch.setattr(spacecraft, "FAMILIES", watched)
    for seed in range(200):
        spacecraft.build(np.random.default_rng(seed), "starshade", tuple(HELD_OUT))
    assert set(asked) <= set(HELD_OUT)
    assert len(asked) > 205
