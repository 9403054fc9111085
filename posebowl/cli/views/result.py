"""The short table at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from posebowl.errors import Verdict
from posebowl.results import PLATFORM, Meter, Result, kind_of
from posebowl.util.console import lines, plain, print_table
from posebowl.util.hints import typed
from posebowl.util.text import counted
from posebowl.util.units import duration, quantity

Rows = Sequence[tuple[str, Text]]

_WIDEST_NAME = 11
"""The names of all rows fit, so that what is printed later stands in the same columns."""
_FILES = {"Predictions": "submission.csv", "Log file": "log.txt", "Report": "report.html"}


def show(result: Result, out: Path, console: Console, before: Rows = ()) -> Rows:
    """Print verdict, score, speed, what is left of each limit, and the files that are there.

    Args:
        result: The run.
        out: Where its files are.
        console: Where to print.
        before: What this printed already, when less was known: only what is new is printed, unless
            the verdict has changed.

    Returns:
        The rows printed by now.
    """
    known = rows(result, out)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=_WIDEST_NAME)
    table.add_column(overflow="fold")
    news = [row for row in known if row not in before] if known[0] in before else known
    for name, value in news:
        table.add_row(name, value)
    if known[0] not in before:
        console.print()
    if news:
        print_table(table, console)
    return known


def rows(result: Result, out: Path) -> Rows:
    """Return the table's rows: a name, and a text with its colours."""
    colour = "bold green" if result.verdict is Verdict.OK else "bold red"
    verdict = Text.assemble((str(result.verdict), colour), " ", lines(result.message))
    found = [("Verdict", verdict)]
    if result.fix:
        found.append(("What next", lines(typed(result.fix))))
    if result.reached:
        found.append(("Reached", plain(" ".join(result.reached))))
    if result.failure is not None:
        named = {"First error": result.failure.error, "Failed at": result.failure.place}
        found.extend((name, plain(text)) for name, text in named.items() if text)
    if result.score is not None:
        images = result.part or counted(result.score.images, "image")
        rest = f" (median {result.score.median_iou:.4f}, {images})"
        mean = Text.assemble((f"{result.score.mean_iou:.4f}", "bold"), rest)
        found.append(("Mean IoU", mean))
    elif result.verdict is Verdict.OK:
        found.append(("Mean IoU", Text("not scored: the data has no labels")))
    if result.part:
        found.append(("Only", Text(f"{result.part}: a quick look, not the score of all", "yellow")))
    if speed := _speed(result):
        found.append(("Speed", Text(speed)))
    if result.on_platform is not None:
        over = result.on_platform.high > PLATFORM.wall_time_s
        found.append(("Platform", Text(result.on_platform.text, "yellow" if over else "")))
    found.extend((kind_of(name).label, _meter(meter)) for name, meter in result.meters.items())
    found.extend(("Differs", plain(f"{k}: {v}")) for k, v in result.unenforced.items())
    found.extend(("Warning", plain(typed(text), "yellow")) for text in result.warnings)
    if result.engine:
        found.append(("Engine", plain(f"{result.engine} ({result.variant})")))
    files = ((name, out / file) for name, file in _FILES.items())
    found.extend((name, plain(str(path))) for name, path in files if path.is_file())
    return found


def _speed(result: Result) -> str:
    timing, meter = result.timing, result.meters.get("time")
    if timing is None or timing.images_per_second is None or meter is None:
        return ""
    rate = timing.images_per_second
    within = f"{int(rate * meter.limit):,} images in {duration(meter.limit)} at this pace"
    used = timing.cpu_s_per_image
    cpu = f", {duration(used)} of CPU time an image" if used else ""
    return f"{rate:.1f} images/s, start included{cpu} ({within})"


def _meter(meter: Meter) -> Text:
    if meter.unit == "cores":
        used, limit = f"{meter.used:.1f}", f"{meter.limit:.0f} cores on average"
    else:
        used, limit = quantity(meter.used, meter.unit), quantity(meter.limit, meter.unit)
    share = meter.share
    colour = "red" if share > 1 else "yellow" if share > 0.8 else "green"
    return Text.assemble(f"{used} of {limit} ", (f"({meter.room})", colour))
