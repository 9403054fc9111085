"""Runs are kept whole or not at all, and found again by what a user calls them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from posebowl.errors import BadDataError, PoseBowlError, UsageError, Verdict
from posebowl.results import comparison, history, result as results
from posebowl.results.result import Result, ScoreSummary
from posebowl.scoring.metric import score
from tests.report_samples import names, passed, shifted, table, truths

SCORE = ScoreSummary(mean_iou=0.9, median_iou=0.9, images=6)


def run_of(number: int) -> Result:
    return replace(passed(), run_id=f"20240501-1200{number:02}-{number:06x}")


def scored(count: int = 6) -> pl.DataFrame:
    predictions = table(names(count), shifted(truths(count)))
    return score(predictions, table(names(count), truths(count))).frame


def kept(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "history").iterdir())


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        history.keep(tmp_path, run_of(number), scored())
    return tmp_path


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<!doctype html>")
    history.keep(tmp_path, run_of(1), scored())
    (run,), broken = history.runs(tmp_path)
    assert (run.result, broken) == (run_of(1), [])
    images = run.images()
    assert images is not None
    assert images.equals(scored())
    assert (run.folder / "report.html").read_text() == "<!doctype html>"
    assert kept(tmp_path) == [run_of(1).run_id]


def test_a_run_without_predictions_is_kept(tmp_path: Path) -> None:
    history.keep(tmp_path, run_of(1), None)
    assert history.find("last", tmp_path).images() is None


def test_the_oldest_go_first(three: Path) -> None:
    history.keep(three, run_of(4), None, most_runs=2)
    assert kept(three) == [run_of(3).run_id, run_of(4).run_id]


def test_bytes_are_bounded_but_the_newest_stays(three: Path) -> None:
    history.keep(three, run_of(4), scored(), most_bytes=1)
    assert kept(three) == [run_of(4).run_id]


def test_none_are_kept_where_none_are_wanted(three: Path) -> None:
    history.keep(three, run_of(4), None, most_runs=0)
    assert kept(three) == []


def test_a_run_with_a_name_of_its_own_is_never_dropped(three: Path) -> None:
    (three / "history" / run_of(1).run_id).rename(three / "history" / "best")
    history.keep(three, run_of(4), None, most_runs=1)
    assert kept(three) == [run_of(4).run_id, "best"]
    assert history.find("best", three).result == run_of(1)


def test_what_cannot_be_written_leaves_nothing(three: Path) -> None:
    before = kept(three)
    odd = pl.DataFrame({"a": [object()]})  # which Parquet cannot hold
    with pytest.raises(Exception, match=r"(?i)object"):
        history.keep(three, run_of(4), odd)
    assert kept(three) == before


def test_the_remains_of_a_killed_run_are_removed(three: Path) -> None:
    left = three / "history" / f".{run_of(9).run_id}.part"
    left.mkdir()
    (left / "result.json").write_text("{")
    assert len(history.runs(three)[0]) == 3
    history.keep(three, run_of(4), None)
    assert not left.exists()


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("last", 3),
        ("previous", 2),
        ("20240501-120001", 1),
        ("000002", 2),
        ("20240501-120003-000003", 3),
    ],
)
def test_runs_are_found_by_what_they_are_called(three: Path, word: str, number: int) -> None:
    assert history.find(word, three).result == run_of(number)


def test_a_path_names_a_run(three: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    results.write(run_of(7), other / "result.json")
    for word in (str(other), str(other / "result.json")):
        assert history.find(word, three).result == run_of(7)


def test_a_results_folder_finds_the_predictions_in_its_own_history(three: Path) -> None:
    results.write(run_of(2), three / "result.json")
    images = history.find(str(three), three / "none").images()
    assert images is not None
    assert images.height == 6


@pytest.mark.parametrize("word", ["", "2024", "nothing", "../.."])
def test_what_names_no_run_or_many_is_an_error_with_a_way_on(three: Path, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        history.find(word, three)
    assert caught.value.fix


@pytest.mark.parametrize("word", ["last", "previous"])
def test_an_empty_history_says_what_to_type(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError, match=f"no {word} run") as caught:
        history.find(word, tmp_path)
    assert caught.value.fix == f"Type: invoke run --out {tmp_path}"


def test_a_word_in_an_empty_history_is_no_reason_to_list_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        history.find("x", tmp_path)
    assert caught.value.what.startswith(f'"x" is neither a run (none is kept in {tmp_path}) nor')
    assert caught.value.fix == f"Type: invoke run --out {tmp_path}"


def test_a_broken_run_is_named_and_passed_over(three: Path) -> None:
    (three / "history" / run_of(2).run_id / "result.json").write_text("{")
    found, broken = history.runs(three)
    assert [run.result for run in found] == [run_of(3), run_of(1)]
    assert broken == [run_of(2).run_id]
    with pytest.raises(BadDataError):
        history.find(run_of(2).run_id, three)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 100])
def test_broken_predictions_are_an_error_in_words(three: Path, content: bytes) -> None:
    run = history.find("last", three)
    (run.folder / "predictions.parquet").write_bytes(content)
    with pytest.raises(PoseBowlError, match="cannot be read"):
        run.images()


def test_a_table_of_something_else_is_an_error_in_words(three: Path) -> None:
    run = history.find("last", three)
    pl.DataFrame({"a": [1]}).write_parquet(run.folder / "predictions.parquet")
    with pytest.raises(PoseBowlError, match="cannot be read"):
        run.images()


def failed(number: int) -> Result:
    return replace(run_of(number), verdict=Verdict.RUNTIME_ERROR)


def test_recent_runs_are_those_with_predictions_and_say_what_they_skipped(three: Path) -> None:
    history.keep(three, failed(4), None)
    last, previous = history.find("last", three), history.find("previous", three)
    assert (last.result, previous.result) == (run_of(3), run_of(2))
    assert last.note == (
        f"last is {run_of(3).run_id}: 1 newer run left no predictions to compare (RUNTIME_ERROR)."
    )
    history.keep(three, run_of(5), scored())
    last, previous = history.find("last", three), history.find("previous", three)
    assert (last.result, previous.result) == (run_of(5), run_of(3))
    assert last.note == ""
    assert "RUNTIME_ERROR" in previous.note
    assert previous.note in comparison.compare(previous, last).notes


def test_where_no_run_has_predictions_time_alone_decides(tmp_path: Path) -> None:
    for number in (1, 2):
        history.keep(tmp_path, failed(number), None)
    assert history.find("last", tmp_path).result == failed(2)
    assert history.find("previous", tmp_path).result == failed(1)


def test_one_run_with_predictions_has_no_previous_one(tmp_path: Path) -> None:
    history.keep(tmp_path, run_of(1), scored())
    history.keep(tmp_path, failed(2), None)
    with pytest.raises(UsageError, match=r"no previous run: 2 runs kept in .*, 1 with predictions"):
        history.find("previous", tmp_path)


def test_the_log_is_kept_as_well(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("hello")
    history.keep(tmp_path, run_of(1), None)
    assert (history.find("last", tmp_path).folder / "log.txt").read_text() == "hello"


@pytest.mark.parametrize("labelled", [True, False])
def test_a_results_folder_without_history_has_the_predictions_that_lie_in_it(
    labelled: bool, tmp_path: Path
) -> None:
    frame = table(names(6), shifted(truths(6)))
    frame.write_csv(tmp_path / "submission.csv")
    table(names(6), truths(6)).write_csv(tmp_path / "train_labels.csv")
    data = {"root": str(tmp_path if labelled else tmp_path / "gone")}
    results.write(replace(run_of(1), data=data, score=SCORE), tmp_path / "result.json")
    images = history.find(str(tmp_path), tmp_path).images()
    assert images is not None
    assert images.select(frame.columns).equals(frame)
    assert ("iou" in images.columns) is labelled
