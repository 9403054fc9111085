"""The numbers of two runs side by side, and which way each is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from posebowl.results.meters import METERS
from posebowl.results.result import Result

SAME: Final = 1e-9
"""Less is no change of an IoU."""
_UNLIKE_CORES: Final = 0.5
"""Times are not comparable if others used this many more cores in one run than in the other."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number of both runs."""

    name: str
    unit: str
    """"IoU", "images/s", "s", "bytes" or "cores"."""
    before: float | None
    after: float | None
    good: Literal["more", "less", ""]
    """Which way is better; empty if neither is."""

    @property
    def change(self) -> float | None:
        """After minus before."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before

    @property
    def ratio(self) -> float | None:
        """After divided by before."""
        if not self.before or self.after is None:
            return None
        return self.after / self.before

    @property
    def mood(self) -> Literal["better", "worse", ""]:
        """Whether the change is for the better; one percent of speed or memory is noise."""
        change = self.change
        least = SAME if self.unit == "IoU" else abs(self.before or 0.0) / 100
        if change is None or not self.good or abs(change) <= least:
            return ""
        return "better" if (change > 0) == (self.good == "more") else "worse"


def figures(a: Result, b: Result) -> tuple[Figure, ...]:
    """Return the numbers of two runs that either has."""

    def pair(name: str, unit: str, good: Literal["more", "less", ""], *of: float | None) -> Figure:
        return Figure(name=name, unit=unit, good=good, before=of[0], after=of[1])

    scores, times = (a.score, b.score), (a.timing, b.timing)
    found = [
        pair("Mean IoU", "IoU", "more", *(s.mean_iou if s else None for s in scores)),
        pair("Median IoU", "IoU", "more", *(s.median_iou if s else None for s in scores)),
        pair(
            "Speed",
            "images/s",
            "" if unlike_load(a, b) else "more",
            *(t.images_per_second if t else None for t in times),
        ),
        pair(
            "CPU time of an image", "s", "less", *(t.cpu_s_per_image if t else None for t in times)
        ),
    ]
    for name, kind in METERS.items():
        used = (meter.used if meter else None for meter in (a.meters.get(name), b.meters.get(name)))
        judged = kind.less_is_better and not (name == "time" and unlike_load(a, b))
        found.append(pair(kind.label, kind.unit, "less" if judged else "", *used))
    return tuple(figure for figure in found if not figure.before is figure.after is None)


def unlike_load(a: Result, b: Result) -> bool:
    """Check whether other programs disturbed one run more than the other."""
    return abs((a.other_cores or 0.0) - (b.other_cores or 0.0)) > _UNLIKE_CORES
