"""Poses have sizes, proportions and places like those of the real labels; nothing is rendered."""

from __future__ import annotations

import numpy as np
import pytest

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render import pose, scene
from posebowl.render.families import FAMILIES, TRAINING

FRAME = (IMAGE_WIDTH, IMAGE_HEIGHT)


def points_of(family, seed):
    return scene.vertices(FAMILIES[family](np.random.default_rng(seed)))


@pytest.fixture(scope="module")
def boxes():
    """Sample 150 poses of a spacecraft of each training family; clipped boxes, (2700, 4)."""
    drawn = []
    for seed, family in enumerate(TRAINING):
        points = points_of(family, seed)
        rng = np.random.default_rng(seed)
        drawn += [pose.sample_pose(rng, points).box for _ in range(150)]
    return np.array(drawn)


@pytest.fixture(scope="module")
def sizes(boxes):
    return np.ptp(np.clip(boxes, 0, FRAME * 2).reshape(-1, 2, 2), axis=1)


@pytest.mark.parametrize(
    ("share", "width"), [(0.05, 25), (0.25, 59), (0.5, 112), (0.75, 236), (0.95, 719)]
)
def test_boxes_are_as_wide_as_in_the_real_labels(sizes, share, width):
    assert np.quantile(sizes[:, 0], share) == pytest.approx(width, rel=0.15)


def test_as_many_boxes_are_narrow_and_wide_as_in_the_real_labels(sizes):
    assert (sizes[:, 0] < 30).mean() == pytest.approx(0.068, abs=0.02)
    assert (sizes[:, 0] >= 300).mean() == pytest.approx(0.19, abs=0.03)
    assert sizes[:, 0].max() <= IMAGE_WIDTH


def test_boxes_are_as_elongated_as_in_the_real_labels(sizes):
    ratios = sizes.max(axis=1) / sizes.min(axis=1)
    assert np.median(ratios) == pytest.approx(1.45, abs=0.15)
    assert 2.5 < np.quantile(ratios, 0.9) < 3.5


def test_a_fifth_touches_the_frame(boxes):
    touching = (boxes[:, :2] <= 0).any(axis=1) | (boxes[:, 2:] >= FRAME).any(axis=1)
    assert touching.mean() == pytest.approx(0.2, abs=0.03)
    shown = np.prod(np.ptp(np.clip(boxes, 0, FRAME * 2).reshape(-1, 2, 2), axis=1), axis=1)
    assert (shown / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)).min() > 0.05


def test_small_spacecraft_are_anywhere_in_the_frame(boxes):
    small = boxes[boxes[:, 2] - boxes[:, 0] < 150]
    middle = (small[:, :2] + small[:, 2:]) / 2 / FRAME
    for axis in range(2):
        counts, _ = np.histogram(middle[:, axis], bins=5, range=(0, 1))
        assert counts.min() > 0.12 * len(small)


def test_a_given_side_is_kept_and_whole():
    points = points_of("probe", 1)
    for seed in range(50):
        box = np.array(pose.sample_pose(np.random.default_rng(seed), points, side=400).box)
        assert (box[2:] - box[:2]).max() == pytest.approx(400)
        assert (box >= 0).all()
        assert (box[2:] <= FRAME).all()


def test_few_spacecraft_of_the_demo_set_are_cut_by_the_frame():
    points = points_of("box-bus", 0)
    plain = [pose.sample_plain_pose(np.random.default_rng(k), points).box for k in range(3000)]
    boxes = np.array(plain)
    cut = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2:] > FRAME).any(axis=1)
    assert 0.01 < cut.mean() < 0.06


@pytest.mark.parametrize("sample", [pose.sample_pose, pose.sample_plain_pose])
def test_the_projected_box_is_the_pose_s_box(sample):
    points = points_of("lander", 3)
    placed = sample(np.random.default_rng(8), points)
    seen = (points - placed.centre) @ placed.rotation.T - (0, 0, placed.distance)
    x = placed.principal[0] + placed.focal * seen[:, 0] / -seen[:, 2]
    y = placed.principal[1] - placed.focal * seen[:, 1] / -seen[:, 2]
    np.testing.assert_allclose((x.min(), y.min(), x.max(), y.max()), placed.box, atol=1e-6)


def test_attitudes_are_rotations_of_every_kind():
    rotations = pose.random_rotations(np.random.default_rng(1), 500)
    products = rotations @ rotations.transpose(0, 2, 1)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    assert np.abs(rotations.mean(axis=0)).max() < 0.1
