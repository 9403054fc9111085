import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.training import augment, solution_modules
from posebowl.training.augment import (
    Augmentation,
    Augmenter,
    Crop,
    Photo,
    View,
    clip_box,
    crop_and_resize,
    flip,
)
from posebowl.training.dataset import Level

SIZE = (256, 320)
CLEAN = {"tone": 0.0, "noise": 0.0, "blur": 0.0, "grey": 0.0}


def white_box(box):
    """Make a black photo with a white rectangle, as the cache would hold it."""
    full = np.zeros((1024, 1280, 3), np.uint8)
    full[box[1] : box[3], box[0] : box[2]] = 255
    half = full.reshape(512, 2, 640, 2, 3).mean((1, 3)).astype(np.uint8)
    x = min(max(0, (box[0] + box[2] - 640) // 2), 640)
    y = min(max(0, (box[1] + box[3] - 512) // 2), 512)
    return Photo(
        whole=Level(image=half, x=0, y=0, scale=0.5),
        close=Level(image=full[y : y + 512, x : x + 640], x=x, y=y, scale=1.0),
        box=np.array(box, float),
    )


def seen(image):
    """Box the white pixels; padding is grey."""
    rows, columns = np.nonzero(image.min(2) > 160)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("close", [0.0, 1.0])
@pytest.mark.parametrize(
    "box",
    [(600, 400, 700, 500), (2, 3, 62, 43), (1180, 900, 1280, 1024), (200, 100, 1100, 950)],
)
def test_boxes_follow_the_spacecraft_through_every_view(box, close):
    photo = white_box(box)
    augmenter = Augmenter(
        np.random.default_rng(1), SIZE, Augmentation(close=close, mosaic=0.0, **CLEAN)
    )
    compared = 0
    for _ in range(60):
        view = augmenter.take([photo])
        assert view.image.shape == (*SIZE, 3)
        if len(view.boxes) and view.image.max() > 160:
            np.testing.assert_allclose(seen(view.image), view.boxes[0], atol=1.6)
            compared += 1
    assert compared > 40


@pytest.mark.parametrize("size", [(224, 288), (512, 640)])
def test_wide_views_are_never_nearer_than_the_first_look(size):
    photo = white_box((600, 400, 800, 500))
    views = Augmentation(close=0.0, mosaic=0.0, quarter_turns=0.0, **CLEAN)
    augmenter = Augmenter(np.random.default_rng(2), size, views)
    shown = [augmenter.take([photo]).boxes[0] for _ in range(40)]
    # 200 pixels of the photo: half as many at most, and the whole photo seen from a little farther.
    wide = np.array([box[2] - box[0] for box in shown])
    farthest = 200 / (1.15 * max(1280 / size[1], 1024 / size[0]))
    assert wide.max() <= 101
    assert wide.min() >= farthest - 1
    assert wide.max() > wide.min() + 5


def test_mosaic_holds_the_boxes_of_four_photos():
    photos = [white_box((600, 400, 760, 540))] * 4
    augmentation = Augmentation(close=0.0, mosaic=1.0, whole_box=1.0, **CLEAN)
    augmenter = Augmenter(np.random.default_rng(2), SIZE, augmentation)
    for _ in range(20):
        view = augmenter.take(photos)
        assert len(view.boxes) == 4
        for xmin, ymin, xmax, ymax in view.boxes.round().astype(int):
            inner = view.image[ymin + 2 : ymax - 2, xmin + 2 : xmax - 2]
            assert inner.min() > 160


def test_the_same_seed_takes_the_same_views():
    photos = [white_box((300, 300, 400, 500))] * 4
    one, other = (Augmenter(np.random.default_rng(7), SIZE, Augmentation()) for _ in range(2))
    for _ in range(10):
        first, second = one.take(photos), other.take(photos)
        np.testing.assert_array_equal(first.image, second.image)
        np.testing.assert_array_equal(first.boxes, second.boxes)


def test_cut_beyond_the_photo_is_grey():
    level = Level(image=np.full((512, 640, 3), 7, np.uint8), x=0, y=0, scale=0.5)
    crop = Crop(x=-640, y=-512, width=1280, height=1024)
    image, real = crop_and_resize(level, crop, SIZE)
    assert (image[:128] == 114).all()
    assert (image[:, :160] == 114).all()
    assert (image[128:, 160:] == 7).all()
    assert real == crop


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 50, 50), [[10, 10, 50, 50]]),
        ((-10, 10, 50, 50), [[0, 10, 50, 50]]),
        ((-90, 10, 10, 50), []),  # a tenth is left
        ((10, 10, 10.5, 50), []),  # thinner than a pixel
        ((400, 10, 450, 50), []),
    ],
)
def test_clip(box, expected):
    np.testing.assert_array_equal(
        clip_box(np.array(box, float), SIZE), np.array(expected).reshape(-1, 4)
    )


def test_mirror_twice_is_the_same():
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    view = View(image=image, boxes=np.array([[10.0, 20, 100, 70]]))
    once = flip(view, across=True, down=True)
    np.testing.assert_array_equal(once.boxes, [[220, 186, 310, 236]])
    twice = flip(once, across=True, down=True)
    np.testing.assert_array_equal(twice.image, image)
    np.testing.assert_array_equal(twice.boxes, view.boxes)
    np.testing.assert_array_equal(view.boxes, [[10, 20, 100, 70]])


def test_close_views_are_enlarged_no_more_than_second_looks():
    looks = solution_modules.module("looks")
    assert looks.Looks.enlarge == augment.MOST_ENLARGED
    for seed in range(20):
        box = np.array([600.0, 500.0, 612.0, 508.0])
        crop = augment.close_crop(np.random.default_rng(seed), box, (192, 256))
        assert 256 / crop.width == pytest.approx(augment.MOST_ENLARGED)


@pytest.mark.parametrize("size", [(192, 256), (256, 192)])
def test_close_views_of_large_boxes_show_the_whole_photo_no_smaller_than_it_fits(size):
    box = np.array([100.0, 50.0, 1200.0, 1000.0])
    crops = [augment.close_crop(np.random.default_rng(seed), box, size) for seed in range(20)]
    assert max(crop.height for crop in crops) <= max(1024, 1280 * size[0] / size[1]) + 1e-6
    for crop in crops:
        for start, length, photo in ((crop.x, crop.width, 1280), (crop.y, crop.height, 1024)):
            if length > photo:
                assert start == pytest.approx((photo - length) / 2)
            else:
                assert 0 <= start <= photo - length + 1e-6
