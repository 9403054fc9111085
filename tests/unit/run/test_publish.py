"""What a run publishes: its own files in place of earlier ones, whole, whatever goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from filelock import FileLock

from posebowl.engines.base import RunSpec
from posebowl.errors import (
    BusyError,
    EngineError,
    UsageError,
    Verdict,
)
from posebowl.results import history, result
from posebowl.run import run
from posebowl.run.live_display import Display
from tests.conftest import IDS
from tests.run_bench import OUTCOME, RESULTS, Bench, FakeEngine, valid


def test_the_answer_comes_before_the_report(bench: Bench) -> None:
    seen: list[tuple[Verdict, set[str]]] = []
    ended = bench.run(
        FakeEngine(), answered=lambda result: seen.append((result.verdict, bench.files()))
    )
    assert seen == [(Verdict.OK, RESULTS - {"report.html"})]
    assert ended.verdict is Verdict.OK


@pytest.mark.parametrize("failure", [BrokenPipeError(), KeyboardInterrupt(), EngineError("full")])
def test_an_answer_that_cannot_be_shown_costs_no_file(bench: Bench, failure: BaseException) -> None:
    def answered(_: object) -> None:
        raise failure

    with pytest.raises(type(failure)):
        bench.run(FakeEngine(), answered=answered)
    assert bench.files() == RESULTS
    assert result.read(bench.out / "result.json").verdict is Verdict.OK
    assert len(history.runs(bench.out)[0]) == 1


def test_earlier_results_go_and_nothing_else(bench: Bench) -> None:
    bench.out.mkdir()
    for name in (*RESULTS, ".lock", "submission.zip", "mine.txt", ".run"):
        (bench.out / name).write_text("old")
    (bench.out / "notes").mkdir()
    (bench.out / ".run-20261125-120000-0a1b2c" / "deep").mkdir(parents=True)
    (bench.folder / "submission.zip").write_bytes(b"no zip")
    bench.run(FakeEngine())
    kept = {"submission.zip", "mine.txt", ".run", "notes"}
    assert bench.files() == kept | {"result.json", "report.html"}
    assert (bench.out / "submission.zip").read_text() == "old"
    assert (bench.out / "result.json").read_text() != "old"


def test_files_that_no_run_made_stay(bench: Bench) -> None:
    bench.out.mkdir()
    (bench.out / "submission.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"submission\.csv, which no run put there") as caught:
        bench.run(FakeEngine())
    assert "--out" in caught.value.fix
    assert (bench.out / "submission.csv").read_text() == "mine"
    assert [path.name for path in bench.out.iterdir()] == ["submission.csv"]


def test_two_runs_at_once(bench: Bench) -> None:
    bench.out.mkdir()
    (bench.out / "submission.csv").write_text("of the other run")
    holding: AbstractContextManager[object] = FileLock(bench.out / ".lock")
    with holding, pytest.raises(BusyError, match="Another run is using"):
        run(bench.request(), Display(quiet=True))
    assert bench.files() == {"submission.csv"}


def test_each_run_is_kept_with_its_predictions(bench: Bench) -> None:
    passed = bench.run(FakeEngine())
    failed = bench.run(FakeEngine(ends=EngineError("It failed.")))
    kept, broken = history.runs(bench.out)
    assert [item.result for item in kept] == [failed, passed]
    assert broken == []
    assert kept[0].images() is None
    images = kept[1].images()
    assert images is not None
    assert images.height == len(IDS)
    assert images["iou"].mean() == pytest.approx(passed.score.mean_iou if passed.score else None)
    assert (kept[1].folder / "report.html").is_file()


def test_a_history_that_cannot_be_written_is_a_warning(bench: Bench) -> None:
    ended = bench.run(FakeEngine(writes=taking("history")))
    assert ended.verdict is Verdict.OK
    assert ended.warnings[-1:] == ("The run is not in the history: File exists.",)
    assert result.read(bench.out / "result.json") == ended
    assert bench.files() == RESULTS


def taking(name: str, *, folder: bool = False) -> Callable[[RunSpec], None]:
    """Return what writes valid predictions, and then takes the place of a result."""

    def take(spec: RunSpec) -> None:
        valid(spec)
        place = spec.output.parent.parent / name
        if folder:
            (place / "inner").mkdir(parents=True)
        else:
            place.touch()

    return take


def test_not_even_the_verdict_can_be_written(bench: Bench) -> None:
    with pytest.raises(EngineError, match="Is a directory"):
        bench.run(FakeEngine(writes=taking("result.json", folder=True)))
    assert bench.files() == {"result.json", "submission.csv", "log.txt"}
    assert list((bench.out / "result.json").iterdir()) == [bench.out / "result.json" / "inner"]


def test_a_report_that_cannot_be_written_costs_no_result(bench: Bench) -> None:
    ended = bench.run(FakeEngine(writes=taking("report.html", folder=True)))
    assert ended.verdict is Verdict.ENGINE_ERROR
    assert "Is a directory" in ended.message
    assert "had ended with OK" in ended.message
    assert ended.score is not None
    assert bench.files() == RESULTS
    (kept,), _ = history.runs(bench.out)
    assert kept.result == ended
    assert kept.images() is not None


def test_what_cannot_be_put_in_words_costs_log_and_predictions_nothing(bench: Bench) -> None:
    odd = replace(OUTCOME, environment={"load": float("nan")})  # which JSON cannot hold
    ended = bench.run(FakeEngine(ends=odd))
    assert ended.verdict is Verdict.ENGINE_ERROR
    assert "ValueError" in ended.message
    assert {"submission.csv", "log.txt", "result.json"} <= bench.files()


@pytest.mark.parametrize("name", ["train_labels.csv", "submission_format.csv"])
def test_a_table_that_breaks_under_way_costs_log_and_predictions_nothing(
    name: str, bench: Bench
) -> None:
    data = shutil.copytree(bench.data, bench.folder / "mine")

    def breaking(spec: RunSpec) -> None:
        valid(spec)
        (data / name).unlink()
        (data / name).mkdir()

    ended = bench.run(FakeEngine(writes=breaking), data=data)
    assert ended.verdict is Verdict.BAD_DATA
    assert name in ended.message
    assert ended.timing is not None
    assert bench.files() == RESULTS
    assert (bench.out / "submission.csv").read_text().startswith("image_id,")
    assert (bench.out / "log.txt").read_text() == "hello\n"
