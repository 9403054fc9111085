"""Results of the commands, as text for people; everything is escaped before it is shown."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from posebowl import cli
from posebowl.archive import Archive
from posebowl.clean import Cleaned
from posebowl.console import out, warn
from posebowl.data import DataReport
from posebowl.doctor import Diagnosis, State
from posebowl.files import human_bytes
from posebowl.pack import Packed
from posebowl.quantities import clock
from posebowl.score import Score
from posebowl.unpack import Unpacked
from posebowl.wording import counted

_COLOURS = {
    State.GOOD: "green",
    State.WARNING: "yellow",
    State.MISSING: "dim",
    State.BAD: "bold red",
}


def packed(made: Packed) -> None:
    """Tell of a zip that was made, and what to type next."""
    warnings(made.warnings)
    place = cli.local(made.path)
    size = f"{counted(made.files, 'file')}, {human_bytes(made.bytes)}, {clock(made.seconds)}"
    out.print(f"[green]Packed[/] {escape(str(place))} ({size})")
    if made.left_out:
        names = ", ".join(made.left_out[:5]) + (", ..." if len(made.left_out) > 5 else "")
        out.print(f"Left out {len(made.left_out)}: {names}", markup=False)
    out.print("Next: invoke run", style="dim")


def checked(found: Archive) -> None:
    """Tell that a zip is acceptable."""
    warnings(found.warnings)
    place = escape(str(cli.local(found.path)))
    size = f"{human_bytes(found.packed_bytes)}, {human_bytes(found.unpacked_bytes)} unpacked"
    out.print(f"[green]OK[/] {place}: {counted(found.files, 'file')}, {size}")
    if found.imports:
        out.print(f"It imports {', '.join(sorted(found.imports))}.", markup=False)


def scored(result: Score) -> None:
    """Tell a score."""
    out.print(f"Mean IoU [bold]{result.mean_iou:.4f}[/] (median {result.median_iou:.4f})")
    rest = f"; {result.unscored:,} labelled without a prediction" if result.unscored else ""
    out.print(f"{counted(result.count, 'image')} scored{rest}")


def data(report: DataReport) -> None:
    """Tell which data is in use."""
    warnings(report.warnings)
    out.print(report.summary, markup=False)


def cleaned(done: Cleaned) -> None:
    """Tell what was removed and what was kept."""
    for name, paths in (("Removed", done.removed), ("Kept", done.kept)):
        for path in paths:
            out.print(f"{name} {cli.local(path)}", markup=False)
    if not done.removed:
        out.print("Nothing to remove.")


def diagnosis(found: Diagnosis) -> None:
    """Show a table of findings, and what to type next."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in found.findings:
        colour = _COLOURS[finding.state]
        table.add_row(f"[{colour}]{finding.state}[/]", finding.name, escape(finding.text))
    out.print(table)
    out.print(found.next_step, markup=False)


def warnings(texts: tuple[str, ...]) -> None:
    """Show warnings, before the result."""
    for text in texts:
        warn(text)


def unpacked(done: Unpacked) -> None:
    """Tell what came out of the archives."""
    parts = [f"{counted(done.written, 'file')} written"]
    if done.kept:
        parts.append(f"{done.kept:,} already there")
    if done.left_out:
        parts.append(f"{done.left_out:,} left out, being no photos")
    out.print("; ".join(parts) + ".", markup=False)
    out.print("Next: invoke data.check", style="dim")
