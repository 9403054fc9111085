"""The leaderboard as a page that looks like the report and, like it, loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from posebowl.batch.leaderboard import Row, data_name
from posebowl.batch.plan import Plan
from posebowl.batch.ranking import Standing
from posebowl.engines.oci import image
from posebowl.errors import Verdict
from posebowl.report import fill
from posebowl.util.text import counted, shorten
from posebowl.util.units import duration, human_bytes, quantity

_NONE: Final = "-"


_MOST_COLUMNS: Final = 2
"""More subsets than these stand below the name."""
REFRESH_S: Final = 15
"""How often the page loads itself again while runs go on."""


def render(plan: Plan, lines: Sequence[Row], subset: str = "", *, live: bool = False) -> str:
    """Return leaderboard.html, of all images or of a subset; a live one refreshes itself."""
    subsets = [*dict.fromkeys(name for line in lines for name in line.subsets)]
    columns = [(f"part-{at}", name) for at, name in enumerate(subsets)]
    passed = sum(line.verdict is Verdict.OK for line in lines)
    faults = sum(line.verdict.is_infrastructure_failure for line in lines)
    best = next((line.mean_iou for line in lines if line.mean_iou is not None), None)
    times = [line.wall_s for line in lines if line.wall_s is not None]
    return fill(
        "leaderboard.html.j2",
        scripts=("board.js",),
        state="pass" if passed == len(lines) else "unsure" if passed else "fail",
        data=shorten(data_name(plan), 120),
        passed=passed,
        faults=counted(faults, "run") if faults else "",
        images=counted(lines[0].images, "image"),
        subset=subset,
        refresh=REFRESH_S if live else 0,
        subsets=subsets,
        columns=columns if len(subsets) <= _MOST_COLUMNS else [],
        unranked=plan.whole.labels is None,
        best="" if best is None else f"{best:.4f}",
        facts=[
            ("submissions", f"{len(lines):,}"),
            ("running time of all", duration(sum(times))),
        ],
        rows=[_cells(line) for line in lines],
        duels=[line for line in lines if line.beats],
        shards=len(plan.shards),
        pairs=_pairs(plan),
    )


def _cells(line: Row) -> dict[str, Any]:
    return {
        "rank": _NONE if line.rank is None else line.rank,
        "ranks": line.ranks,
        "team": shorten(line.team, 120),
        "beats_next": "" if line.beats_next is None else f"{line.beats_next:.0%}",
        "subsets": [_place(place) for place in line.subsets.values()],
        "repeats": shorten(line.repeats, 300),
        "speed_rank": line.speed_rank or "",
        "submission": shorten(line.submission, 120),
        "whole": shorten(line.submission, 1000),
        "mean": _NONE if line.mean_iou is None else f"{line.mean_iou:.4f}",
        "median": _NONE if line.median_iou is None else f"{line.median_iou:.4f}",
        "verdict": line.verdict,
        "state": "pass" if line.verdict is Verdict.OK else "fail",
        "message": shorten(line.message, 300),
        "retried": [shorten(text, 200) for text in line.retried],
        "speed": _NONE if line.images_per_second is None else f"{line.images_per_second:,.1f}",
        "time": _NONE if line.wall_s is None else duration(line.wall_s),
        "seconds": line.wall_s,
        "bytes": line.peak_memory_bytes,
        "memory": _NONE if line.peak_memory_bytes is None else human_bytes(line.peak_memory_bytes),
        "machines": [shorten(text, 200) for text in line.machines],
        "unenforced": [shorten(text, 300) for text in line.unenforced],
        "warnings": [shorten(text, 300) for text in line.warnings],
        "report": line.report,
        "log": line.log,
    }


def _place(place: Standing) -> str:
    """Return mean, rank, and places gained against the first subset: `0.7312 · 2 (up 1)`."""
    moved = place.moved or 0
    way = f" ({'up' if moved > 0 else 'down'} {abs(moved)})" if moved else ""
    return f"{place.mean_iou:.4f} · {place.rank}{way}"


def _shards(plan: Plan) -> str:
    if plan.sample is None:
        return "none"
    checked = counted(len(plan.sample.entries), "image")
    return f"{len(plan.shards):,}, checked with {checked} that ran at once"


def _pairs(plan: Plan) -> list[tuple[str, str]]:
    options = plan.options
    limits = options.limits
    return [
        ("Variant", options.variant),
        ("Engine", options.engine or "the first that works on each machine"),
        ("Runtime", options.runtime or "that of the engine"),
        ("Time limit", quantity(limits.wall_time_s, "s")),
        ("Memory limit", quantity(limits.memory_bytes, "bytes")),
        ("Cores", str(limits.cpus)),
        ("Limits waived", ", ".join(sorted(options.waived)) or "none"),
        ("Shards", _shards(plan)),
        ("Data hash", plan.whole.digest),
        ("Lock", image.lock_hash()),
    ]
