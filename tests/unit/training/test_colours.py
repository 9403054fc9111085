"""What is random about colours."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.training.augment import Augmentation
from posebowl.training.colours import background_colours, photo_variation, spacecraft_colours

MANY = 20_000


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_backgrounds_vary_around_what_they_are(rng):
    drawn = background_colours(rng, MANY)
    assert drawn.shape == (MANY, 5)
    np.testing.assert_allclose(np.median(drawn[:, :4], 0), 1, atol=0.02)
    np.testing.assert_allclose(
        np.log(drawn[:, :4]).std(0), [0.35, *[np.hypot(0.3, 0.12)] * 3], rtol=0.03
    )
    assert 0 <= drawn[:, 4].min() < 0.01
    assert drawn[:, 4].mean() == pytest.approx(1 / 3, abs=0.01)


def test_the_gains_of_a_background_go_together(rng):
    gains = np.log(background_colours(rng, MANY)[:, 1:4])
    both = 0.3**2 / (0.3**2 + 0.12**2)
    assert np.corrcoef(gains.T)[0, 1] == pytest.approx(both, abs=0.02)


def test_spacecraft_in_shadow_are_dark(rng):
    dark = np.arange(MANY) % 2 == 0
    drawn = spacecraft_colours(rng, dark)
    mean = np.exp(np.log(drawn[:, :3]).mean(1))
    assert 0.06 < mean[dark].min() < mean[dark].max() < 0.5
    assert np.median(mean[~dark]) == pytest.approx(1, abs=0.02)
    assert drawn[:, 4].std() == pytest.approx(12, rel=0.03)


def test_photos_vary_as_often_as_asked(rng):
    asked = Augmentation(grey=0.1, blur=0.2, noise=0.3)
    drawn = photo_variation(rng, asked, MANY)
    assert drawn.shape == (MANY, 8)
    shares = (drawn[:, 5:] > 0).mean(0)
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.3], atol=0.01)
    blur, noise = (column[column > 0] for column in drawn[:, 6:].T)
    assert 0.4 <= blur.min() < 0.41
    assert 1.19 < blur.max() <= 1.2
    assert 1 <= noise.min() < 1.1
    assert 11.9 < noise.max() <= 12


def test_without_tone_nothing_is_toned(rng):
    drawn = photo_variation(rng, Augmentation(tone=0), 10)
    np.testing.assert_array_equal(drawn[:, :5], np.tile([1, 1, 1, 1, 0], (10, 1)))
