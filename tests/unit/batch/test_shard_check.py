"""Shards that change what a submission predicts are found by a sample of images run at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from posebowl.batch import evaluation, shards
from posebowl.batch.evaluation import EvaluationRequest, evaluate
from posebowl.batch.leaderboard import Row
from posebowl.batch.plan import Job, Plan
from posebowl.batch.repeats import boxes
from posebowl.batch.result_store import ResultStore
from posebowl.batch.shard_check import settle
from posebowl.batch.worker import JobResult, failure
from posebowl.challenge import PREDICTIONS_FILE
from posebowl.data import manifest
from posebowl.errors import Verdict
from posebowl.results import LOG_FILE
from tests.conftest import BOXES, IDS, write_table
from tests.report_samples import passed
from tests.unit.batch.test_evaluation import planned
from tests.unit.batch.test_plan import OPTIONS, zipped
from tests.unit.batch.test_scheduler import Made

SHARDS = 3
IN_SHARD, IN_SAMPLE = 2, 4
"""Images, of six."""


class Solution:
    """A submission that predicts, or fails, by the number of images that it sees."""

    def __init__(self, made: Plan, scratch: Path, by_count: dict[int, int | Verdict]) -> None:
        self._datasets = settle(made, ResultStore(scratch)).datasets
        self._scratch = scratch
        self._by_count = by_count

    def __call__(self, job: Job, _: int) -> JobResult:
        seen = self._datasets[job.shard_digest].entries
        width = self._by_count.get(len(seen), 0)
        if width is Verdict.ENGINE_ERROR:
            return failure(job, "no disk", "buy one")
        found = dataclasses.replace(passed(len(seen)), score=None)
        if isinstance(width, Verdict):
            found = dataclasses.replace(found, verdict=width, message=f"{width} it was")
        files = {"result.json": found.to_json().encode(), LOG_FILE: b"done\n"}
        if isinstance(width, int):
            here = [IDS.index(Path(entry.name).stem) for entry in seen]
            write_table(self._scratch / "all.csv", [(a, b, c + width, d) for a, b, c, d in BOXES])
            header, *rows = (self._scratch / "all.csv").read_text().splitlines()
            table = "\n".join([header, *(rows[at] for at in here)]) + "\n"
            files[PREDICTIONS_FILE] = table.encode()
        return JobResult(node="m", result=found, files=files)


@pytest.fixture
def request_of_three(data: Path, tmp_path: Path) -> EvaluationRequest:
    zipped(tmp_path / "zips/a.zip")
    return EvaluationRequest(
        places=(tmp_path / "zips",), out=tmp_path / "out", cache=tmp_path / "cache",
        options=OPTIONS, data=str(data), shards=SHARDS,
    )  # fmt: skip


def evaluated(
    request: EvaluationRequest, by_count: dict[int, int | Verdict], patch: pytest.MonkeyPatch
) -> tuple[Row, Made]:
    made = planned(Path(str(request.data)), request.places[0], SHARDS)
    executor = Made(Solution(made, request.cache.parent, by_count))
    patch.setattr(evaluation, "_executor", lambda *_: executor)
    (row,) = evaluate(request).rows
    return row, executor


WHOLE = "so it was run on all images at once."


@pytest.mark.parametrize(
    ("by_count", "expected", "text"),
    [
        ({}, (Verdict.OK, 3), ""),
        ({IN_SAMPLE: 1}, (Verdict.OK, 1), f"Shards change 4 of 4 boxes of a sample, {WHOLE}"),
        ({IN_SHARD: 1, IN_SAMPLE: 1}, (Verdict.OK, 3), ""),  # as the docs say: not to be seen
        (
            {IN_SAMPLE: Verdict.RUNTIME_ERROR}, (Verdict.OK, 1),
            f"A sample run at once ended with RUNTIME_ERROR, its shards with OK, {WHOLE}",
        ),
        (
            {IN_SHARD: Verdict.BAD_OUTPUT}, (Verdict.OK, 1),
            f"A sample run at once ended with OK, its shards with BAD_OUTPUT, {WHOLE}",
        ),
        (
            {IN_SHARD: Verdict.SIGNALED, IN_SAMPLE: Verdict.SIGNALED}, (Verdict.SIGNALED, 3), "",
        ),
        ({IN_SHARD: Verdict.TIME_LIMIT}, (Verdict.TIME_LIMIT, 3), ""),
        ({IN_SHARD: Verdict.ENGINE_ERROR}, (Verdict.ENGINE_ERROR, 3), ""),
        (
            {IN_SAMPLE: Verdict.ENGINE_ERROR}, (Verdict.OK, 3),
            "It is unknown whether shards change its boxes: no disk",
        ),
    ],
)  # fmt: skip
def test_a_submission_that_shards_change_is_run_whole(
    request_of_three: EvaluationRequest,
    monkeypatch: pytest.MonkeyPatch,
    by_count: dict[int, int | Verdict],
    expected: tuple[Verdict, int],
    text: str,
) -> None:
    row, _ = evaluated(request_of_three, by_count, monkeypatch)

    assert (row.verdict, row.shards) == expected
    assert [words for words in row.warnings if "hards" in words] == ([text] if text else [])
    if row.verdict is Verdict.OK:
        table = boxes([(request_of_three.out / row.log).parent])
        wide = by_count.get(IN_SHARD, 0) if row.shards == SHARDS else 0
        assert table["image_id"].to_list() == [*IDS]
        assert table["xmax"].to_list() == [box[2] + int(wide) for box in BOXES]


def test_what_was_decided_is_neither_run_nor_decided_again(
    request_of_three: EvaluationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = dataclasses.replace(request_of_three, resume=True)
    first, ran = evaluated(request_of_three, {IN_SAMPLE: 1}, monkeypatch)
    second, nothing = evaluated(again, {}, monkeypatch)
    third, whole = evaluated(
        dataclasses.replace(request_of_three, only=("a",)), {len(IDS): 7}, monkeypatch
    )

    assert ran.tries.total() == SHARDS + 2
    assert not nothing.tries
    assert second == first
    assert whole.tries.total() == 1
    assert third.mean_iou != first.mean_iou


def test_a_check_that_failed_is_made_when_resumed(
    request_of_three: EvaluationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = dataclasses.replace(request_of_three, resume=True)
    unknown, _ = evaluated(request_of_three, {IN_SAMPLE: Verdict.ENGINE_ERROR}, monkeypatch)
    known, ran = evaluated(again, {}, monkeypatch)

    assert "unknown" in unknown.warnings[0]
    assert not known.warnings
    assert ran.tries.total() == 1


@pytest.mark.parametrize(
    ("photos", "parts", "expected"), [(6, 2, 6), (6, 3, 4), (500, 2, 50), (120, 2, 120)]
)
def test_a_sample_has_another_number_of_images_than_each_shard(
    data: Path, photos: int, parts: int, expected: int
) -> None:
    six = shards.load(str(data), manifest.look)
    header, *rows = six.submission_format.splitlines(keepends=True)
    whole = dataclasses.replace(
        six,
        entries=tuple(six.entries[at % 6] for at in range(photos)),
        submission_format=header + b"".join(rows[at % 6] for at in range(photos)),
    )

    found = shards.sample(whole, shards.split(whole, parts))

    assert len(found.entries) == expected
    assert found.labels is None
    assert found.submission_format.count(b"\n") == expected + 1
