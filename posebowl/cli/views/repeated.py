"""Several runs of one submission: the median of each number, and how far they spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table

from posebowl.results import Result
from posebowl.util.console import out, print_table
from posebowl.util.units import quantity

_WIDE: Final = 0.1
"""From this spread on, a median says little."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One number of several runs."""

    name: str
    unit: str
    runs: int
    median: float
    least: float
    most: float

    @property
    def share(self) -> float:
        """Return the whole spread as a share of the median."""
        return (self.most - self.least) / self.median if self.median else 0.0


def spreads(results: Sequence[Result]) -> list[Spread]:
    """Return the numbers that at least one of several runs has."""
    kinds: tuple[tuple[str, str, Callable[[Result], float | None]], ...] = (
        ("Mean IoU", "", lambda result: result.score.mean_iou if result.score else None),
        ("Time", "s", lambda result: result.timing.wall_s if result.timing else None),
        ("Speed", "images/s", lambda r: r.timing.images_per_second if r.timing else None),
        ("CPU time of an image", "s", lambda r: r.timing.cpu_s_per_image if r.timing else None),
        ("Peak memory", "bytes", lambda r: r.meters["memory"].used if r.meters else None),
    )
    found = []
    for name, unit, number in kinds:
        numbers = [value for result in results if (value := number(result)) is not None]
        if numbers:
            median = statistics.median(numbers)
            spread = Spread(
                name=name,
                unit=unit,
                runs=len(numbers),
                median=median,
                least=min(numbers),
                most=max(numbers),
            )
            found.append(spread)
    return found


def show(results: Sequence[Result]) -> None:
    """Print the median and the spread of each number of several runs."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in (f"{len(results)} runs", "Median", "Least", "Most", "Spread"):
        table.add_column(column, justify="left" if column.endswith("runs") else "right")
    found = spreads(results)
    for spread in found:
        cells = (spread.median, spread.least, spread.most)
        words = (quantity(cell, spread.unit) if spread.unit else f"{cell:.4f}" for cell in cells)
        table.add_row(spread.name, *words, f"{spread.share:.0%}")
    out.print()
    print_table(table, out)
    times = next((spread for spread in found if spread.name == "Time"), None)
    if times is not None and times.share > _WIDE:
        out.print(
            f"The times spread by {times.share:.0%} of their median: something disturbed them. "
            "Judge by the CPU time of an image."
        )
