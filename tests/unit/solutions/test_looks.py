from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.training import solution_modules

looks = solution_modules.module("looks")
main = solution_modules.module("main")


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
    assert error_twice <= max(error_once, 1.5)
    if box[2] - box[0] < 100:  # shown larger than it is: right to the pixel
        assert twice.pixels(photo) == box


def test_many_photos_at_once_are_found_as_one_by_one():
    photos = [photo_with((x, 300, x + 40, 350)) for x in (10, 500, 1200)]
    photos.append(np.zeros((1024, 1280, 3), np.uint8))
    photos.append(photo_with((100, 50, 1250, 1000)))
    together = looks.find(photos, brightest, HOW)
    alone = [looks.find([photo], brightest, HOW)[0] for photo in photos]
    assert [found.pixels(photo) for found, photo in zip(together, photos, strict=True)] == [
        found.pixels(photo) for found, photo in zip(alone, photos, strict=True)
    ]
    assert together[3].pixels(photos[3]) is None


def test_a_glance_is_enough_where_the_network_is_sure():
    seen = []

    def network(inputs):
        seen.append(inputs.shape[1:3])
        return brightest(inputs)

    how = looks.Looks(first=(384, 480), second=(256, 320), glance=(192, 256))
    photo = photo_with((601, 403, 622, 418))
    [found] = looks.find([photo], network, how)
    assert found.pixels(photo) == (601, 403, 622, 418)
    assert seen == [(192, 256), (256, 320)]


def test_the_refiner_takes_the_second_look_alone():
    searched, refined = [], []

    def searcher(inputs):
        searched.append(inputs.shape[1:3])
        return brightest(inputs)

    def refiner(inputs):
        refined.append(inputs.shape[1:3])
        return brightest(inputs) + np.array([0, 0, 3, 0, 0], np.float32)  # three pixels wider

    how = looks.Looks(first=(384, 480), second=(256, 320), glance=(192, 256))
    photo = photo_with((601, 403, 622, 418))
    [found] = looks.find([photo], searcher, how, refiner)
    assert (searched, refined) == ([(192, 256)], [(256, 320)])
    assert found.pixels(photo) == (601, 403, 623, 418)  # a third of them in the photo


@pytest.mark.parametrize(
    ("box", "second", "sure", "counts"),
    [
        ((100, 100, 1200, 1000), (192, 256), -0.05, False),  # the whole photo, even smaller
        ((100, 100, 1200, 1000), (192, 256), +0.05, True),
        ((100, 100, 1200, 1000), (256, 320), -0.05, True),
        ((400, 300, 1000, 800), (192, 256), -0.05, True),
    ],
)
def test_the_second_look_counts_if_it_shows_more_or_is_surer(box, second, sure, counts):
    def refiner(inputs):
        return brightest(inputs) + np.array([0, 0, 9, 0, sure], np.float32)  # nine pixels wider

    how = looks.Looks(first=(320, 384), second=second, glance=(224, 256))
    [found] = looks.find([photo_with(box)], brightest, how, refiner)
    assert (abs(found.score - 0.9) > 0.04) == counts
    assert (found.box[2] > box[2] + 10) == counts


def test_a_second_look_tells_a_large_decoy_from_a_spacecraft():
    """However sure the search was of the decoy, of which the second look shows no more."""
    decoy, spacecraft = [30, 30, 350, 280, 0.9], [96, 120, 120, 138, 0.4]

    def search(_):
        return np.array([[decoy, spacecraft]], np.float32)

    def refiner(inputs):
        found = brightest(inputs)
        found[:, 4] = np.where((inputs > 127).mean((1, 2, 3)) > 0.1, 0.8, 0.1)
        return found

    photo = photo_with((320, 380, 400, 440))
    how = looks.Looks(first=(320, 384), second=(192, 256))
    [found] = looks.find([photo], search, how, refiner)
    assert found.pixels(photo) == (320, 380, 400, 440)
    alone = looks.find([photo], lambda _: np.array([[decoy]], np.float32), how, refiner)
    assert alone[0].score == pytest.approx(0.9)


