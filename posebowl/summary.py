"""The short table at the end of a run."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from posebowl.errors import Verdict
from posebowl.files import human_bytes
from posebowl.quantities import clock
from posebowl.result import Meter, Result

_NAMES = {"time": "Time", "memory": "Peak memory", "cpu": "CPU", "output": "Disk", "log": "Log"}


_FILES = {"Predictions": "submission.csv", "Log file": "log.txt", "Report": "report.html"}


def show(result: Result, out: Path, console: Console) -> None:
    """Print verdict, score, speed, the head-room to each limit, and where everything lies."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows(result, out):
        table.add_row(name, value)
    console.print()
    console.print(table)


def rows(result: Result, out: Path) -> list[tuple[str, str]]:
    """Return the table's rows: a name, and a text with markup."""
    colour = "green" if result.verdict is Verdict.OK else "red"
    found = [("Verdict", f"[bold {colour}]{result.verdict}[/] {escape(result.message)}")]
    if result.fix:
        found.append(("What next", escape(result.fix)))
    if result.score is not None:
        score = result.score
        images = f"{score.images:,} image{'s' if score.images != 1 else ''}"
        found.append(
            ("Mean IoU", f"[bold]{score.mean_iou:.4f}[/] (median {score.median_iou:.4f}, {images})")
        )
    elif result.verdict is Verdict.OK:
        found.append(("Mean IoU", "not scored: the data has no labels"))
    if result.timing is not None and result.timing.images_per_second is not None:
        found.append(("Speed", _speed(result)))
    found.extend((_NAMES[name], _meter(meter)) for name, meter in result.meters.items())
    found.extend(("Differs", escape(f"{k}: {v}")) for k, v in result.unenforced.items())
    found.extend(("Warning", f"[yellow]{escape(text)}[/]") for text in result.warnings)
    if result.engine:
        found.append(("Engine", escape(f"{result.engine} ({result.variant})")))
    for name, file in (
        ("Predictions", "submission.csv"),
        ("Log", "log.txt"),
        ("Report", "report.html"),
    ):
        if (out / file).is_file():
            found.append((name, escape(str(out / file))))
    return found


def _speed(result: Result) -> str:
    timing = result.timing
    if timing is None or timing.images_per_second is None:
        return ""
    rate = timing.images_per_second
    within = int(rate * result.meters["time"].limit)
    limit = clock(result.meters["time"].limit)
    return f"{rate:.1f} images/s, start included ({within:,} images in {limit} at this pace)"


def _meter(meter: Meter) -> str:
    match meter.unit:
        case "s":
            used, limit = clock(meter.used), clock(meter.limit)
        case "bytes":
            used, limit = human_bytes(meter.used), human_bytes(meter.limit)
        case _:
            used, limit = f"{meter.used:.1f}", f"{meter.limit:.0f} cores on average"
    share = meter.share
    colour = "red" if share > 1 else "yellow" if share > 0.8 else "green"
    return f"{used} of {limit} [{colour}]({max(0.0, 1 - share):.0%} left)[/]"
