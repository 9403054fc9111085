"""The data of the table of images."""

from __future__ import annotations

import base64
import json
import zlib

import polars as pl
import pytest

from posebowl.report import image_table as module
from posebowl.report.image_table import ImageTable, image_table
from posebowl.scoring.metric import score
from tests.report_samples import names, shifted, table, truths


def unpacked(found: ImageTable | None) -> dict[str, list[list[int]]]:
    assert found is not None
    read: dict[str, list[list[int]]] = json.loads(zlib.decompress(base64.b64decode(found.data)))
    return read


def test_every_image_is_in_it_with_both_boxes() -> None:
    truth = truths(30)
    near = shifted(truth)
    found = image_table(None, score(table(names(30), near), table(names(30), truth)))
    read = unpacked(found)
    assert found is not None
    assert (found.rows, found.of, found.scored) == (30, 30, True)
    assert read["ids"] == names(30)
    assert [*zip(*read["truth"], strict=True)] == truth
    pairs = zip(read["truth"], read["pred"], strict=True)
    boxes = [[a + b for a, b in zip(*pair, strict=True)] for pair in pairs]
    assert [*zip(*boxes, strict=True)] == near


def test_without_labels_it_holds_the_predictions() -> None:
    read = unpacked(image_table(table(names(5), truths(5)), None))
    assert "truth" not in read
    assert [*zip(*read["pred"], strict=True)] == truths(5)


def test_names_that_do_not_print_are_escaped_and_cut() -> None:
    read = unpacked(image_table(table(["\u202egnp", "a" * 500], truths(2)), None))
    assert read["ids"] == ["\\u202egnp", "a" * 99 + "…"]


@pytest.mark.parametrize("frame", [None, table([], [])])
def test_without_images_there_is_no_table(frame: pl.DataFrame | None) -> None:
    assert image_table(frame, None) is None


def test_the_worst_remain_where_all_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    truth = truths(400)
    near = [*truth[:200], *shifted(truth[200:])]
    found = image_table(None, score(table(names(400), near), table(names(400), truth)))
    read = unpacked(found)
    assert found is not None
    assert len(found.data) <= 1000
    assert 20 < found.rows == len(read["ids"]) < 200
    assert found.of == 400
    assert set(map(str, read["ids"])) <= set(names(400)[200:])
