"""What changed between two runs: figures, images, limits, surroundings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posebowl.errors import Verdict
from posebowl.results import history
from posebowl.results.comparison import Comparison, compare, paired_interval, paired_ious
from posebowl.results.figures import Figure
from posebowl.results.history import Run
from posebowl.results.result import Meter, Result, ScoreSummary
from posebowl.scoring.metric import score
from tests.report_samples import Box, names, passed, table, truths

COUNT = 30


def run_of(
    folder: Path,
    number: int,
    boxes: list[Box] | None,
    *,
    labels: list[Box] | None = None,
    ids: list[str] | None = None,
    **known: object,
) -> Run:
    """Keep a run with these boxes, and scored where there are labels."""
    result = replace(passed(COUNT), run_id=f"20240501-1200{number:02}-{number:06x}", **known)
    frame = None if boxes is None else table(ids or names(len(boxes)), boxes)
    if frame is not None and labels is not None:
        found = score(frame, table(ids or names(len(labels)), labels))
        frame = found.frame
        summary = ScoreSummary(
            mean_iou=found.mean_iou, median_iou=found.median_iou, images=found.count
        )
        result = replace(result, score=summary)
    history.keep(folder, result, frame)
    return history.find(result.run_id, folder)


def moved(boxes: list[Box], by: int) -> list[Box]:
    return [(x1 + by, y1, x2 + by, y2) for x1, y1, x2, y2 in boxes]


def better_and_worse(folder: Path) -> Comparison:
    """Compare runs in which 20 images get better, 4 worse, and 6 stay."""
    truth = truths(COUNT)
    off = moved(truth, 5)
    before = [*off[:20], *truth[20:24], *off[24:]]
    after = [*truth[:20], *off[20:24], *off[24:]]
    return compare(
        run_of(folder, 1, before, labels=truth), run_of(folder, 2, after, labels=truth), top=3
    )


def test_images_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    found = better_and_worse(tmp_path)
    images = found.images
    assert images is not None
    assert (images.count, images.better, images.worse, images.equal) == (30, 20, 4, 6)
    assert images.moved == 24
    assert [len(images.gains), len(images.losses)] == [3, 3]
    changes = [
        change.iou_after - change.iou_before
        for change in images.gains
        if change.iou_after is not None and change.iou_before is not None
    ]
    assert changes == sorted(changes, reverse=True)
    assert min(changes) > 0
    mean = next(figure for figure in found.figures if figure.name == "Mean IoU")
    assert mean.change == pytest.approx(images.difference)
    assert mean.mood == "better"
    assert images.significant


def test_the_interval_is_that_of_paired_differences() -> None:
    differences = np.array([0.1, 0.2, 0.3, 0.0])
    low, high = paired_interval(differences) or (0, 0)
    half = 1.96 * np.std(differences, ddof=1) / 2
    assert (low, high) == (pytest.approx(0.15 - half), pytest.approx(0.15 + half))
    assert paired_interval(differences[:1]) is None


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        low, high = paired_interval(random.normal(0.01, 0.2, 200)) or (0, 0)
        hits += low <= 0.01 <= high
    assert 925 <= hits <= 970


def test_the_same_run_twice_has_no_change(tmp_path: Path) -> None:
    run = run_of(tmp_path, 1, truths(9), labels=truths(9))
    found = compare(run, run)
    assert all(figure.change in (0, None) for figure in found.figures)
    assert all(figure.mood == "" for figure in found.figures)
    assert (found.limits, found.environment) == ((), ())
    assert found.images is not None
    assert (found.images.equal, found.images.gains, found.images.losses) == (9, (), ())
    assert not found.images.significant


def test_without_labels_the_boxes_are_compared_with_each_other(tmp_path: Path) -> None:
    boxes = truths(8)
    before = run_of(tmp_path, 1, boxes)
    after = run_of(tmp_path, 2, [*boxes[:7], (0, 0, 5, 5)])
    images = compare(before, after).images
    assert images is not None
    assert (images.moved, images.difference, images.better) == (1, None, None)
    assert images.overlap == pytest.approx(7 / 8)
    assert [change.image_id for change in images.losses] == [names(8)[7]]
    assert paired_ious(before, after) is None


def test_only_images_of_both_runs_count(tmp_path: Path) -> None:
    truth = truths(8)
    before = run_of(tmp_path, 1, truth[:6], labels=truth[:6], ids=names(8)[:6])
    after = run_of(tmp_path, 2, truth[3:], labels=truth[3:], ids=names(8)[3:])
    images = compare(before, after).images
    assert images is not None
    assert (images.count, images.only_before, images.only_after) == (3, 3, 2)


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    before = run_of(tmp_path, 1, truths(2), ids=["a", "b"])
    found = compare(before, run_of(tmp_path, 2, truths(2), ids=["c", "d"]))
    assert found.images is None
    assert "no image in common" in found.notes[0]


def test_other_labels_are_owned_up_to(tmp_path: Path) -> None:
    truth = truths(5)
    before = run_of(tmp_path, 1, truth, labels=truth)
    after = run_of(tmp_path, 2, truth, labels=[*truth[:3], *moved(truth[3:], 4)])
    assert compare(before, after).notes[0] == "The labels of 2 images differ between the runs."


def test_a_failed_run_has_figures_but_no_images(tmp_path: Path) -> None:
    before = run_of(tmp_path, 1, truths(5), labels=truths(5))
    after = run_of(
        tmp_path, 2, None, verdict=Verdict.BAD_ARCHIVE, timing=None, meters={}, engine=""
    )
    found = compare(before, after)
    assert (found.after.verdict, found.images) == ("BAD_ARCHIVE", None)
    assert found.notes[0] == f"Single images are not compared: {after.name} left no predictions."
    assert all(figure.change is None for figure in found.figures)


def test_what_else_differs_is_listed(tmp_path: Path) -> None:
    meters = passed().meters | {"time": Meter(used=6.0, limit=60.0, unit="s")}
    before = run_of(tmp_path, 1, truths(2))
    after = run_of(
        tmp_path,
        2,
        truths(2),
        meters=meters,
        engine="docker",
        unenforced={"cpus": "two cores"},
        environment={"lock": "cd" * 32, "python": "3.11.9"},
        data={"images": 99},
    )
    found = compare(before, after)
    assert [(d.name, d.before, d.after) for d in found.limits] == [
        ("Time limit", "1 h 45 min", "1 min"),
        ("cpus", "holds", "differs from the platform"),
    ]
    assert {"engine", "lock", "environment"} <= {d.name for d in found.environment}
    assert "python" not in {d.name for d in found.environment}
    assert any("30 and 99 images" in note for note in found.notes)
    assert any("embedded, docker" in note for note in found.notes)


@pytest.mark.parametrize(
    ("unit", "good", "before", "after", "mood"),
    [
        ("IoU", "more", 0.5, 0.5001, "better"),
        ("IoU", "more", 0.5, 0.4, "worse"),
        ("s", "less", 100.0, 100.5, ""),
        ("s", "less", 100.0, 80.0, "better"),
        ("bytes", "less", 100.0, 200.0, "worse"),
        ("cores", "", 1.0, 3.0, ""),
        ("IoU", "more", None, 0.4, ""),
    ],
)
def test_moods(unit: str, good: str, before: float | None, after: float, mood: str) -> None:
    figure = Figure(name="x", unit=unit, good=good, before=before, after=after)
    assert figure.mood == mood


def test_results_of_the_same_id_need_no_predictions(tmp_path: Path) -> None:
    result: Result = passed()
    run = Run(name="x", folder=tmp_path, result=result)
    assert compare(run, run).images is None


def test_where_other_programs_disturbed_one_run_its_times_are_not_judged(tmp_path: Path) -> None:
    timing = passed(COUNT).timing
    assert timing is not None
    sides = [
        run_of(
            tmp_path,
            number,
            None,
            timing=replace(timing, images_per_second=5.0 * number, cpu_s_per_image=0.2 / number),
            other_cores=cores,
            meters={"time": Meter(used=9.0 / number, limit=60, unit="s")},
        )
        for number, cores in ((1, 1.4), (2, 0.1), (3, 0.2))
    ]
    moods = {figure.name: figure.mood for figure in compare(*sides[:2]).figures}
    assert moods == {"Speed": "", "CPU time of an image": "better", "Time": ""}
    assert any("Judge the speed by the CPU time" in note for note in compare(*sides[:2]).notes)
    moods = {figure.name: figure.mood for figure in compare(*sides[1:]).figures}
    assert moods == {"Speed": "better", "CPU time of an image": "better", "Time": "better"}
