"""Distractors and planets: what they add, where, and how often."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render import distractors, planets

SHAPE = (IMAGE_HEIGHT, IMAGE_WIDTH, 3)


def grey(level: float = 0.3) -> np.ndarray:
    return np.full(SHAPE, level, dtype=np.float32)


@pytest.mark.parametrize("name", distractors.DISTRACTORS)
def test_distractors_change_light_the_same_way_each_time(name):
    bright = grey(0.05 if name == "moon" else 0.3)  # the Moon is on dark sky only
    bright[500:600, 300:400] = 1.5
    pages = [bright.copy() for _ in range(2)]
    for page in pages:
        distractors.DISTRACTORS[name].add(np.random.default_rng(4), page)
    np.testing.assert_array_equal(*pages)
    assert pages[0].dtype == np.float32
    assert pages[0].min() >= 0
    assert (pages[0] != bright).any()
    # None hides the photo: half of it stays about as it was.
    assert np.median(np.abs(pages[0] - bright)) < 0.35


def test_about_half_of_the_photos_have_distractors():
    taken = [distractors.add_distractors(np.random.default_rng(k), grey(0.1)) for k in range(60)]
    assert 0.35 < np.mean([bool(names) for names in taken]) < 0.65
    assert len(Counter(name for names in taken for name in names)) > 3


def test_the_moon_has_every_phase_and_spares_what_is_bright():
    shares = []
    for seed in range(40):
        page = np.zeros(SHAPE, dtype=np.float32)
        distractors.moon(np.random.default_rng(seed), page)
        lit = page[..., 0] > 0.02
        shares.append(lit.sum() / max(1, lit.any(axis=0).sum() ** 2, lit.any(axis=1).sum() ** 2))
        bright = grey(0.5)
        distractors.moon(np.random.default_rng(seed), bright)
        np.testing.assert_array_equal(bright, grey(0.5))
    assert min(shares) < 0.3  # a crescent, or new
    assert max(shares) > 0.7  # nearly full


def test_patches_are_ragged_and_few():
    shares = []
    for seed in range(20):
        page = grey(0.2)
        distractors.patches(np.random.default_rng(seed), page)
        shares.append((np.abs(page - 0.2).max(axis=2) > 0.02).mean())
        assert page.max() < 1
    assert 0 < np.median(shares) < 0.1


def test_a_disc_is_cut_by_the_frame():
    light = np.zeros(SHAPE, dtype=np.float32)
    distractors.disc(light, np.array((0.0, 0.0)), 50, np.ones(3), 0.1)
    distractors.disc(light, np.array((-500.0, 99.0)), 50, np.ones(3), 0.1)
    assert light[0, 0, 0] == pytest.approx(1)
    assert light[60:].max() == 0
    assert (light[..., 0] > 0).sum() == pytest.approx(np.pi * 50**2 / 4, rel=0.1)


def test_a_line_runs_from_start_to_end_and_stays_in_the_frame():
    light = np.zeros(SHAPE, dtype=np.float32)
    start, end = np.array((1200.0, 100.0)), np.array((1400.0, 100.0))
    distractors.line(light, start, end, np.ones(3), fade=False)
    rows, columns = np.nonzero(light[..., 0])
    assert set(rows) == {100}
    assert (columns.min(), columns.max()) == (1200, IMAGE_WIDTH - 1)


def test_a_disc_on_the_sky_is_a_ball():
    u, v, z, edge = planets.project_ball(np.array((640.0, 512.0)), 200.0)
    inside = edge == 1
    np.testing.assert_allclose((u**2 + v**2 + z**2)[inside], 1, atol=1e-5)
    assert inside.sum() * 4 == pytest.approx(np.pi * 200**2, rel=0.05)
    assert edge[0, 0] == 0


@pytest.mark.parametrize("paint", [planets.gas_giant, planets.rocky_planet])
def test_planets_are_lit_on_one_side(paint):
    lit = [paint(np.random.default_rng(seed)) for seed in range(6)]
    assert all(picture.shape == SHAPE and picture.min() >= 0 for picture in lit)
    assert max(picture.max() for picture in lit) > 0.3
    assert np.median([picture.mean() for picture in lit]) < 0.6
