"""Charts as plain geometry: numbers in, coordinates of an SVG of WIDTH by HEIGHT out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 360
HEIGHT: Final = 200
LEFT, RIGHT, TOP, BOTTOM = 52.0, 350.0, 14.0, 168.0
"""The plotting area inside the SVG."""

_MOST_POINTS: Final = 1500

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
    line2: str = ""
    """A second line, dashed; then both are named by `names`."""
    names: tuple[str, ...] = ()
    area: str = ""
    dots: str = ""
    marks: tuple[Tick, ...] = ()
    """Vertical lines with a label."""
    levels: tuple[Tick, ...] = ()
    """Horizontal lines with a label."""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """The same as a table, for readers who do not see the chart; its columns are `columns`."""


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
    bars = _bars(counts, edges, x, y, "IoU")
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
        columns=("IoU", "Images"),
        rows=_bar_rows(bars),
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


def iou_pairs(before: Floats, after: Floats) -> Chart:
    """Draw the IoU of each image in two runs against each other.

    Args:
        before: IoU of each image (n,) in the first run.
        after: IoU of the same images (n,) in the second.
    """
    x = Scale(low=0, high=1, start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=1, start=BOTTOM, stop=TOP)
    order = np.argsort(after - before, kind="stable")
    shown = order[np.linspace(0, len(order) - 1, min(len(order), _MOST_POINTS)).astype(int)]
    better, worse = int((after > before).sum()), int((after < before).sum())
    ticks = [v / 4 for v in range(5)]
    return Chart(
        name="pairs",
        title="IoU of each image, before and after",
        summary=f"IoU of {len(before):,} images in both runs: {better:,} lie above the diagonal, "
        f"which is better after, and {worse:,} below it.",
        x_label="IoU before",
        y_label="IoU after",
        x_ticks=tuple(Tick(at=x(v), label=f"{v:g}") for v in ticks),
        y_ticks=tuple(Tick(at=y(v), label=f"{v:g}") for v in ticks),
        dots="".join(f"M{x(float(before[i]))} {y(float(after[i]))}h0" for i in shown),
        line=polyline([(x(0), y(0)), (x(1), y(1))]),
    )


def iou_differences(before: Floats, after: Floats, bins: int = 40) -> Chart:
    """Draw how many images gained or lost how much; those that stayed are told, not drawn."""
    changed = (after - before)[np.abs(after - before) > 1e-9]
    reach = max(0.05, min(1.0, float(np.abs(changed).max(initial=0.0))))
    counts, edges = np.histogram(changed, bins=bins, range=(-reach, reach))
    top = max(int(counts.max(initial=0)), 1) * 1.06
    values = [sign * v for v in steps(reach * 0.95, count=2) for sign in ((-1, 1) if v else (1,))]
    x = Scale(low=-reach, high=reach, start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=top, start=BOTTOM, stop=TOP)
    bars = _bars(counts, edges, x, y, "change")
    return Chart(
        name="differences",
        title="Change of IoU",
        summary=f"Histogram of the change of IoU of {changed.size:,} images that changed; "
        f"{before.size - changed.size:,} stayed as they were.",
        x_label="IoU after minus IoU before",
        y_label="images that changed",
        x_ticks=tuple(Tick(at=x(v), label=f"{v:+g}" if v else "0") for v in values),
        y_ticks=tuple(Tick(at=y(v), label=f"{v:,.0f}") for v in steps(top, whole=True)),
        bars=bars,
        columns=("Change of IoU", "Images"),
        rows=_bar_rows(bars),
        marks=(Tick(at=x(0), label="no change"),),
    )


def _bars(
    counts: NDArray[np.integer], edges: Floats, x: Scale, y: Scale, of: str
) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            x=round(x(low) + 0.6, 1),
            y=y(int(count)),
            width=round(x(high) - x(low) - 1.2, 1),
            height=round(BOTTOM - y(int(count)), 1),
            label=f"{of} {low:.2f} to {high:.2f}: {int(count):,}",
        )
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
        if count
    )


def _bar_rows(bars: tuple[Bar, ...]) -> tuple[tuple[str, ...], ...]:
    words = (bar.label.rpartition(": ") for bar in bars)
    return tuple((of.partition(" ")[2], count) for of, _, count in words)


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
