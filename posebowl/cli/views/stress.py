"""How a solution did on data that is out of the ordinary, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from posebowl.cli.stress import Outcome
from posebowl.errors import Verdict
from posebowl.util.console import out, plain, print_table
from posebowl.util.text import counted
from posebowl.util.units import duration, human_bytes


def show(outcomes: Sequence[Outcome]) -> None:
    """Print a row for each run, and what differed from the plain one."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("Data", "Images", "Verdict", "Changed", "Time", "Memory", "Growth"):
        right = name in {"Images", "Changed", "Time", "Memory", "Growth"}
        table.add_column(name, justify="right" if right else "left")
    for one in outcomes:
        passed = one.verdict is Verdict.OK
        changed = f"{one.changed:,} of {one.compared:,}" if one.compared else "-"
        growth = f"{human_bytes(one.memory_growth)}/min" if one.memory_growth else "-"
        table.add_row(
            one.name,
            f"{one.images:,}",
            Text(one.verdict, "green" if passed else "red"),
            Text(changed, "red" if one.changed else ""),
            "-" if one.seconds is None else duration(one.seconds),
            "-" if one.peak_memory_bytes is None else human_bytes(one.peak_memory_bytes),
            Text(growth, "red" if one.memory_full else ""),
        )
    out.print()
    print_table(table, out)
    out.print()
    for one in filter(lambda one: one.differs, outcomes):
        out.print(plain(f"{one.name}: {_what(one)}"))
    if not any(one.differs for one in outcomes):
        out.print(f"Nothing differed in {counted(len(outcomes), 'run')}.")


def _what(one: Outcome) -> str:
    if one.verdict is not Verdict.OK:
        return f"{one.verdict} with {one.about}. {one.message}"
    if one.changed:
        predictions = counted(one.compared, "prediction")
        return f"{one.changed:,} of {predictions} changed with {one.about}."
    return "at this growth, memory is full before the platform's time is up."
