"""The budget of the settings, checked on runs that are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.cli import budgets
from posebowl.errors import UsageError, Verdict
from posebowl.results import BudgetCheck, comparison, history
from posebowl.results.result import Result, ScoreSummary
from posebowl.scoring.metric import score
from posebowl.settings import Settings, resolve
from tests.report_samples import Box, names, passed, table, truths

TRUTH = truths(6)


def keep(folder: Path, number: int, boxes: list[Box], within: BudgetCheck | None = None) -> Result:
    """Keep a run, as a run is kept, and return it."""
    found = score(table(names(6), boxes), table(names(6), TRUTH))
    summary = ScoreSummary(mean_iou=found.mean_iou, median_iou=found.median_iou, images=6)
    result = replace(passed(), run_id=f"20240501-12000{number}-00000{number}", score=summary)
    if within is not None:
        result = replace(result, budget=within(result, found.frame))
    history.keep(folder, result, found.frame)
    return result


def off(by: int) -> list[Box]:
    return [(x1 + by, y1, x2 + by, y2) for x1, y1, x2, y2 in TRUTH]


def settings(folder: Path, **changes: object) -> Settings:
    return replace(resolve.defaults(), submission=folder, **changes)


@pytest.mark.parametrize(("drop", "code"), [(0.0, 30), (0.5, 0)])
def test_a_run_is_compared_with_the_one_before_it(
    drop: float, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, 1, TRUTH)
    within = budgets.before_a_run(settings(tmp_path, budget_drop=drop), tmp_path)
    worse = keep(tmp_path, 2, off(2), within)
    assert budgets.accept(worse) == code
    assert [line.kept for line in history.runs(tmp_path)[0][0].result.budget] == [not code]
    told = capsys.readouterr().err
    assert ("error: The run passed, but not within its budget." in told) == bool(code)
    assert ("Within budget: Change of mean IoU." in told) == (not code)


def test_a_named_run_stays_what_is_compared_with(tmp_path: Path) -> None:
    keep(tmp_path, 1, TRUTH)
    keep(tmp_path, 2, off(2))
    named = settings(tmp_path, budget_drop=0.001, budget_against="000001")
    last = settings(tmp_path, budget_drop=0.001)
    checks = [budgets.before_a_run(found, tmp_path) for found in (named, last)]
    again = [keep(tmp_path, at, off(2), check) for at, check in enumerate(checks, 3)]
    assert [budgets.accept(result) for result in again] == [30, 0]


def test_a_run_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nope"):
        budgets.before_a_run(settings(tmp_path, budget_drop=0.1, budget_against="nope"), tmp_path)


def test_the_first_run_has_nothing_to_lose_and_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    within = budgets.before_a_run(settings(tmp_path, budget_drop=0.0), tmp_path)
    assert budgets.accept(keep(tmp_path, 1, TRUTH, within)) == 0
    assert "no earlier run is there" in capsys.readouterr().err


def test_a_run_that_did_not_pass_keeps_its_own_code(tmp_path: Path) -> None:
    within = budgets.before_a_run(settings(tmp_path, budget_mean_iou=1.0), tmp_path)
    failed = replace(passed(), verdict=Verdict.TIME_LIMIT)
    assert within is not None
    assert within(failed, None) == ()
    assert budgets.accept(failed) == Verdict.TIME_LIMIT.exit_code


def test_without_a_budget_nothing_is_read_and_nothing_checked(tmp_path: Path) -> None:
    assert budgets.before_a_run(settings(tmp_path), tmp_path / "absent") is None


def test_the_second_of_two_compared_runs_is_checked(tmp_path: Path) -> None:
    results = [keep(tmp_path, number, boxes) for number, boxes in ((1, TRUTH), (2, off(2)))]
    runs = [history.find(result.run_id, tmp_path) for result in results]
    asked = settings(tmp_path, budget_drop=0.0, budget_mean_iou=0.1)
    for one, two, kept in ((0, 1, [True, False]), (1, 0, [True, True])):
        found = comparison.compare(runs[one], runs[two])
        checked = budgets.compared(asked, found, results[two])
        assert [item.kept for item in checked] == kept
    failed = replace(results[1], verdict=Verdict.BAD_OUTPUT)
    assert budgets.compared(asked, found, failed) == ()
