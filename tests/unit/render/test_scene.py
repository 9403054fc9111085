"""Placing a spacecraft, the sensor, backgrounds' noise: what needs no window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render import fractal_noise, image as photo, materials, scene, sensor
from posebowl.render.backgrounds import BACKGROUNDS
from posebowl.render.families import FAMILIES


@given(
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(0, 99), st.integers(0, 99)),
)
def test_box_is_one_past_the_last_pixel(place, size, offset):
    (x, y), (width, height), (left, top) = place, size, offset
    mask = np.zeros((40, 40), dtype=bool)
    mask[y, x] = mask[y + height - 1, x + width - 1] = True
    box = scene.box_of(mask, left, top)
    assert box == (left + x, top + y, left + x + width, top + y + height)


def test_box_of_one_pixel_is_one_wide():
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 3] = True
    assert scene.box_of(mask) == (3, 2, 4, 3)


def test_shrink_averages_blocks():
    image = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    np.testing.assert_array_equal(scene.downsample(image, 2)[..., 0], [[2.5, 4.5], [10.5, 12.5]])


def test_every_palette_has_every_role():
    roles = {
        piece.role for family in FAMILIES.values() for piece in family(np.random.default_rng(2))
    }
    assert roles <= materials.palette(np.random.default_rng(0)).keys()


def test_noise_tiles_and_has_unit_deviation():
    tile = fractal_noise.field(1.5)
    assert tile.std() == pytest.approx(1, abs=1e-3)
    place = np.array([[0.25, 3.5]], dtype=np.float32)
    near = fractal_noise.sample(tile, place, place)
    far = fractal_noise.sample(tile, place + fractal_noise.TILE, place - 2 * fractal_noise.TILE)
    np.testing.assert_allclose(near, far, atol=1e-3)


def test_noise_at_a_texel_is_that_texel():
    tile = fractal_noise.field(1.5)
    spot = fractal_noise.sample(tile, np.float32([[5]]), np.float32([[7]]))
    assert spot[0, 0] == pytest.approx(tile[7, 5])


GREY = np.full((IMAGE_HEIGHT, IMAGE_WIDTH, 3), 0.25, dtype=np.float32)
PLAIN = sensor.Sensor()


def shown(settings: sensor.Sensor, light=GREY) -> np.ndarray:
    return sensor.capture(np.random.default_rng(0), light.copy(), settings)


def test_a_plain_sensor_scales_light_to_eight_bits():
    photo_of_grey = shown(PLAIN)
    assert photo_of_grey.dtype == np.uint8
    assert set(np.unique(photo_of_grey)) == {64}


def test_exposure_gamma_tint_and_vignette_act():
    assert shown(replace(PLAIN, exposure=2.0)).mean() == pytest.approx(128, abs=1)
    assert shown(replace(PLAIN, gamma=0.5)).mean() == pytest.approx(128, abs=1)
    red = shown(replace(PLAIN, tint=(1.5, 1.0, 1.0)))
    assert red[..., 0].mean() > red[..., 1].mean() + 20
    dim = shown(replace(PLAIN, vignette=0.5))
    assert dim[0, 0, 0] < dim[IMAGE_HEIGHT // 2, IMAGE_WIDTH // 2, 0] - 20
    assert np.ptp(shown(replace(PLAIN, tint=(1.5, 1.0, 1.0), grey=True)), axis=2).max() == 0


def test_no_exposure_turns_the_whole_photo_white():
    assert np.median(shown(replace(PLAIN, exposure=50.0))) < 255


def test_noise_has_the_deviation_asked_for():
    noisy = shown(replace(PLAIN, noise=4.0)).astype(float)
    assert noisy.std() == pytest.approx(4, rel=0.05)
    assert noisy.mean() == pytest.approx(64, abs=0.2)
    shot = shown(replace(PLAIN, noise=4.0, shot=1.0)).astype(float)
    assert shot.std() == pytest.approx(4 * 2**0.5, rel=0.05)


def test_bloom_spreads_the_brightest_light():
    light = np.zeros_like(GREY)
    light[500:520, 600:620] = 1
    halo = shown(replace(PLAIN, bloom=0.5, exposure=3.0), light).astype(int)
    assert halo[500:520, 590:599].max() > 0
    assert halo[0, 0].max() == 0


def test_a_compact_set_is_rarely_noisy():
    drawn = [sensor.sample_sensor(np.random.default_rng(k), compact=True) for k in range(400)]
    assert np.mean([settings.noise > 0 for settings in drawn]) < 0.2
    free = [sensor.sample_sensor(np.random.default_rng(k), compact=False) for k in range(400)]
    assert np.mean([settings.noise > 0 for settings in free]) > 0.6


@pytest.mark.parametrize("name", ["stars", "black", "moon", "glare", "gas-planet", "rocky-planet"])
def test_backgrounds_without_the_globe_fill_the_frame(name):
    pictures = [BACKGROUNDS[name].paint(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert pictures[0].shape == (IMAGE_HEIGHT, IMAGE_WIDTH, 3)
    assert pictures[0].dtype == np.float32
    assert pictures[0].min() >= 0
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert name == "black" or (pictures[0] != pictures[2]).any()


def test_names_are_32_hex_digits_and_differ():
    names = {
        photo.ImageSpec(seed=seed, index=index, families=()).image_id
        for seed in range(20)
        for index in range(50)
    }
    assert len(names) == 1000
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)


def test_each_round_holds_every_family_and_backgrounds_keep_their_shares():
    names = tuple(FAMILIES)
    drawn = [photo.choose_kinds(names, seed=3, index=index) for index in range(len(names) * 50)]
    for start in range(0, len(drawn), len(names)):
        assert {family for family, _ in drawn[start : start + len(names)]} == set(names)
    total = sum(background.weight for background in BACKGROUNDS.values())
    for kind, background in BACKGROUNDS.items():
        share = np.mean([drawn_kind == kind for _, drawn_kind in drawn])
        assert share == pytest.approx(background.weight / total, abs=0.01)
    plain = {
        photo.choose_kinds(names, seed=3, index=index, varied=False)[1]
        for index in range(len(drawn))
    }
    assert plain == {kind for kind, background in BACKGROUNDS.items() if background.plain}
