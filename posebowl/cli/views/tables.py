"""Results of the commands, as text for people; untrusted text is escaped."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from posebowl.doctor import State
from posebowl.settings import Found, Origin
from posebowl.util.console import lines, out, plain, print_table, warn
from posebowl.util.hints import flag, local, typed
from posebowl.util.text import counted, first_few
from posebowl.util.units import duration, human_bytes

if TYPE_CHECKING:
    # Each task shows one of these, and need not load polars and the engines for the others.
    from posebowl.data import DataReport, Unpacked
    from posebowl.doctor import Diagnosis
    from posebowl.environments import Missing
    from posebowl.results import Cleaned
    from posebowl.scoring import Score
    from posebowl.submission import Archive, Packed

MISSING: Final = 8
"""How many missing modules are named."""
_COLOURS = {
    State.GOOD: "green",
    State.WARNING: "yellow",
    State.MISSING: "dim",
    State.BAD: "bold red",
}


def packed(made: Packed, usual: Path) -> None:
    """Print a zip that was made, and what to type next."""
    warnings(made.warnings)
    place = local(made.path)
    size = f"{counted(made.files, 'file')}, {human_bytes(made.bytes)}, {duration(made.seconds)}"
    out.print(Text.assemble(("Packed", "green"), " ", plain(f"{place} ({size})")))
    if made.left_out:
        names = first_few(made.left_out, len(made.left_out))
        out.print(plain(f"Left out {len(made.left_out):,}: {names}"))
    zipped = "" if made.path.resolve() == usual.resolve() else f" {shlex.quote(str(place))}"
    out.print(plain(f"Next: uv run invoke run{zipped}", "dim"))


def kept(found: Mapping[str, Any]) -> None:
    """Print a zip that existed already."""
    out.print(plain(f"Kept {local(found['path'])}"))


def configuration(found: Iterable[Found]) -> None:
    """Show each setting's value and where it came from."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("setting", "value", "from"):
        table.add_column(name, overflow="fold")
    for item in found:
        is_set = item.origin is not Origin.DEFAULT
        value = plain(item.text or item.setting.unset, "bold" if is_set else "dim")
        table.add_row(item.setting.name, value, plain(item.place or str(item.origin)))
    print_table(table, out)


def checked(found: Archive, missing: Sequence[Missing] = ()) -> None:
    """Print that a zip is acceptable, and what it will not find where it runs."""
    warnings(found.warnings)
    for item in missing[:MISSING]:
        warn(f"{item.text} {item.fix}")
    if len(missing) > MISSING:
        warn(f"{counted(len(missing) - MISSING, 'more module')} missing.")
    place = local(found.path)
    size = f"{human_bytes(found.packed_bytes)}, {human_bytes(found.unpacked_bytes)} unpacked"
    text = f"{place}: {counted(found.files, 'file')}, {size}"
    out.print(Text.assemble(("OK", "green"), " ", plain(text)))
    if found.imports:
        names = first_few(sorted(found.imports), len(found.imports), 40)
        out.print(plain(f"It imports {names}."))


def scored(result: Score) -> None:
    """Print a score."""
    out.print(f"Mean IoU [bold]{result.mean_iou:.4f}[/] (median {result.median_iou:.4f})")
    rest = f"; {result.unscored:,} labelled without a prediction" if result.unscored else ""
    if result.unlabelled:
        rest += f"; {result.unlabelled:,} predicted without a label"
    out.print(f"{counted(result.count, 'image')} scored{rest}")


def data(report: DataReport) -> None:
    """Print which data is in use."""
    warnings(report.warnings)
    out.print(plain(report.summary))


def cleaned(done: Cleaned) -> None:
    """Print what was removed and what was kept."""
    for name, paths in (("Removed", done.removed), ("Kept", done.kept)):
        for path in paths:
            out.print(plain(f"{name} {local(path)}"))
    if not done.removed:
        out.print("Nothing to remove.")


def diagnosis(found: Diagnosis) -> None:
    """Show a table of findings, and what to type next."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name in ("state", "name", "text"):
        table.add_column(name, overflow="fold")
    for finding in found.findings:
        state = Text(finding.state, _COLOURS[finding.state])
        text = lines(finding.text)
        if finding.fix:
            text.append_text(lines(f"\n{typed(finding.fix)}", "cyan"))
        table.add_row(state, plain(finding.name), text)
    print_table(table, out)
    out.print(plain(typed(found.next_step), "bold"))


def warnings(texts: tuple[str, ...]) -> None:
    """Show warnings, before the result."""
    for text in texts:
        warn(text)


def unpacked(done: Unpacked, usual: Path) -> None:
    """Print what came out of the archives."""
    parts = [f"{counted(done.written, 'file')} written"]
    if done.kept:
        parts.append(f"{done.kept:,} already there")
    if done.left_out:
        parts.append(f"{done.left_out:,} left out: not photos")
    out.print("; ".join(parts) + ".")
    folder = flag("folder", done.folder, usual)
    out.print(plain(f"Next: uv run invoke data.check{folder}", "dim"))
