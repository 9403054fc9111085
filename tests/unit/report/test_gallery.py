from __future__ import annotations

from posebowl.report.gallery import BEST, WORST, Gallery, choose, is_empty, spread
from posebowl.scoring.metric import score
from tests.report_samples import Box, names, shifted, table, truths


def of(pred: list[Box], truth: list[Box] | None = None) -> Gallery:
    predictions = table(names(len(pred)), pred)
    labels = table(names(len(pred)), truth) if truth is not None else None
    return choose(predictions, score(predictions, labels) if labels is not None else None)


def test_nothing_predicted_is_nothing_shown() -> None:
    assert choose(None, None).items == ()
    assert choose(table([], []), None).groups == ()


def test_few_images_are_all_shown_worst_first() -> None:
    truth = truths(10)
    gallery = of(shifted(truth), truth)
    assert [group.name for group in gallery.groups] == ["worst"]
    ious = [item.iou or 0.0 for item in gallery.items]
    assert len(ious) == 10
    assert ious == sorted(ious)
    assert ious[-1] == 1.0


def test_of_many_images_the_worst_and_some_of_the_best_are_shown() -> None:
    truth = [(0, 0, 600, 600)] * 200
    pred = [(0, 0, 600, 400 + i) for i in range(200)]
    gallery = of(pred, truth)
    assert {group.name: len(group.items) for group in gallery.groups} == {
        "worst": WORST,
        "best": BEST,
    }
    worst, best = gallery.groups
    assert [item.pred[3] for item in worst.items] == list(range(400, 400 + WORST))
    assert all(item.pred[3] >= 550 for item in best.items)
    assert best.items[0].pred[3] == 599


def test_the_number_shown_is_bounded_and_no_image_comes_twice() -> None:
    count = 20_000
    gallery = of([(0, 0, 0, 0) if i % 2 else (5, 5, 9, 9) for i in range(count)], truths(count))
    shown = [item.image_id for item in gallery.items]
    assert len(shown) == len(set(shown)) <= 40
    assert gallery.rows == count
    assert gallery.empty == count // 2


def test_many_that_miss_altogether_are_sampled_from_all_over() -> None:
    gallery = of([(1200, 1000, 1210 + i % 50, 1010) for i in range(1000)], truths(1000))
    worst = [int(item.image_id, 16) for item in gallery.groups[0].items]
    assert len(worst) == WORST
    assert (worst[0], worst[-1]) == (0, 999)


def test_without_labels_a_sample_is_shown() -> None:
    gallery = of(truths(100))
    assert [group.name for group in gallery.groups] == ["sample"]
    assert len(gallery.items) == WORST
    assert all(item.iou is None and item.truth is None for item in gallery.items)
    assert "24 of 100 images" in gallery.groups[0].note


def test_shared_and_empty_boxes_are_found() -> None:
    pred = shifted(truths(40))
    fall_back = (0, 0, 1280, 1024)
    for i in (30, 33, 35, 38):
        pred[i] = fall_back
    pred[2] = (7, 7, 7, 9)
    gallery = of(pred)
    assert [(shared.box, shared.images) for shared in gallery.shared] == [(fall_back, 4)]
    assert gallery.empty == 1
    assert gallery.shared[0].mean_iou is None
    assert {chip for item in gallery.items for chip in item.chips} == {
        "box shared by 4",
        "empty box",
    }


def test_two_equal_boxes_are_not_yet_a_fall_back() -> None:
    pred = shifted(truths(10))
    pred[1] = pred[2]
    assert of(pred).shared == ()


def test_labels_in_words() -> None:
    item = of([(0, 0, 10, 10)], [(5, 0, 15, 10)]).items[0]
    assert item.label == (
        "Image 00000000000000000000000000000000, IoU 0.33, predicted box 0,0 to 10,10, "
        "true box 5,0 to 15,10"
    )


def test_spread_takes_both_ends() -> None:
    assert spread(range(100), 4) == [0, 33, 66, 99]
    assert spread(range(3), 4) == [0, 1, 2]
    assert spread(range(0), 4) == []


def test_is_empty() -> None:
    assert is_empty((4, 4, 4, 9))
    assert is_empty((4, 4, 9, 4))
    assert not is_empty((4, 4, 5, 5))
