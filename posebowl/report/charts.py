"""Charts as plain geometry: numbers in, coordinates of an SVG of WIDTH by HEIGHT out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from posebowl.engines.base import Sample
from posebowl.files import human_bytes
from posebowl.report.text import duration

WIDTH: Final = 360
HEIGHT: Final = 200
LEFT, RIGHT, TOP, BOTTOM = 52.0, 350.0, 14.0, 168.0
"""The plotting area inside the SVG."""

_MOST_POINTS: Final = 1500
_MOST_SAMPLES: Final = 300
_SPANS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps values low..high to coordinates start..stop, by their logarithm if so asked."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value, kept within the ends."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        share = (at - low) / (high - low) if high > low else 0.0
        return round(self.start + share * (self.stop - self.start), 1)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A place on an axis, with its label."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar of a histogram; `label` says in words what it counts."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """All that a template needs to draw one chart."""

    width: ClassVar = WIDTH
    height: ClassVar = HEIGHT
    left: ClassVar = LEFT
    right: ClassVar = RIGHT
    top: ClassVar = TOP
    bottom: ClassVar = BOTTOM

    name: str
    title: str
    summary: str
    """What a reader who does not see the chart should know."""
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...] = ()
    line: str = ""
    area: str = ""
    dots: str = ""
    marks: tuple[Tick, ...] = ()
    """Vertical lines with a label."""
    levels: tuple[Tick, ...] = ()
    """Horizontal lines with a label."""


def iou_histogram(ious: Floats, *, mean: float, median: float, bins: int = 20) -> Chart:
    """Draw how many images reach which IoU.

    Args:
        ious: The IoU of each image (n,), in 0..1.
        mean: Marked by a line.
        median: Marked by a line.
        bins: Bars of equal width.
    """
    counts, edges = np.histogram(ious, bins=bins, range=(0.0, 1.0))
    top = max(int(counts.max(initial=0)), 1) * 1.06
    x = Scale(low=0, high=1, start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=top, start=BOTTOM, stop=TOP)
    bars = tuple(
        Bar(
            x=round(x(low) + 0.8, 1),
            y=y(int(count)),
            width=round(x(high) - x(low) - 1.6, 1),
            height=round(BOTTOM - y(int(count)), 1),
            label=f"IoU {low:.2f} to {high:.2f}: {int(count):,}",
        )
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
        if count
    )
    low_share = float((ious < 0.5).mean()) if ious.size else 0.0
    return Chart(
        name="histogram",
        title="Distribution of IoU",
        summary=f"Histogram of IoU over {ious.size:,} images: mean {mean:.3f}, median "
        f"{median:.3f}, {low_share:.0%} of the images below 0.5.",
        x_label="IoU",
        y_label="images",
        x_ticks=tuple(Tick(at=x(v / 4), label=f"{v / 4:g}") for v in range(5)),
        y_ticks=tuple(Tick(at=y(v), label=f"{v:,.0f}") for v in steps(top, whole=True)),
        bars=bars,
        marks=(
            Tick(at=x(mean), label=f"mean {mean:.2f}"),
            Tick(at=x(median), label=f"median {median:.2f}"),
        ),
    )


def iou_by_size(sizes: Floats, ious: Floats) -> Chart:
    """Draw IoU against the size of the true box, with the median of groups of sizes.

    Args:
        sizes: The square root of the true box's area (n,), in pixels.
        ious: The IoU of each image (n,).
    """
    low = max(float(sizes.min(initial=1024.0)) / 1.1, 1.0)
    high = max(float(sizes.max(initial=1.0)) * 1.1, low * 2)
    x = Scale(low=low, high=high, start=LEFT, stop=RIGHT, log=True)
    y = Scale(low=0, high=1, start=BOTTOM, stop=TOP)
    shown = np.linspace(0, len(sizes) - 1, min(len(sizes), _MOST_POINTS)).astype(int)
    dots = "".join(f"M{x(float(sizes[i]))} {y(float(ious[i]))}h0" for i in shown)
    some = f" ({len(shown):,} of {len(sizes):,} drawn)" if len(shown) < len(sizes) else ""
    trend = [(x(size), y(iou)) for size, iou in _medians(sizes, ious)]
    ticks = [2.0**power for power in range(12) if low <= 2.0**power <= high]
    return Chart(
        name="size",
        title="IoU against box size",
        summary=f"IoU of {len(sizes):,} images against the size of the true box, "
        f"{low:.0f} to {high:.0f} pixels{some}; the line joins the medians of groups of sizes.",
        x_label=f"size of the true box: √area in pixels{some}",
        y_label="IoU",
        x_ticks=tuple(Tick(at=x(v), label=f"{v:.0f}") for v in ticks),
        y_ticks=tuple(Tick(at=y(v / 4), label=f"{v / 4:g}") for v in range(5)),
        dots=dots,
        line=polyline(trend) if len(trend) > 1 else "",
    )


def _medians(sizes: Floats, ious: Floats) -> list[tuple[float, float]]:
    """Split images into groups of like size, and give each group's median size and IoU."""
    groups = min(12, len(sizes) // 6)
    if groups < 2:
        return []
    order = np.argsort(sizes, kind="stable")
    return [
        (float(np.median(sizes[part])), float(np.median(ious[part])))
        for part in np.array_split(order, groups)
    ]


def memory_over_time(samples: Sequence[Sample], *, limit: float | None) -> Chart | None:
    """Draw memory over time; None where there are too few samples."""
    points = [(s.elapsed_s, float(s.memory_bytes)) for s in samples]
    peak = max((value for _, value in points), default=0.0)
    return _over_time(
        points,
        name="memory",
        title="Memory over time",
        summary=f"Memory over time; the highest sample is {human_bytes(peak)}.",
        y_label="memory",
        limit=limit,
        binary=True,
    )


def cpu_over_time(samples: Sequence[Sample], *, limit: float | None) -> Chart | None:
    """Draw busy processor cores over time; None where there are too few samples."""
    points = [
        (b.elapsed_s, max(0.0, (b.cpu_s - a.cpu_s) / (b.elapsed_s - a.elapsed_s)))
        for a, b in itertools.pairwise(samples)
        if b.elapsed_s > a.elapsed_s
    ]
    peak = max((value for _, value in points), default=0.0)
    return _over_time(
        points,
        name="cpu",
        title="CPU over time",
        summary=f"Busy processor cores over time; at most {peak:.1f}.",
        y_label="busy cores",
        limit=limit,
        binary=False,
    )


def _over_time(
    points: Sequence[tuple[float, float]],
    *,
    name: str,
    title: str,
    summary: str,
    y_label: str,
    limit: float | None,
    binary: bool,
) -> Chart | None:
    points = thin([(t, v) for t, v in points if math.isfinite(t) and math.isfinite(v)])
    if len(points) < 2:
        return None
    peak = max(value for _, value in points)
    # A limit far above what was used would press the curve flat: it is told, not drawn.
    near = limit is not None and 0 < limit <= 2.5 * peak
    top = max(peak, limit or 0.0) * 1.05 if near else peak * 1.15
    top = top or 1.0
    x = Scale(low=0, high=points[-1][0], start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=top, start=BOTTOM, stop=TOP)
    line = polyline([(x(time), y(value)) for time, value in points])
    values = binary_steps(top) if binary else steps(top)
    return Chart(
        name=name,
        title=title,
        summary=f"{summary} The run took {duration(points[-1][0])}.",
        x_label="time since main.sh started",
        y_label=y_label,
        x_ticks=tuple(Tick(at=x(v), label=_short_time(v)) for v in spans(points[-1][0])),
        y_ticks=tuple(Tick(at=y(v), label=_short_bytes(v) if binary else f"{v:g}") for v in values),
        line=line,
        area=f"{line}V{BOTTOM}H{x(points[0][0])}Z",
        levels=(Tick(at=y(limit), label="limit"),) if near and limit is not None else (),
    )


def thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep the highest point of each of at most 300 stretches, so that peaks stay."""
    if len(points) <= _MOST_SAMPLES:
        return list(points)
    size = math.ceil(len(points) / _MOST_SAMPLES)
    chunks = (points[i : i + size] for i in range(0, len(points), size))
    return [max(chunk, key=lambda point: point[1]) for chunk in chunks]


def polyline(points: Iterable[tuple[float, float]]) -> str:
    """Write the path through points."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def steps(top: float, *, whole: bool = False, count: int = 4) -> list[float]:
    """Choose round values 0..top, `count` steps or fewer: 1, 2 or 5 times a power of ten."""
    raw = top / count
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * 0.999)
    step = max(step, 1.0) if whole else step
    return [round(i * step, 10) for i in range(int(top / step + 1e-9) + 1)]


def binary_steps(top: float, count: int = 4) -> list[float]:
    """Choose round numbers of bytes 0..top: powers of two."""
    step = 2.0 ** math.ceil(math.log2(max(top / count, 1.0)))
    return [i * step for i in range(int(top / step) + 1)]


def spans(end: float, count: int = 5) -> list[float]:
    """Choose round times 0..end, in seconds."""
    step = next((s for s in _SPANS if s * count >= end), end / count)
    return [round(i * step, 3) for i in range(int(end / step + 1e-9) + 1)] if step else [0.0]


def _short_bytes(count: float) -> str:
    """Label an axis: human_bytes without a needless `.0`."""
    return human_bytes(count).replace(".0 ", " ") if count else "0"


def _short_time(seconds: float) -> str:
    """Label an axis: a duration without a needless `.0`."""
    return duration(seconds).replace(".0 ", " ") if seconds else "0"
