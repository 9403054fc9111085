"""A budget: what a run may use and must reach, and which of it a run kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from posebowl.errors import OverBudgetError, Verdict
from posebowl.results.meters import METERS
from posebowl.results.result import BudgetLine, Result

if TYPE_CHECKING:
    import polars as pl

_NOISE: Final = 1e-9
"""A mean of the same numbers in another order differs by less."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may use and must reach; None sets nothing."""

    time: float | None = None
    """Share of the limit."""
    memory: float | None = None
    """Share of the limit."""
    mean_iou: float | None = None
    drop: float | None = None
    """How much the mean IoU may fall, over the images that both runs scored."""


@dataclass(frozen=True, kw_only=True)
class BudgetCheck:
    """A budget, and the run that another one is compared with."""

    budget: Budget
    against: str = ""
    images: pl.DataFrame | None = None
    """Of the run `against`."""

    def __call__(self, result: Result, images: pl.DataFrame | None) -> tuple[BudgetLine, ...]:
        """Compare a run that passed with the budget.

        Args:
            result: The run.
            images: Its predictions, with the IoU of each; None without labels.
        """
        if result.verdict is not Verdict.OK:
            return ()
        change = None
        if self.images is not None and images is not None:
            from posebowl.results.comparison import paired  # noqa: PLC0415  # it loads polars

            both = paired(self.images, images)
            change = None if both is None else float((both[1] - both[0]).mean())  # type: ignore[arg-type]
        return check(self.budget, result, change, self.against)


def check(
    budget: Budget, result: Result, change: float | None, against: str
) -> tuple[BudgetLine, ...]:
    """Compare a run that passed with a budget.

    A run on a part of the images is not held to a share of the time or to a mean IoU, which are
    about all of them.

    Args:
        budget: What was set.
        result: The run.
        change: Its mean IoU minus that of another run, over the images of both; None: unknown.
        against: The name of that other run; empty where there is none.
    """
    return (*_used(budget, result), *_reached(budget, result), *_lost(budget, change, against))


def _used(budget: Budget, result: Result) -> Iterator[BudgetLine]:
    for name, most in (("time", budget.time), ("memory", budget.memory)):
        if most is None:
            continue
        label, meter = METERS[name].label, result.meters.get(name)
        if name == "time" and result.part:
            yield _unchecked(label, f"it ran on only {result.part}")
        elif meter is None:
            yield _unchecked(label, "it was not measured")
        else:
            text = f"{label} is {meter.share:.1%} of its limit; the budget is {most:.1%}."
            yield BudgetLine(name=label, kept=meter.share <= most, text=text)


def _reached(budget: Budget, result: Result) -> Iterator[BudgetLine]:
    least = budget.mean_iou
    if least is None:
        return
    if result.score is None:
        yield _unchecked("Mean IoU", "the data has no labels")
    elif result.part:
        yield _unchecked("Mean IoU", f"it ran on only {result.part}")
    else:
        mean = result.score.mean_iou
        text = f"Mean IoU is {mean:.4f}; the budget is at least {least:.4f}."
        yield BudgetLine(name="Mean IoU", kept=mean >= least - _NOISE, text=text)


def _lost(budget: Budget, change: float | None, against: str) -> Iterator[BudgetLine]:
    most = budget.drop
    if most is None:
        return
    name = "Change of mean IoU"
    if not against:
        yield _unchecked(name, "no earlier run is there to compare with")
    elif change is None:
        yield _unchecked(name, f"no image is scored both here and in {against}")
    else:
        text = f"Mean IoU changed by {change:+.4f} against {against}; the budget is {-most:+.4f}."
        yield BudgetLine(name=name, kept=change >= -most - _NOISE, text=text)


def _unchecked(name: str, reason: str) -> BudgetLine:
    return BudgetLine(name=name, kept=None, text=f"{name} was not checked: {reason}.")


def excess(found: Sequence[BudgetLine]) -> OverBudgetError | None:
    """Return the error for what is over budget, if anything is."""
    over = [item.text for item in found if item.kept is False]
    if not over:
        return None
    return OverBudgetError(
        f"The run passed, but not within its budget. {' '.join(over)}",
        why="A flag, a variable or [tool.posebowl.budget] in pyproject.toml sets the budget.",
        fix="Improve the solution, or change the budget; `invoke config` lists it.",
    )