def test_an_unsure_glance_is_followed_by_the_first_look():
    """The more certain of the two counts; photos that need no first look get none."""
    seen = []

    def network(inputs):
        seen.append((len(inputs), *inputs.shape[1:3]))
        found = brightest(inputs)
        if inputs.shape[1:3] == (192, 256):  # too small to be sure of the dim one
            found[inputs.max(axis=(1, 2, 3)) < 255, :] = [0, 0, 5, 5, 0.1]
        return found

    how = looks.Looks(first=(384, 480), second=None, glance=(192, 256))
    dim = photo_with((300, 200, 400, 300)) // 255 * 200
    photos = [photo_with((601, 403, 700, 500)), dim, np.zeros((1024, 1280, 3), np.uint8)]
    bright, second, none = looks.find(photos, network, how)
    assert seen == [(3, 192, 256), (2, 384, 480)]
    assert np.abs(bright.box - (601, 403, 700, 500)).max() <= 6
    assert np.abs(second.box - (300, 200, 400, 300)).max() <= 3
    assert none.score == pytest.approx(0.1)  # the first look was less certain still


GLANCE, FIRST, SECOND = (192, 256), (384, 480), (256, 320)


@pytest.mark.parametrize(
    ("glance", "first", "second", "sizes"),
    [
        (0.3, 0.9, 0.85, [GLANCE, SECOND]),  # the second look confirms an unsure glance
        (0.3, 0.9, 0.5, [GLANCE, SECOND, FIRST, SECOND]),
        (0.3, 0.2, 0.5, [GLANCE, SECOND, FIRST]),  # the glance counts, with what was seen there
        (0.02, 0.9, 0.85, [GLANCE, SECOND, FIRST, SECOND]),
        (0.9, 0.5, 0.65, [GLANCE, SECOND]),
        (0.9, 0.5, 0.4, [GLANCE, SECOND, FIRST]),  # nothing to see where the glance was sure
        (float("nan"), 0.9, 0.85, [GLANCE, SECOND, FIRST, SECOND]),
    ],
)
def test_a_glance_is_enough_if_both_looks_are_confident(glance, first, second, sizes):
    scores, seen = {GLANCE: glance, FIRST: first, SECOND: second}, []

    def network(inputs):
        seen.append(inputs.shape[1:3])
        found = brightest(inputs)
        found[:, 4] = scores[inputs.shape[1:3]]
        return found

    how = looks.Looks(first=FIRST, second=SECOND, glance=GLANCE)
    photo = photo_with((601, 403, 622, 418))
    [found] = looks.find([photo], network, how)
    assert seen == sizes
    assert found.pixels(photo) == (601, 403, 622, 418)
    assert found.score == pytest.approx(second)


def test_a_second_look_that_sees_something_else_confirms_nothing():
    def network(inputs):
        size = inputs.shape[1:3]
        if size == SECOND:
            return np.array([[0, 0, 9, 9, 0.99]], np.float32)
        return np.array([[*(200, 100, 220, 110), 0.3 if size == GLANCE else 0.2]], np.float32)

    seen = []

    def remembering(inputs):
        seen.append(inputs.shape[1:3])
        return network(inputs)

    how = looks.Looks(first=FIRST, second=SECOND, glance=GLANCE)
    looks.find([np.zeros((1024, 1280, 3), np.uint8)], remembering, how)
    assert seen == [GLANCE, SECOND, FIRST, SECOND]  # at the other place that the first look saw


