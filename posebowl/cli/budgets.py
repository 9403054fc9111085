"""The budget of the settings, and the runs that it is checked on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from posebowl.results import budget as budgets
from posebowl.settings import Settings

if TYPE_CHECKING:
    from posebowl.results import BudgetCheck, BudgetLine, Comparison, Result


def of(settings: Settings) -> budgets.Budget:
    """Return the budget that the settings set."""
    return budgets.Budget(
        time=settings.budget_time,
        memory=settings.budget_memory,
        mean_iou=settings.budget_mean_iou,
        drop=settings.budget_drop,
    )


def before_a_run(settings: Settings, out: Path) -> BudgetCheck | None:
    """Read what a run is compared with, before it becomes the last one itself; None without budget.

    Raises:
        UsageError: The settings name a run that is not there.
        PoseBowlError: Its predictions cannot be read.
    """
    budget = of(settings)
    if budget == budgets.Budget():
        return None
    if settings.budget_drop is None:
        return budgets.BudgetCheck(budget=budget)
    from posebowl.results import history as kept

    word = settings.budget_against
    if word == kept.LAST:
        run = next((run for run in kept.runs(out)[0] if run.result.score is not None), None)
    else:
        run = kept.find(word, out, usual=settings.submission)
    return budgets.BudgetCheck(
        budget=budget,
        against=run.name if run else "",
        images=run.images() if run else None,
    )


def accept(result: Result) -> int:
    """Report on stderr how a run stands to its budget; return the exit code of the run."""
    return result.verdict.exit_code or report(result.budget)


def compared(settings: Settings, found: Comparison, result: Result) -> Sequence[BudgetLine]:
    """Check the second of two runs that were compared; nothing, if it did not pass."""
    from posebowl.errors import Verdict

    if result.verdict is not Verdict.OK:
        return ()
    change = found.images.difference if found.images else None
    return budgets.check(of(settings), result, change, found.before.name)


def report(found: Sequence[BudgetLine]) -> int:
    """Report on stderr what is over budget or was not checked, and return the exit code."""
    from posebowl.util import console

    for item in found:
        if item.kept is None:
            console.warn(f"Budget: {item.text}")
    error = budgets.excess(found)
    if error is None:
        if any(item.kept for item in found):
            console.note(f"Within budget: {', '.join(item.name for item in found if item.kept)}.")
        return 0
    console.show_error(error)
    return error.exit_code
