"""The leaderboard on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from posebowl.batch import PAGE_FILE, Evaluation, Row, Twins, Verified
from posebowl.errors import Verdict
from posebowl.util.console import out, plain, print_table
from posebowl.util.hints import local
from posebowl.util.text import counted, first_few
from posebowl.util.units import duration

_MOST_ROWS = 50


def leaderboard(done: Evaluation) -> None:
    """Show the first ranks, and where to find the others."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("rank", "IoU", "images/s", "time"):
        table.add_column(name, justify="right", style="" if name == "IoU" else "dim")
    subsets = [*dict.fromkeys(name for row in done.rows for name in row.subsets)]
    for name in subsets:
        table.add_column(name, justify="right")
    table.add_column("submission")
    table.add_column("verdict", overflow="fold")
    for row in done.rows[:_MOST_ROWS]:
        table.add_row(*_cells(row, subsets))
    print_table(table, out)
    if len(done.rows) > _MOST_ROWS:
        out.print(f"and {len(done.rows) - _MOST_ROWS:,} more")
    for row in done.rows:
        if row.repeats:
            out.print(plain(f"{row.submission}: {row.repeats}"))
    failed = [row for row in done.rows if row.verdict.is_infrastructure_failure]
    if failed:
        what = counted(len(failed), "submission has", "submissions have")
        out.print(plain(f"{what} no result: machines failed. Type the same command with --resume."))
    out.print(plain(f"Leaderboard: {local(done.out / PAGE_FILE)}"))


def verified(found: Verified) -> None:
    """Show whether a seal holds, point by point."""
    for finding in found.findings:
        mark = Text("no " if finding.problem else "yes", "red" if finding.problem else "green")
        out.print(Text.assemble(mark, "  ", plain(f"{finding.what}. {finding.problem}".strip())))
    out.print(plain(f"SHA-256 of the seal: {found.sha256}"))


def twins(found: Twins, top: int, page: Path | None) -> None:
    """Show the pairs that are most alike, and where the page with all of them is."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("weights", "boxes", "code"):
        table.add_column(name, justify="right")
    table.add_column("submissions", overflow="fold")
    shown = found.pairs(top)
    for pair in shown:
        values = (pair.weights, pair.boxes, pair.code)
        cells = ("" if value is None else f"{value:.0%}" for value in values)
        table.add_row(*cells, plain(f"{pair.one}, {pair.two}"))
    print_table(table, out)
    if less := found.pair_count - len(shown):
        out.print(f"and {counted(less, 'pair')} less alike")
    if found.unread:
        names = first_few(found.unread, len(found.unread))
        out.print(plain(f"These zips cannot be read, so only boxes are compared: {names}."))
    if page is not None:
        out.print(plain(f"Matrix: {local(page)}"))


def _cells(row: Row, subsets: Sequence[str]) -> tuple[Text | str, ...]:
    good = row.verdict is Verdict.OK
    verdict = Text(str(row.verdict), "green" if good else "red")
    return (
        row.ranks or ("" if row.rank is None else str(row.rank)),
        "" if row.mean_iou is None else f"{row.mean_iou:.4f}",
        "" if row.images_per_second is None else f"{row.images_per_second:.1f}",
        "" if row.wall_s is None else duration(row.wall_s),
        *(_place(row, name) for name in subsets),
        plain(f"{row.submission} ({row.team})" if row.team else row.submission),
        verdict if good else Text.assemble(verdict, " ", plain(row.message)),
    )


def _place(row: Row, subset: str) -> str:
    """Return the mean IoU on a subset, the rank there, and places gained or lost."""
    place = row.subsets.get(subset)
    if place is None:
        return ""
    moved = f" ({place.moved:+})" if place.moved else ""
    return f"{place.mean_iou:.4f} #{place.rank}{moved}"
