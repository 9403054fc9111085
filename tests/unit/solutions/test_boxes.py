import numpy as np
import pytest
from hypothesis import given, strategies as st

from posebowl.training import solution_modules

boxes = solution_modules.module("boxes")

sides = st.integers(1, 3000)
sizes = st.tuples(st.integers(1, 20), st.integers(1, 20)).map(lambda s: (32 * s[0], 32 * s[1]))
edges = st.floats(-500, 4000)


@given(photo=st.tuples(sides, sides), size=sizes, box=st.tuples(edges, edges, edges, edges))
def test_letterbox_and_back_is_the_same_box(photo, size, box):
    crop = boxes.letterbox(photo, size)
    there = crop.to_input(np.array(box))
    np.testing.assert_allclose(crop.to_photo(there), box, rtol=1e-9, atol=1e-6)


@given(photo=st.tuples(sides, sides), size=sizes)
def test_letterbox_shows_the_whole_photo_inside_the_input(photo, size):
    crop = boxes.letterbox(photo, size)
    xmin, ymin, xmax, ymax = crop.to_input(np.array([0, 0, photo[1], photo[0]]))
    assert (xmin, ymin) == pytest.approx((crop.left, crop.top))
    assert (xmax - xmin, ymax - ymin) == pytest.approx((crop.shown_width, crop.shown_height))
    assert xmin >= 0
    assert ymin >= 0
    assert xmax <= size[1] + 1e-9
    assert ymax <= size[0] + 1e-9
    assert crop.shown_width == size[1] or crop.shown_height == size[0]


def test_a_photo_of_the_input_s_shape_has_no_padding():
    crop = boxes.letterbox((1024, 1280), (384, 480))
    assert (crop.left, crop.top) == (0, 0)
    assert (crop.shown_width, crop.shown_height) == (480, 384)
    np.testing.assert_allclose(
        crop.to_input(np.array([1061, 946, 1109, 1024])), [397.875, 354.75, 415.875, 384]
    )


@given(
    x=st.integers(0, 1279),
    y=st.integers(0, 1023),
    wide=st.integers(1, 1280),
    high=st.integers(1, 1024),
    fill=st.floats(0.2, 0.9),
)
def test_close_up_lies_in_the_photo_and_holds_the_box(x, y, wide, high, fill):
    box = np.array([x, y, min(1280, x + wide), min(1024, y + high)], float)
    crop = boxes.zoom_crop(box, (1024, 1280), (256, 320), fill=fill, enlarge=3.0)
    assert crop.x >= 0
    assert crop.y >= 0
    assert crop.x + crop.width <= 1280
    assert crop.y + crop.height <= 1024
    shown = crop.to_input(box)
    assert shown.min() >= -1  # centred within a pixel
    assert shown[2] <= 321
    assert shown[3] <= 257
    assert crop.shown_width == 320 or crop.shown_height == 256
    assert crop.width % 2 == crop.height % 2 == 0  # quick to halve
    np.testing.assert_allclose(crop.to_photo(shown), box, atol=1e-6)


def test_close_up_of_a_large_box_is_the_whole_photo():
    box = np.array([100.0, 50, 1200, 900])
    crop = boxes.zoom_crop(box, (1024, 1280), (256, 320), fill=0.5, enlarge=3.0)
    assert crop == boxes.letterbox((1024, 1280), (256, 320))


def test_a_close_crop_is_enlarged_no_more_than_allowed():
    crop = boxes.zoom_crop(
        np.array([600.0, 500, 604, 503]), (1024, 1280), (256, 320), fill=0.5, enlarge=2.0
    )
    assert (crop.width, crop.height) == (160, 128)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([10.4, 20.6, 30.5, 40.2], (10, 21, 30, 40)),
        ([-5, -7, 2000, 3000], (0, 0, 1280, 1024)),
        ([10, 10, 10.2, 30], (10, 10, 11, 30)),
        ([1300, 10, 1400, 40], (1279, 10, 1280, 40)),
        ([-8.6, -20.3, 26.4, 0.2], (0, 0, 26, 1)),
        ([10, 10, 10, 30], None),
        ([30, 10, 20, 40], None),
        ([float("nan"), 0, 10, 10], None),
        ([0, 0, float("inf"), 10], None),
    ],
)
def test_to_pixels(box, expected):
    assert boxes.to_pixels(np.array(box, float), (1024, 1280)) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
    ],
)
def test_iou(one, other, expected):
    assert boxes.iou(np.array(one, float), np.array(other, float)) == pytest.approx(expected)
