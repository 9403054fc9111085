"""The weakest group, and the change against earlier runs."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.report.image_table import image_table
from posebowl.report.insights import score_of, steps, weakest_group, with_kinds
from posebowl.results import Result, ScoreSummary, history
from posebowl.scoring.metric import Score, score
from tests.report_samples import Box, names, passed, table


def scored(truth: list[Box], predicted: list[Box]) -> Score:
    ids = names(len(truth))
    return score(table(ids, predicted), table(ids, truth))


def grown(box: Box, by: int) -> Box:
    return box[0], box[1], box[2] + by, box[3]


def test_the_weakest_group_is_named_with_its_images() -> None:
    wide: list[Box] = [(500, 400 + i, 700, 500 + i) for i in range(20)]
    small: list[Box] = [(600, 400 + i, 620, 430 + i) for i in range(6)]
    found = weakest_group(
        scored([*wide, *small], [grown(box, 2 + i % 3) for i, box in enumerate(wide)] + wide[:6])
    )
    assert found is not None
    assert found.name == "true box under 32 pixels wide"
    assert found.images == 6
    assert found.pick == "w 0 32"
    assert found.mean_iou < 0.1
    assert found.others > 0.9


def test_boxes_at_the_border_are_a_group() -> None:
    inner: list[Box] = [(500, 400 + i, 700, 500 + i) for i in range(12)]
    edge: list[Box] = [(0, 400, 200 + i, 500) for i in range(3)]
    edge += [(1080, 460, 1280, 560 + i) for i in range(3)]
    predicted = [*inner, *(grown(box, -40) for box in edge)]
    found = weakest_group(scored([*inner, *edge], predicted))
    assert found is not None
    assert (found.name, found.images) == ("true box touches the border", 6)


@pytest.mark.parametrize("few", [0, 3])
def test_no_group_is_weak_without_a_clear_gap(few: int) -> None:
    wide: list[Box] = [(500, 400 + i, 700, 500 + i) for i in range(20)]
    small: list[Box] = [(600, 400 + i, 620, 430 + i) for i in range(few)]
    assert weakest_group(scored([*wide, *small], [*wide, *wide[:few]])) is None


def test_a_family_and_a_background_of_rendered_photos_are_groups(tmp_path: Path) -> None:
    """The eight with one antenna are missed; other columns and rows of the file do not matter."""
    truth: list[Box] = [(400 + i, 300, 700 + i, 600) for i in range(24)]
    found = scored(truth, [box if i % 3 else (0, 0, 300, 300) for i, box in enumerate(truth)])
    rows = [f"{i},{name},{('dish', 'a', 'b')[i % 3]},{i % 2}" for i, name in enumerate(names(24))]
    noted = "\n".join(["index,image_id,family,background", *rows, "99,another,dish,1"])
    (tmp_path / "images").mkdir()

    assert with_kinds(found, tmp_path / "images") == found
    (tmp_path / "render.csv").write_text(noted)
    known = with_kinds(found, tmp_path / "images")
    weak = weakest_group(known)
    packed = image_table(None, known)

    assert weak is not None
    assert (weak.name, weak.images, weak.pick) == ("family dish", 8, "family 2 3")
    assert packed is not None
    kinds = json.loads(zlib.decompress(base64.b64decode(packed.data)))["kinds"]
    assert kinds["family"][:4] == [2, 0, 1, 2]
    assert known.mean_iou == found.mean_iou


@pytest.mark.parametrize(
    "noted", ["", "image_id,family\n", "\0", "index,image_id,family,background\n"]
)
def test_a_file_that_notes_nothing_of_use_changes_nothing(tmp_path: Path, noted: str) -> None:
    (tmp_path / "render.csv").write_text(noted)
    found = scored([(1, 2, 30, 40)] * 6, [(1, 2, 30, 41)] * 6)
    assert weakest_group(with_kinds(found, tmp_path / "images")) is None


def run_of(number: int, mean: float, **changes: object) -> Result:
    whole = replace(
        passed(24),
        run_id=f"20240501-12000{number}-00000{number}",
        score=ScoreSummary(mean_iou=mean, median_iou=mean, images=24),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_the_last_and_the_best_run_on_the_same_images_count(tmp_path: Path) -> None:
    other = {"root": "elsewhere", "images": 24}
    few = ScoreSummary(mean_iou=0.99, median_iou=0.99, images=3)
    for result in (
        run_of(1, 0.8),
        run_of(2, 0.95, data=other),
        run_of(3, 0.6, archive={"path": "a.zip", "note": "a wider margin"}),
        run_of(4, 0.9, score=None),
        run_of(5, 0.99, score=few),
    ):
        history.keep(tmp_path, result, None)
    last, best = steps(run_of(6, 0.7), tmp_path)
    assert (last.against, last.run) == ("the last run", "a wider margin")
    assert last.change == pytest.approx(0.1)
    assert (best.against, best.was) == ("the best run", 0.8)
    assert best.change == pytest.approx(-0.1)


def test_a_last_run_that_is_the_best_stands_once(tmp_path: Path) -> None:
    history.keep(tmp_path, run_of(1, 0.8), None)
    assert [step.against for step in steps(run_of(2, 0.7), tmp_path)] == ["the last run"]


@pytest.mark.parametrize("place", ["absent", None])
def test_without_a_history_nothing_is_compared(tmp_path: Path, place: str | None) -> None:
    assert steps(run_of(1, 0.8), tmp_path / place if place else None) == ()


def test_the_score_is_of_the_images_that_were_scored() -> None:
    boxes: list[Box] = [(0, 0, 9, 9)] * 24
    found = scored(boxes, boxes)
    assert score_of(passed(24), found) == "on 24 demo images"
    assert score_of(replace(passed(24), data={"images": 24}), found) == "on 24 images"
    part = replace(passed(24), data={"images": 24, "of": 1700})
    assert score_of(part, found) == f"on only {part.part}"
