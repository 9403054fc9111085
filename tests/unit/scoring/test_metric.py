from __future__ import annotations

import math
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

from posebowl.challenge import BOX_COLUMNS, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import BadDataError, BadOutputError, InvalidPredictionsError, UsageError
from posebowl.scoring.box_csv import SCHEMA
from posebowl.scoring.labels import read_labels
from posebowl.scoring.metric import TRUE_COLUMNS, iou, score, score_files
from tests.hostile.predictions import good, rows, table

Box = tuple[int, int, int, int]
IDS = [f"image-{i}" for i in range(5)]
SIDES = dict.fromkeys([*BOX_COLUMNS, *TRUE_COLUMNS], pl.Int32)


def span(top: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, top), st.integers(0, top)).map(lambda p: (min(p), max(p)))


def box_of(x: tuple[int, int], y: tuple[int, int]) -> Box:
    return x[0], y[0], x[1], y[1]


# Small ones beside large ones, so that many pairs of boxes touch, nest or coincide.
boxes = st.builds(box_of, span(IMAGE_WIDTH), span(IMAGE_HEIGHT)) | st.builds(
    box_of, span(4), span(4)
)
pairs = st.lists(st.tuples(boxes, boxes), min_size=1, max_size=40)


def pixels(box: Box, other: Box) -> float:
    """IoU by counting columns and rows of pixels, in whole numbers: the other way round."""
    ax, ay = set(range(box[0], box[2])), set(range(box[1], box[3]))
    bx, by = set(range(other[0], other[2])), set(range(other[1], other[3]))
    inter = len(ax & bx) * len(ay & by)
    union = len(ax) * len(ay) + len(bx) * len(by) - inter
    return inter / union if union else 0.0


def frame_of(ids: list[str], found: list[Box]) -> pl.DataFrame:
    return pl.DataFrame(
        [(i, *box) for i, box in zip(ids, found, strict=True)], schema=SCHEMA, orient="row"
    )


def ious(found: list[tuple[Box, Box]]) -> pl.Series:
    frame = pl.DataFrame([(*a, *b) for a, b in found], schema=SIDES, orient="row")
    return frame.select(iou(list(SIDES)[:4], list(SIDES)[4:])).to_series()


@given(pairs)
def test_iou_is_that_of_a_count_of_pixels(found: list[tuple[Box, Box]]) -> None:
    got = ious(found)
    assert got.dtype == pl.Float64
    assert got.to_list() == [pixels(a, b) for a, b in found]
    assert ious([(b, a) for a, b in found]).to_list() == got.to_list()


@given(pairs, st.randoms(use_true_random=False))
def test_the_score_is_that_of_a_plain_loop_in_any_order_of_labels(
    found: list[tuple[Box, Box]], random: Random
) -> None:
    ids = [f"i{n}" for n in range(len(found))]
    predictions = frame_of(ids, [a for a, _ in found])
    labels = frame_of([*ids, "unseen"], [b for _, b in found] + [(0, 0, 9, 9)])
    order = list(range(labels.height))
    random.shuffle(order)
    got = score(predictions, labels[order])
    plain = [pixels(a, b) for a, b in found]
    assert math.isclose(got.mean_iou, math.fsum(plain) / len(plain), abs_tol=1e-15)
    # Half the sum of two, or the lower one and half of what lies between: the last bit may differ.
    assert math.isclose(got.median_iou, np.median(plain), abs_tol=1e-15)
    assert (got.count, got.unscored) == (len(found), 1)
    assert got.frame["iou"].to_list() == plain
    assert got.frame["image_id"].to_list() == ids
    assert got.frame.select(TRUE_COLUMNS).rows() == [b for _, b in found]
    assert got.frame.select(BOX_COLUMNS).rows() == [a for a, _ in found]


@pytest.mark.parametrize(
    ("pred", "truth", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),
        ((5, 5, 5, 5), (0, 0, 10, 10), 0.0),
        ((0, 0, 1280, 1024), (1061, 946, 1109, 1024), 48 * 78 / (1280 * 1024)),
    ],
)
def test_iou_of_known_pairs(pred: Box, truth: Box, expected: float) -> None:
    assert ious([(pred, truth)]).to_list() == [expected]


def test_ids_that_are_file_names_are_recognised() -> None:
    labels = frame_of(["a", "b"], [(0, 0, 1, 1)] * 2)
    for names, fix in ((["images/A.png", "x"], "without folder"), (["x", "y"], "Score against")):
        with pytest.raises(BadDataError, match="2 of 2 predictions have no label") as caught:
            score(frame_of(names, [(0, 0, 1, 1)] * 2), labels)
        assert fix in caught.value.fix


