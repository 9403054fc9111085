"""Families held out: really apart from those that models are trained on."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posebowl.errors import UsageError
from posebowl.render import dataset, parts
from posebowl.render.__main__ import chosen, main
from posebowl.render.families import (
    FAMILIES,
    HELD_OUT,
    TRAINING,
    held_out,
    satellites,
    stations,
    vehicles,
)
from posebowl.render.image import Only
from posebowl.render.options import RenderOptions


def test_the_two_groups_are_apart_and_make_the_whole():
    assert len(HELD_OUT) >= 6
    assert not TRAINING.keys() & HELD_OUT.keys()
    assert not set(TRAINING.values()) & set(HELD_OUT.values())
    assert set(FAMILIES) == TRAINING.keys() | HELD_OUT.keys()


def test_sets_are_of_the_training_families_unless_asked():
    settings = dataset._checked_settings(1, 7, None, only=Only.CUTOUTS, jpeg=False, compact=False)
    assert settings.families == tuple(TRAINING)


def test_held_out_families_are_one_flag():
    asked = RenderOptions(count=1, seed=1, out=Path("x"), held_out=True)
    assert chosen(asked) == tuple(HELD_OUT)
    assert chosen(replace(asked, held_out=False)) is None
    with pytest.raises(UsageError, match="exclude each other"):
        main(replace(asked, family=("probe",)))


def test_a_compact_set_shows_no_remodelled_spacecraft_but_cut_outs_may():
    asked = RenderOptions(out=Path("x"), remodel=True, compact=True)
    with pytest.raises(UsageError, match="--remodel and --compact exclude each other"):
        asked.check()
    replace(asked, only=Only.CUTOUTS).check()


def test_no_assembly_is_shared():
    taken = {
        name
        for name, value in vars(held_out).items()
        if inspect.isfunction(value) and value.__module__ == parts.__name__
    }
    assert taken == {"part", "wire", "pick", "direction"}
    for module in (satellites, stations, vehicles):
        assert "held_out" not in inspect.getsource(module)


def test_a_cloth_has_its_corners_and_hangs_through():
    corners = ((0, 0, 0), (2, 0, 0), (2, 2, 0), (0, 2, 0))
    sheet = held_out.cloth(corners, sag=0.5)
    for corner in corners:
        assert np.abs(sheet.points - corner).max(axis=1).min() < 1e-12
    assert sheet.points[:, 2].max() == pytest.approx(0.5)
    np.testing.assert_allclose(np.linalg.norm(sheet.normals, axis=1), 1)


def test_a_triangle_of_cloth_has_whole_normals():
    sheet = held_out.cloth(((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 0)))
    np.testing.assert_allclose(np.abs(sheet.normals[:, 2]), 1)


@pytest.mark.parametrize("splits", [0, 1, 2])
def test_a_geodesic_ball_is_closed(splits):
    faces = held_out.icosphere(splits)
    assert faces.shape == (20 * 4**splits, 3, 3)
    np.testing.assert_allclose(np.linalg.norm(faces, axis=2), 1)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    middles, counts = np.unique(edges.mean(axis=1).round(9) + 0.0, axis=0, return_counts=True)
    assert len(middles) == 30 * 4**splits
    assert set(counts) == {2}
