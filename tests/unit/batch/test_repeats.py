"""Submissions that are run several times."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl
import pytest

from posebowl.batch import leaderboard, repeats, result_store, scheduler
from posebowl.batch.evaluation import EvaluationRequest, _Board, evaluate
from posebowl.batch.plan import Job, Plan
from posebowl.batch.worker import JobResult
from posebowl.challenge import COLUMNS
from posebowl.errors import UsageError, Verdict
from tests.conftest import BOXES, IDS, write_table
from tests.unit.batch.test_evaluation import planned, ran
from tests.unit.batch.test_plan import OPTIONS, zipped
from tests.unit.batch.test_scheduler import Made


@pytest.fixture
def made(data: Path, tmp_path: Path) -> Plan:
    for name in "ab":
        zipped(tmp_path / f"zips/{name}.zip", name)
    return planned(data, tmp_path / "zips", 2)


def test_only_those_named_are_run_again(made: Plan) -> None:
    extended, runs = repeats.extend(made, ["b"], 3)

    keys = [key for run in runs["b"] for key in run]
    assert [*runs] == ["b"]
    assert len(set(keys)) == 6  # three runs in two shards
    assert len(extended.distinct) == 8
    assert made.distinct.keys() < extended.distinct.keys()
    names = [item.name for item in extended.jobs]
    assert names == ["a", "b", "b (run 2)", "b (run 3)"]
    assert repeats.extend(made, ["b"], 3)[1] == runs  # so that --resume finds them


def finished(
    made: Plan, tmp_path: Path, of_run: dict[str, list[tuple[int, int, int, int]] | Verdict]
) -> leaderboard.Row:
    """Run `a` three times, each with its own boxes or verdict, and return its row."""
    extended, runs = repeats.extend(made, ["a"], 3)

    def carry_out(job: Job, _: int) -> JobResult:
        found = of_run.get(job.submission.name, BOXES)
        output = ran(made.shards[job.shard_index], tmp_path)
        if isinstance(found, Verdict):
            result = dataclasses.replace(output.result, verdict=found)
            return dataclasses.replace(
                output, result=result, files={"result.json": result.to_json().encode()}
            )
        write_table(tmp_path / "boxes.csv", found)
        header, *lines = (tmp_path / "boxes.csv").read_text().splitlines()
        stems = [Path(entry.name).stem for entry in made.shards[job.shard_index].entries]
        table = "\n".join([header, *(lines[IDS.index(stem)] for stem in stems)]) + "\n"
        return dataclasses.replace(output, files=output.files | {"submission.csv": table.encode()})

    with result_store.opened(tmp_path / "out", resume=False) as store:
        board = _Board(made, store, leaderboard.Rules(repeats=runs))
        scheduler.execute(extended, store, Made(carry_out), board)
        return next(row for row in board.write() if row.submission == "a")


def test_the_same_predictions_are_told(made: Plan, tmp_path: Path) -> None:
    row = finished(made, tmp_path, {})

    assert (row.reproducible, row.repeats) == (True, "3 runs with the same predictions.")


def test_other_predictions_are_counted_and_measured(made: Plan, tmp_path: Path) -> None:
    xmin, ymin, xmax, ymax = BOXES[0]
    other = [(xmin, ymin, xmin + (xmax - xmin) // 2, ymax), *BOXES[1:]]
    share = ((xmax - xmin) // 2) / (xmax - xmin)

    row = finished(made, tmp_path, {"a (run 3)": other})

    assert row.reproducible is False
    assert row.repeats.startswith("3 runs with different predictions: 1 of 6 boxes changed;")
    assert row.repeats.endswith(f"{(share + len(IDS) - 1) / len(IDS):.4f}.")
    assert row.mean_iou == 1.0  # that of the first run


def test_another_end_is_another_result(made: Plan, tmp_path: Path) -> None:
    row = finished(made, tmp_path, {"a (run 2)": Verdict.TIME_LIMIT})

    assert row.reproducible is False
    assert row.repeats == "3 runs ended differently: OK, TIME_LIMIT, OK."


def test_those_that_never_pass_are_the_same(made: Plan, tmp_path: Path) -> None:
    names = ("a", "a (run 2)", "a (run 3)")
    row = finished(made, tmp_path, dict.fromkeys(names, Verdict.BAD_OUTPUT))

    assert (row.reproducible, row.repeats) == (True, "3 runs, all BAD_OUTPUT.")


def test_what_was_not_run_again_is_not_compared(data: Path, tmp_path: Path) -> None:
    for name in "ab":
        zipped(tmp_path / f"zips/{name}.zip", name)
    request = EvaluationRequest(
        places=(tmp_path / "zips",), out=tmp_path / "out", cache=tmp_path / "cache",
        options=OPTIONS, data=str(data), rescore=True, verify=("a",),
    )  # fmt: skip

    (row, _) = evaluate(request).rows

    assert (row.reproducible, row.repeats) == (None, "Not all of its runs were made.")
    with pytest.raises(UsageError, match="No submission is called OK"):
        evaluate(dataclasses.replace(request, verify=("OK",)))


def test_equal_boxes_without_area_overlap() -> None:
    one = pl.DataFrame([["a", 1, 1, 1, 1], ["b", 0, 0, 2, 2]], schema=[*COLUMNS], orient="row")
    two = pl.DataFrame([["b", 0, 0, 2, 1], ["a", 1, 1, 1, 1]], schema=[*COLUMNS], orient="row")

    assert repeats.overlaps(one, two).to_list() == [1.0, 0.5]
