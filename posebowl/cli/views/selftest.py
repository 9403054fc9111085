"""The self-test while it runs: a line for each case."""

from __future__ import annotations

from rich.text import Text

from posebowl.challenge import EngineName
from posebowl.doctor import EngineTest, SelfTest, TestWatcher
from posebowl.engines import Checked
from posebowl.util.console import lines, out, plain
from posebowl.util.text import counted

_CASE, _VERDICT = 22, 16
"""Widths of columns, so that a line fits into 80."""


def watcher() -> TestWatcher:
    """Return what prints the table row by row."""
    return TestWatcher(began=_began, row=_row, skipped=_skipped)


def summary(test: SelfTest) -> None:
    """Print how it ended, and what deviated once more."""
    out.print()
    for one in test.engines:
        if one.problem:
            continue
        total, bad = counted(len(one.rows), "case"), len(one.deviating)
        text = f"{total}: {bad} not as expected" if bad else f"{total}, all as expected"
        out.print(Text.assemble((f"{one.engine} ", "bold"), (text, "bold red" if bad else "green")))
    if not test.passed and not any(one.deviating for one in test.engines):
        out.print(plain("No engine could be tested here. Type: uv run invoke doctor", "bold red"))


def _began(engine: EngineName, about: str) -> None:
    out.print(Text.assemble("\n", (engine, "bold"), plain(f" {about}")))
    out.print(plain(f"  {_columns('case', 'expected', 'got')}    s", "dim"))


def _row(row: Checked) -> None:
    mark, colour = (" ", "") if row.passed else ("!", "bold red")
    columns = _columns(row.case, row.expected, row.got)
    out.print(plain(f"{mark} {columns} {row.seconds:4.1f}", colour))
    if row.why:
        out.print(lines(f"    {row.why}", "red"))


def _columns(case: str, expected: str, got: str) -> str:
    return f"{case:<{_CASE}} {expected:<{_VERDICT}} {got:<{_VERDICT}}"


def _skipped(test: EngineTest) -> None:
    fix = f" {test.fix}" if test.fix else ""
    out.print(
        Text.assemble("\n", (test.engine, "bold"), plain(f" not tested: {test.problem}{fix}"))
    )