def test_predictions_without_a_label_are_named() -> None:
    predictions = frame_of([f"p{i}" for i in range(8)], [(0, 0, 1, 1)] * 8)
    labels = predictions.head(1)
    with pytest.raises(BadDataError, match=r"7 of 8 predictions have no label: p1.* and 2 more"):
        score(predictions, labels)


def test_partial_labels_score_what_they_label(tmp_path: Path) -> None:
    header = b"image_id,xmin,ymin,xmax,ymax\n"
    predictions = write(tmp_path / "p.csv", header + b"a,0,0,2,2\nb,0,0,2,2\nc,0,0,2,2\n")
    labels = write(tmp_path / "l.csv", header + b"c,0,0,2,2\nb,0,0,1,2\nx,0,0,1,1\n")
    strangers = write(tmp_path / "x.csv", header + b"x,0,0,1,1\n")

    found = score_files(predictions, labels, partial=True)

    assert found.mean_iou == 0.75
    assert (found.count, found.unscored, found.unlabelled) == (2, 1, 1)
    assert found.frame["image_id"].to_list() == ["b", "c"]
    with pytest.raises(BadDataError, match="1 of 3 predictions have no label") as caught:
        score_files(predictions, labels)
    assert "--partial" in caught.value.fix
    with pytest.raises(BadDataError, match="3 of 3 predictions have no label"):
        score_files(predictions, strangers, partial=True)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_files_score_in_any_order(tmp_path: Path) -> None:
    pred = write(tmp_path / "p.csv", good(IDS))
    labels = write(tmp_path / "l.csv", table(rows(IDS)[::-1]))
    assert score_files(pred, labels).mean_iou == 1.0


def test_labels_may_have_more_columns_in_any_order(tmp_path: Path) -> None:
    lines = [f'cubesat,{i},400,"300",20,10' for i in IDS]
    labels = write(tmp_path / "l.csv", table(lines, "family,image_id,ymax,xmax,ymin,xmin"))
    frame = read_labels(labels)
    assert frame.schema == SCHEMA
    assert frame.rows() == [(i, 10, 20, 300, 400) for i in IDS]


def test_labels_off_the_image_are_read(tmp_path: Path) -> None:
    labels = write(tmp_path / "l.csv", table(["a,-5,0,1300,9"]))
    assert read_labels(labels).row(0) == ("a", -5, 0, 1300, 9)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["a,1,2,3,4", "b,1.5,2,3,4"], "1 row without a box of integers, the first is row 2"),
        (["b,1.5,2,3,4"], 'row 1 (image_id "b"), column xmin: "1.5" is not an integer'),
        (["a,1,2,3,4", ",1,2,3,4"], 'row 2 (image_id ""), it has no image_id'),
        (["a,1,2,3,", "b,x,2,3,4"], "2 rows without a box of integers, the first is row 1"),
        (["a,1,2,nan,4"], "1 row without"),
        (["a,9,2,3,4"], "1 row without"),
        (["a,1,9,3,4"], "1 row without"),
        ([",1,2,3,4"], "1 row without"),
        (["a,1,2,99999999999,4"], "1 row without"),
        (["a,1,2,3,4", "b,1,2,3,4", "a,1,2,3,4"], "labels 1 image more than once: a"),
        (["a,1,2"], "l.csv"),
        ([], "labels no image"),
    ],
)  # fmt: skip
def test_broken_labels_are_refused(lines: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadDataError) as caught:
        read_labels(write(tmp_path / "l.csv", table(lines)))
    assert words in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"image_id,xmin\na,1\n", b"\xff\xfe\x00\x00", b"\x1f\x8b1"])
def test_labels_that_are_no_table_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=r"not a CSV with the columns"):
        read_labels(write(tmp_path / "l.csv", data))


def test_missing_files_are_named(tmp_path: Path) -> None:
    pred = write(tmp_path / "p.csv", good(IDS))
    with pytest.raises(UsageError, match=r"none\.csv does not exist"):
        score_files(pred, tmp_path / "none.csv")
    with pytest.raises(UsageError, match=r"none\.csv does not exist"):
        score_files(tmp_path / "none.csv", pred)
    with pytest.raises(BadOutputError, match="a folder") as caught:
        score_files(tmp_path, pred)
    assert "invoke score" in caught.value.fix
    with pytest.raises(UsageError, match="a folder"):
        score_files(pred, tmp_path)


def test_an_image_predicted_twice_is_refused(tmp_path: Path) -> None:
    labels = write(tmp_path / "l.csv", good(IDS))
    pred = write(tmp_path / "p.csv", good([*IDS, IDS[1], IDS[3]]))
    with pytest.raises(InvalidPredictionsError, match="2 images more than once: image-1, image-3"):
        score_files(pred, labels)
