"""The budget of the settings, and the runs that it is checked on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posebowl.results import budget as budgets
from posebowl.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from posebowl.results import BudgetLine, Comparison, Result


def of(settings: Settings) -> budgets.Budget:
    """Return the budget that the settings set."""
    return budgets.Budget(
        time=settings.budget_time,
        memory=settings.budget_memory,
        mean_iou=settings.budget_mean_iou,
        drop=settings.budget_drop,
    )


@dataclass(frozen=True, kw_only=True)
class Check:
    """A budget, and the run that another one is compared with."""

    budget: budgets.Budget
    out: Path
    """Where the run to check leaves its results."""
    against: str = ""
    images: pl.DataFrame | None = None
    """Of the run `against`."""

    @classmethod
    def before_a_run(cls, settings: Settings, out: Path) -> Check:
        """Read what is compared with, before the run becomes the last one itself.

        Raises:
            UsageError: The settings name a run that is not there.
            PoseBowlError: Its predictions cannot be read.
        """
        if settings.budget_drop is None:
            return cls(budget=of(settings), out=out)
        from posebowl.results import history as kept

        word = settings.budget_against
        if word == kept.LAST:
            run = next((run for run in kept.runs(out)[0] if run.result.score is not None), None)
        else:
            run = kept.find(word, out, usual=settings.submission)
        return cls(
            budget=of(settings),
            out=out,
            against=run.name if run else "",
            images=run.images() if run else None,
        )

    def __call__(self, result: Result) -> int:
        """Check a run, report on stderr what is over budget, and return the exit code."""
        from posebowl.errors import Verdict

        if result.verdict is not Verdict.OK:
            return result.verdict.exit_code
        found = budgets.check(self.budget, result, self._change(result), self.against)
        return report(found)

    def _change(self, result: Result) -> float | None:
        if self.images is None:
            return None
        from posebowl.results import Run, paired

        run = Run(name="", folder=self.out, result=result)
        both = paired(self.images, run.images())
        return None if both is None else float((both[1] - both[0]).mean())  # type: ignore[arg-type]


def compared(settings: Settings, found: Comparison, result: Result) -> list[BudgetLine]:
    """Check the second of two runs that were compared; nothing, if it did not pass."""
    from posebowl.errors import Verdict

    if result.verdict is not Verdict.OK:
        return []
    change = found.images.difference if found.images else None
    return budgets.check(of(settings), result, change, found.before.name)


def report(found: list[BudgetLine]) -> int:
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