@pytest.mark.parametrize("glance", [GLANCE, None])
def test_the_second_look_chooses_among_places(glance):
    """The search prefers a white decoy to the red spacecraft; the refiner knows."""

    def search(inputs):
        found = []
        for shown in inputs.astype(int):
            white, red = shown[..., 1] > 127, shown[..., 0] - shown[..., 1] > 127
            edges = [
                [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                for rows, columns in (np.nonzero(white), np.nonzero(red))
            ]
            found.append([[*edges[0], 0.4], [*edges[1], 0.2], [0, 0, 9, 9, 0.01]])
        return np.array(found, np.float32)

    asked = []

    def refiner(inputs):
        asked.append(len(inputs))
        found = brightest(inputs)
        found[:, 4] = np.where(inputs[..., 1].max((1, 2)) > 127, 0.1, 0.9)
        return found

    photo = photo_with((800, 600, 900, 700))
    photo[200:260, 100:180] = (255, 0, 0)
    how = looks.Looks(first=FIRST, second=SECOND, glance=glance)
    [found] = looks.find([photo], search, how, refiner)
    assert np.abs(found.box - (100, 200, 180, 260)).max() <= 2
    assert sum(asked) == 2  # places of a twentieth of the best score are none


def test_of_one_place_the_more_confident_candidate_counts():
    def place(x, score):
        seen = looks.Detection(box=np.array([x, 0, x + 40, 40.0]), score=score)
        return looks.Candidate(photo=0, seen=seen, crop=None)

    places = [place(100, 0.5), place(300, 0.2), place(600, 0.01)]
    near, sure, lost = place(104, 0.3), place(304, 0.4), place(104, float("nan"))
    assert looks.rivals(places, HOW) == places[:2]
    assert looks.rivals(places, HOW, near) == places[:2]
    assert looks.rivals(places, HOW, sure) == [sure, places[0]]
    assert looks.rivals(places, HOW, lost) == places[:2]


def candidate(score, second, side):
    """See a square place, twice."""
    box = np.array([100, 100, 100 + side, 100 + side], np.float64)
    again = None if second is None else looks.Detection(box=box, score=second)
    seen = looks.Detection(box=box, score=score)
    return looks.Candidate(photo=0, seen=seen, crop=None, second=again)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ((0.86, 0.25, 800), (0.26, 0.60, 800)),  # what the first look is sure of counts as much
        ((0.26, 0.80, 60), (0.30, 0.68, 900)),  # the larger of two as likely is the less likely
        ((0.90, 0.80, 900), (0.30, 0.60, 60)),  # but surely seen it is chosen
        ((0.5, None, 60), (0.5, 0.4, 60)),  # without a second look the first stands for it
        ((0.01, 0.01, 60), (float("nan"), 0.9, 60)),
        ((0.01, 0.01, 60), (0.9, float("nan"), 60)),
        ((0.01, 0.01, 60), (0.9, 0.9, 0)),
        ((0.01, 0.01, 60), (0.9, 0.9, float("nan"))),
    ],
)
def test_places_compete_by_both_scores_and_by_size(better, worse):
    assert candidate(*better).rank(HOW) > candidate(*worse).rank(HOW)


@pytest.mark.parametrize(
    ("first", "glance"),
    [
        ((320, 384), (128, 160)),
        ((512, 640), (224, 256)),
        ((608, 768), (256, 320)),
        ((32, 32), (32, 32)),
    ],
)
def test_a_glance_is_smaller_by_whole_strides(first, glance):
    assert looks.glance_size(first) == glance


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (10, 10)])
def test_photos_of_any_shape(shape):
    photo = np.full((*shape, 3), 255, np.uint8)
    [found] = looks.find([photo], brightest, HOW)
    assert found.pixels(photo) == (0, 0, shape[1], shape[0])


@pytest.mark.parametrize(
    ("second_box", "second_score", "closer", "takes_second"),
    [
        ((10, 10, 30, 30), 0.1, True, True),  # they agree: the closer one counts, though less sure
        ((10, 10, 30, 30), 0.1, False, False),
        ((10, 10, 30, 30), 0.9, False, True),
        ((80, 80, 90, 90), 0.1, True, False),  # it saw something else, and is less sure
        ((80, 80, 90, 90), 0.9, True, True),
        ((80, 80, 90, 90), float("nan"), True, False),
    ],
)
def test_better(second_box, second_score, closer, takes_second):
    first = looks.Detection(box=np.array([12, 12, 32, 32.0]), score=0.5)
    second = looks.Detection(box=np.array(second_box, float), score=second_score)
    both = looks.Candidate(photo=0, seen=first, crop=None, second=second, closer=closer)
    assert both.result(HOW) is (second if takes_second else first)


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("", {}),
        ("--enough 0.3", {"enough": 0.3}),
        ("--enough 0", {"enough": 0.0}),
        ("--first 384 480", {"first": (384, 480), "glance": (160, 192)}),
        ("--second 192 256", {"second": (192, 256)}),
        ("--one-look", {"second": None}),
        ("--first 384 480 --no-glance", {"first": (384, 480), "glance": None}),
    ],
)
def test_options_override_the_looks_of_the_weights(words, changed):
    own = replace(HOW, glance=(128, 160))
    assert main.override_looks(own, main.parse(words.split())) == replace(own, **changed)
