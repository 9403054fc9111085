import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

import cv2

from posebowl.errors import BadDataError
from posebowl.training import cutouts
from posebowl.training.cutouts import CutoutAugmentation

NEVER = CutoutAugmentation(joined=0, damaged=0, antennas=0, dark=0)


def disc(side=100, colour=(40, 120, 200)):
    y, x = np.ogrid[:side, :side]
    inside = (x - side / 2 + 0.5) ** 2 + (y - side / 2 + 0.5) ** 2 < (side / 2) ** 2
    straight = np.zeros((side, side, 4), np.uint8)
    straight[inside] = (*colour, 255)
    return straight


def test_read_cut_outs_as_pyramids_with_colour_multiplied_by_alpha(tmp_path):
    (tmp_path / "images").mkdir()
    pixels = np.zeros((500, 250, 4), np.uint8)
    pixels[...] = (200, 100, 50, 128)
    Image.fromarray(pixels).save(tmp_path / "images" / "one.png")
    (levels,) = cutouts.read_cutouts(tmp_path)
    assert [level.shape[:2] for level in levels] == [
        (400, 200),
        (200, 100),
        (100, 50),
        (50, 25),
        (25, 12),
        (12, 6),
    ]
    for level in levels:
        assert np.abs(level.astype(int) - (100, 50, 25, 128)).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_image_without_transparency_is_not_a_cut_out(tmp_path, mode):
    (tmp_path / "images").mkdir()
    Image.new(mode, (20, 20)).save(tmp_path / "images" / "one.png")
    with pytest.raises(BadDataError, match="not an RGBA image"):
        cutouts.read_cutouts(tmp_path)


def test_a_folder_without_cut_outs_is_named(tmp_path):
    with pytest.raises(BadDataError, match="no cut-outs"):
        cutouts.read_cutouts(tmp_path)


def test_level_for_takes_the_smallest_that_is_large_enough():
    levels = cutouts.pyramid(cutouts.premultiply(disc(320)))
    assert cutouts.level_for(levels, 100).shape[0] == 160
    assert cutouts.level_for(levels, 160).shape[0] == 160
    assert cutouts.level_for(levels, 161).shape[0] == 320
    assert cutouts.level_for(levels, 1000).shape[0] == 320


@given(seed=st.integers(0, 10_000))
def test_changed_cut_outs_stay_valid_and_the_original_stays_as_it_is(seed):
    cutout, other = cutouts.premultiply(disc(64)), cutouts.premultiply(disc(50))
    before = cutout.copy()
    always = CutoutAugmentation(joined=1, damaged=1, antennas=1, dark=0.5)
    changed = cutouts.augment_cutout(np.random.default_rng(seed), cutout, other, always)
    again = cutouts.augment_cutout(np.random.default_rng(seed), cutout, other, always)
    assert np.array_equal(changed, again)
    assert np.array_equal(cutout, before)
    assert (changed[..., :3] <= changed[..., 3:]).all()  # multiplied by alpha: never brighter
    assert (changed[..., 3] > cutouts.SEEN).sum() > 0.3 * (before[..., 3] > 0).sum()


def test_damage_breaks_off_a_part_but_never_most():
    cutout = cutouts.premultiply(disc(100))
    whole = int((cutout[..., 3] > 0).sum())
    left = [
        int((cutouts.damage(np.random.default_rng(seed), cutout)[..., 3] > 0).sum())
        for seed in range(20)
    ]
    assert min(left) >= 0.4 * whole
    assert min(left) < 0.8 * whole


def test_antennas_reach_beyond_the_cut_out_some_of_them_far():
    cutout = cutouts.premultiply(disc(100, (250, 0, 0)))
    every = [cutouts.add_antennas(np.random.default_rng(seed), cutout) for seed in range(60)]
    for changed in every:
        own = (changed == (250, 0, 0, 255)).all(2)
        assert own.sum() == (cutout == (250, 0, 0, 255)).all(2).sum()
        assert (changed[..., 3] > cutouts.SEEN).sum() >= own.sum()
        assert (changed[..., :3] <= changed[..., 3:]).all()
    sides = [max(changed.shape[:2]) for changed in every]
    assert max(sides) > 200
    thickest = round(cutouts.ROD_WIDTHS[1] * 100)
    assert max(sides) <= (1 + 2 * cutouts.ROD_LENGTHS[1]) * 100 + 2 * thickest


def test_antennas_are_as_thin_as_wires_or_as_thick_as_masts():
    cutout = cutouts.premultiply(disc(100, (250, 0, 0)))
    widest = []
    for seed in range(60):
        changed = cutouts.add_antennas(np.random.default_rng(seed), cutout)
        beside = (changed[..., 3] > cutouts.SEEN) & (changed[..., 0] == changed[..., 1])
        inside = cv2.distanceTransform(beside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        if inside.any():  # the disc hides some
            widest.append(2 * inside.max() - 1)
    assert 1 <= min(widest) <= 2
    assert 4 <= max(widest) <= 12  # where two cross


def test_recolouring_leaves_alpha_alone_and_can_darken():
    cutout = cutouts.premultiply(disc(60, (200, 200, 200)))
    dark = cutouts.recolour(np.random.default_rng(0), cutout, dark=True)
    assert np.array_equal(dark[..., 3], cutout[..., 3])
    assert dark[30, 30, :3].max() < 130


def test_stretching_keeps_the_area_and_makes_some_longer_and_narrower_along_any_direction():
    changes = cutouts.proportions(np.random.default_rng(0), 4000, 0.5)
    np.testing.assert_allclose(np.linalg.det(changes), 1)
    np.testing.assert_allclose(changes, changes.transpose(0, 2, 1))
    short, long = np.linalg.eigvalsh(changes).T
    assert 1.75 < (long / short).max() <= cutouts.MOST_STRETCHED + 1e-9
    assert np.isclose(long, short).mean() == pytest.approx(0.5, abs=0.03)
    upright, level = changes[:, 1, 1] - changes[:, 0, 0], changes[:, 0, 1]
    for direction in (upright, -upright, level, -level):
        assert (direction > 0.25).any()


def test_over_mixes_by_alpha():
    front = np.zeros((1, 3, 4), np.uint8)
    front[0, 0] = (10, 20, 30, 255)
    front[0, 1] = (50, 50, 50, 128)
    back = np.full((1, 3, 3), 100, np.uint8)
    assert cutouts.alpha_over(front, back).tolist() == [
        [[10, 20, 30], [100, 100, 100], [100, 100, 100]]
    ]
