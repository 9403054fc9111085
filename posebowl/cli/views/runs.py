"""The history of runs and the comparison of two, as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from posebowl.errors import Verdict
from posebowl.report import amount, change, verdict_on
from posebowl.results import Change, Comparison, Difference, Images, Run
from posebowl.util.console import out, plain, print_table
from posebowl.util.hints import flag, local
from posebowl.util.text import brief, counted, shorten
from posebowl.util.units import human_bytes

_COLOURS: Final = {"better": "green", "worse": "red", "": ""}
_WIDE: Final = 999
"""Columns of a terminal in which all has room."""
_ROWS: Final = 5
"""How many gains and losses are shown; all are in the JSON and on the page."""


def history(runs: Sequence[Run], more: int, folder: Path, usual: Path) -> None:
    """Show a table of the runs of a folder, the newest first, and how many more there are.

    Args:
        runs: Those to show.
        more: How many older ones there are.
        folder: Where they are kept.
        usual: The results folder that commands use by default.
    """
    if not runs:
        to = flag("out", folder, usual)
        out.print(plain(f"No runs yet. Next: uv run invoke run{to}"))
        return
    columns = ["Run", "When (UTC)", "Submission", "Verdict", "IoU", "Images/s", "Memory", "Engine"]
    if any(run.result.note for run in runs):
        columns.append("Note")
    table = _history_table(runs, columns)
    for name in ("Engine", "Memory", "Images/s"):  # what a narrow terminal has no room for
        if table.__rich_measure__(out, out.options.update(width=_WIDE)).minimum <= out.width:
            break
        columns.remove(name)
        table = _history_table(runs, columns)
    print_table(table, out)
    if more:
        out.print(f"{more:,} older; --limit 0 shows all.", style="dim")
    of = flag("folder", folder, usual)
    out.print(plain(f"Next: uv run invoke compare previous last{of}", "dim"))


def _history_table(runs: Sequence[Run], columns: Sequence[str]) -> Table:
    table, rows = _table(), [_row(run) for run in runs]
    for name in columns:
        if name in {"Submission", "Note"}:
            table.add_column(name, overflow="fold", min_width=15)
        else:
            number = name in {"IoU", "Images/s", "Memory"}
            width = max(row[name].cell_len for row in rows)
            table.add_column(
                name, justify="right" if number else "left", no_wrap=True, min_width=width
            )
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    return table


def _row(run: Run) -> dict[str, Text]:
    result = run.result
    timing, memory = result.timing, result.meters.get("memory")
    rate = timing.images_per_second if timing else None
    archive = f"{result.submission} {str(result.archive.get('sha256', ''))[:8]}".strip()
    passed = result.verdict is Verdict.OK
    part = f" on {result.part}" if result.part else ""
    return {
        # The random end of its id is enough to name a run.
        "Run": plain(run.name.rpartition("-")[2] if run.name == result.run_id else run.name),
        "When (UTC)": plain(_when(run)),
        "Submission": plain(archive),
        "Verdict": Text(result.verdict, "green" if passed else "red"),
        "IoU": Text(f"{result.score.mean_iou:.4f}{part}" if result.score else "-"),
        "Images/s": Text(f"{rate:.1f}" if rate is not None else "-"),
        "Memory": Text(human_bytes(memory.used) if memory else "-"),
        "Engine": plain(result.engine or "-"),
        "Note": plain(shorten(result.note, 60)),
    }


def history_row(run: Run) -> dict[str, Any]:
    """Return a row of the same table for programs, with raw numbers."""
    result = run.result
    timing, memory = result.timing, result.meters.get("memory")
    return {
        "run": run.name,
        "run_id": result.run_id,
        "started_at": timing.started_at if timing else None,
        "archive": result.archive.get("path"),
        "sha256": result.archive.get("sha256"),
        "solution": result.archive.get("solution"),
        "note": result.note,
        "images": result.data.get("images"),
        "of": result.data.get("of"),
        "verdict": result.verdict,
        "mean_iou": result.score.mean_iou if result.score else None,
        "images_per_second": timing.images_per_second if timing else None,
        "peak_memory_bytes": memory.used if memory else None,
        "engine": result.engine,
        "folder": str(run.folder),
    }


def _when(run: Run) -> str:
    if run.result.timing:
        return run.result.timing.started_at[:16].replace("T", " ")
    day, _, clock = run.result.run_id[:13].partition("-")
    return f"{day[:4]}-{day[4:6]}-{day[6:]} {clock[:2]}:{clock[2:]}"


def comparison(found: Comparison) -> None:
    """Show what changed from one run to another."""
    table = _table("", found.before.name, found.after.name)
    table.add_column("Change", justify="right")
    same = found.before.verdict == found.after.verdict
    mood = "" if same else "green" if found.after.verdict == Verdict.OK else "red"
    sides = found.before, found.after
    for name, texts in (
        ("Submission", [f"{side.submission} {side.sha256[:8]}".strip() for side in sides]),
        ("Note", [side.note for side in sides]),
    ):
        if any(texts):
            table.add_row(name, *(plain(shorten(text, 200)) for text in texts), "")
    table.add_row("Verdict", Text(found.before.verdict), Text(found.after.verdict, mood), "")
    for figure in found.figures:
        before, after = (amount(figure, value) for value in (figure.before, figure.after))
        table.add_row(figure.name, before, after, Text(change(figure), _COLOURS[figure.mood]))
    print_table(table, out)
    if found.images is not None:
        _images(found.images)
    _differences("Limits that differ", found.limits)
    _differences("Environment that differs", found.environment)
    for note in found.notes:
        out.print(Text.assemble(("note:", "yellow"), " ", plain(note)))


def _images(images: Images) -> None:
    out.print()
    if images.difference is not None:
        out.print(
            f"[green]{images.better:,} better[/], [red]{images.worse:,} worse[/], "
            f"{images.equal:,} equal of {counted(images.count, 'image')}"
        )
    out.print(verdict_on(images))
    if images.only_before or images.only_after:
        out.print(f"Only one run has {images.only_before + images.only_after:,} more.")
    scored = images.difference is not None
    for title, changes in (
        ("Most gained", images.gains),
        ("Most lost" if scored else "Least overlap", images.losses),
    ):
        if changes:
            _changes(title, changes[:_ROWS])


def _changes(title: str, changes: Sequence[Change]) -> None:
    table = _table(title)
    for name in ("Before", "After", "Change"):
        table.add_column(name, justify="right")
    for item in changes:
        label = plain(brief(item.image_id, 60))
        if item.iou_before is None or item.iou_after is None:
            table.add_row(label, "", "", f"overlap {item.overlap:.4f}")
            continue
        before, after = item.iou_before, item.iou_after
        table.add_row(label, f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}")
    out.print()
    print_table(table, out)


def _differences(title: str, found: Sequence[Difference]) -> None:
    if not found:
        return
    table = _table(title, "Before", "After")
    for item in found:
        table.add_row(*(plain(cell) for cell in (item.name, item.before or "-", item.after or "-")))
    out.print()
    print_table(table, out)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(plain(name), overflow="fold")
    return table


def written(path: Any) -> None:
    """Print where the page is."""
    out.print(plain(f"Wrote {local(path)}"))
