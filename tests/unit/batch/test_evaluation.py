"""Scores apart from runs: published from what was stored, and again when labels change."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from posebowl.batch import leaderboard, plan, result_store, scheduler, shards
from posebowl.batch.evaluation import EvaluationRequest, _Board, _chosen, evaluate
from posebowl.batch.executor import Completion
from posebowl.batch.plan import Plan
from posebowl.batch.result_store import ResultStore
from posebowl.batch.submissions import collect
from posebowl.batch.worker import JobResult
from posebowl.data import manifest
from posebowl.errors import UsageError, Verdict
from tests.conftest import BOXES, IDS, write_table
from tests.report_samples import passed
from tests.unit.batch.test_plan import OPTIONS, zipped
from tests.unit.batch.test_scheduler import Made, Quiet


@pytest.fixture
def data(data_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder, tmp_path / "data"))


def planned(data: Path, zips: Path, count: int = 1) -> Plan:
    whole = shards.load(str(data), manifest.look)
    found = collect([zips]).submissions
    return plan.make(found, whole, shards.split(whole, count), OPTIONS)


def ran(shard: shards.Dataset, tmp_path: Path) -> JobResult:
    """Return what a machine sends back for a solution that is always right."""
    count = len(shard.entries)
    result = dataclasses.replace(passed(count), score=None)
    here = [IDS.index(Path(entry.name).stem) for entry in shard.entries]
    write_table(tmp_path / "all.csv", BOXES)
    header, *rows = (tmp_path / "all.csv").read_text().splitlines()
    table = "\n".join([header, *(rows[index] for index in here)]) + "\n"
    files = {
        "result.json": result.to_json().encode(),
        "submission.csv": table.encode(),
        "log.txt": b"done\n",
    }
    return JobResult(node="m", result=result, files=files)


@pytest.mark.parametrize("count", [1, 3])
def test_stored_predictions_are_scored_again_with_new_labels(
    data: Path, tmp_path: Path, count: int
) -> None:
    zips, out = zipped(tmp_path / "zips/a.zip").parent, tmp_path / "out"
    made = planned(data, zips, count)
    store = ResultStore(out)
    store.folder("").mkdir(parents=True)
    store.results.folder("").mkdir(parents=True)
    for job in made.distinct.values():
        store.save(job.key, ran(made.shards[job.shard_index], tmp_path), [])
    request = EvaluationRequest(
        places=(zips,),
        out=out,
        cache=tmp_path / "cache",
        options=OPTIONS,
        data=str(data),
        shards=count,
        rescore=True,
    )

    (right,) = evaluate(request).rows
    write_table(data / "train_labels.csv", [(0, 0, 1, 1)] * len(IDS))
    (wrong,) = evaluate(request).rows

    assert right.mean_iou == 1.0
    assert wrong.mean_iou is not None
    assert wrong.mean_iou < 0.1
    assert (out / wrong.report).is_file()
    assert right.report != wrong.report
    assert len(list((out / "runs").iterdir())) == count


@pytest.mark.parametrize(
    ("only", "again"), [(("a",), {"a"}), (("OK",), {"a", "b"}), (("TIME_LIMIT", "b"), {"b", "c"})]
)
def test_chosen_ones_are_run_again_and_published_again(
    data: Path, tmp_path: Path, only: tuple[str, ...], again: set[str]
) -> None:
    for name in "abc":
        zipped(tmp_path / f"zips/{name}.zip", name)
    made = planned(data, tmp_path / "zips")
    with result_store.opened(tmp_path / "out", resume=False) as store:

        def first(job: plan.Job, _: int) -> JobResult:
            output = ran(made.whole, tmp_path)
            if job.submission.name != "c":
                return output
            late = dataclasses.replace(output.result, verdict=Verdict.TIME_LIMIT)
            files = {"result.json": late.to_json().encode()}
            return dataclasses.replace(output, result=late, files=files)

        def second(_: plan.Job, __: int) -> JobResult:
            broken = dataclasses.replace(passed(6), verdict=Verdict.BAD_OUTPUT, score=None)
            files = {"result.json": broken.to_json().encode()}
            return JobResult(node="m", result=broken, files=files)

        board = _Board(made, store)
        scheduler.execute(made, store, Made(first), board)
        board.write()
        executor = Made(second)
        scheduler.execute(made, store, executor, board, _chosen(made, store, only))
        rows = board.write()

    assert set(executor.tries) == again
    assert {row.submission for row in rows if row.verdict is Verdict.BAD_OUTPUT} == again
    with pytest.raises(UsageError, match="No submission is called d"):
        _chosen(made, store, ("d",))


def test_what_was_not_run_is_not_scored(data: Path, tmp_path: Path) -> None:
    zips = zipped(tmp_path / "zips/a.zip").parent
    request = EvaluationRequest(
        places=(zips,), out=tmp_path / "out", cache=tmp_path / "cache", options=OPTIONS,
        data=str(data), rescore=True,
    )  # fmt: skip

    (row,) = evaluate(request).rows

    assert (row.verdict, row.message) == (Verdict.ENGINE_ERROR, "It was not run.")


def test_the_leaderboard_is_there_while_runs_go_on_and_after_ctrl_c(
    data: Path, tmp_path: Path
) -> None:
    for name in "abc":
        zipped(tmp_path / f"zips/{name}.zip", name)
    made, store = planned(data, tmp_path / "zips"), ResultStore(tmp_path)
    store.results.folder("").mkdir()
    store.folder("").mkdir()
    board = _Board(made, store)
    heard: list[float | None] = []

    class Heard(Quiet):
        def completed(self, completion: Completion, *, again: bool) -> None:
            assert not again
            assert completion.output is not None
            assert completion.output.result.score is not None
            heard.append(completion.output.result.score.mean_iou)

    def ends(job: plan.Job, _: int) -> JobResult:
        if job.submission.name == "b":
            rows = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
            assert {row["message"] for row in rows} == {"It was not run."}
            raise KeyboardInterrupt
        return ran(made.whole, tmp_path)

    board.listener = Heard()
    with pytest.raises(KeyboardInterrupt):
        scheduler.execute(made, store, Made(ends), board)
    rows = board.write()

    assert heard == [1.0]
    assert [row.mean_iou for row in rows] == [1.0, None, None]
    assert leaderboard.to_csv(rows) == (tmp_path / "leaderboard.csv").read_text()
