"""What a run may use and must reach, and what is reported of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posebowl.errors import EXIT_CODES
from posebowl.results.budget import Budget, check, excess
from posebowl.results.result import Meter, Result, ScoreSummary
from tests.report_samples import passed

SCORED = replace(
    passed(),
    score=ScoreSummary(mean_iou=0.5, median_iou=0.5, images=6),
    meters={
        "time": Meter(used=60, limit=100, unit="s"),
        "memory": Meter(used=30, limit=100, unit="bytes"),
    },
)
PART = replace(SCORED, data={"images": 2, "of": 6})
UNSCORED = replace(SCORED, score=None, meters={})


@pytest.mark.parametrize(
    ("budget", "result", "change", "kept"),
    [
        (Budget(), SCORED, None, []),
        (Budget(time=0.6, memory=0.3), SCORED, None, [True, True]),
        (Budget(time=0.59, memory=0.29), SCORED, None, [False, False]),
        (Budget(time=0.1, memory=0.1), PART, None, [None, False]),
        (Budget(time=0.1, memory=0.1), UNSCORED, None, [None, None]),
        (Budget(mean_iou=0.5), SCORED, None, [True]),
        (Budget(mean_iou=0.51), SCORED, None, [False]),
        (Budget(mean_iou=0.1), PART, None, [None]),
        (Budget(mean_iou=0.1), UNSCORED, None, [None]),
        (Budget(drop=0.01), SCORED, -0.01, [True]),
        (Budget(drop=0.01), SCORED, 0.2, [True]),
        (Budget(drop=0.01), PART, -0.011, [False]),
        (Budget(drop=0), SCORED, 0.0, [True]),
        (Budget(drop=0), SCORED, -0.001, [False]),
        (Budget(drop=0.01), SCORED, None, [None]),
    ],
)
def test_each_line_is_kept_or_not(
    budget: Budget, result: Result, change: float | None, kept: list[bool | None]
) -> None:
    found = check(budget, result, change, "last week")
    assert [item.kept for item in found] == kept
    error = excess(found)
    assert (error is not None) == (False in kept)


def test_the_error_names_what_is_over_with_both_numbers_and_has_a_code_of_its_own() -> None:
    budget = Budget(time=0.5, memory=0.5, mean_iou=0.6, drop=0.01)
    error = excess(check(budget, SCORED, -0.02, "0501-abc"))
    assert error is not None
    assert "Time is 60.0% of its limit; the budget is 50.0%." in error.what
    assert "Mean IoU is 0.5000; the budget is at least 0.6000." in error.what
    assert "changed by -0.0200 against 0501-abc; the budget is -0.0100." in error.what
    assert "memory" not in error.what
    assert error.why
    assert "invoke config" in error.fix
    assert error.exit_code not in {0, 1, 2, *EXIT_CODES.values()}


def test_a_line_that_was_not_checked_gives_the_reason() -> None:
    texts = [item.text for item in check(Budget(mean_iou=1, drop=0), PART, None, "")]
    assert texts == [
        "Mean IoU was not checked: it ran on only 2 of 6 images.",
        "Change of mean IoU was not checked: no earlier run is there to compare with.",
    ]
