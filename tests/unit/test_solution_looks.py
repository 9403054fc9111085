import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.benchmark import solution

looks = solution.module("looks")


def brightest(inputs):
    """See what a network would see of a white rectangle before black: its box, to the pixel."""
    found = []
    for shown in inputs:
        rows, columns = np.nonzero(shown[..., 0] > 127)
        if len(rows) == 0:
            found.append([0, 0, 0, 0, 0.01])
        else:
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            found.append([*edges, 0.9])
    return np.array(found, np.float32)


def photo_with(box):
    photo = np.zeros((1024, 1280, 3), np.uint8)
    photo[box[1] : box[3], box[0] : box[2]] = 255
    return photo


HOW = looks.Looks(first=(256, 320), second=(256, 320))


@pytest.mark.parametrize(
    "box",
    [
        (601, 403, 622, 418),
        (0, 0, 45, 33),
        (1233, 998, 1280, 1024),
        (301, 203, 777, 661),
        (5, 100, 1270, 900),
    ],
)
def test_the_second_look_is_closer_to_the_truth(box):
    photo = photo_with(box)
    [once] = looks.find([photo], brightest, looks.Looks(first=(256, 320), second=None))
    [twice] = looks.find([photo], brightest, HOW)
    error_once = np.abs(once.box - box).max()
    error_twice = np.abs(twice.box - box).max()
    assert error_once <= 4
    assert error_twice <= error_once
    if box[2] - box[0] < 100:  # shown larger than it is: right to the pixel
        assert twice.pixels(photo) == box


def test_many_photos_at_once_give_the_same_as_one_by_one():
    photos = [photo_with((x, 300, x + 40, 350)) for x in (10, 500, 1200)]
    photos.append(np.zeros((1024, 1280, 3), np.uint8))
    photos.append(photo_with((100, 50, 1250, 1000)))
    together = looks.find(photos, brightest, HOW)
    alone = [looks.find([photo], brightest, HOW)[0] for photo in photos]
    assert [found.pixels(photo) for found, photo in zip(together, photos, strict=True)] == [
        found.pixels(photo) for found, photo in zip(alone, photos, strict=True)
    ]
    assert together[3].pixels(photos[3]) is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (10, 10)])
def test_photos_of_any_shape(shape):
    photo = np.full((*shape, 3), 255, np.uint8)
    [found] = looks.find([photo], brightest, HOW)
    assert found.pixels(photo) == (0, 0, shape[1], shape[0])


@pytest.mark.parametrize(
    ("second_box", "second_score", "takes_second"),
    [
        ((10, 10, 30, 30), 0.1, True),  # they agree: the closer look counts though less certain
        ((80, 80, 90, 90), 0.1, False),  # it saw something else, and is less certain
        ((80, 80, 90, 90), 0.9, True),
    ],
)
def test_better(second_box, second_score, takes_second):
    first = looks.Found(box=np.array([12, 12, 32, 32.0]), score=0.5)
    second = looks.Found(box=np.array(second_box, float), score=second_score)
    assert looks.better(first, second, HOW) is (second if takes_second else first)
