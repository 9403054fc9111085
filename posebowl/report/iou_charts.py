"""Charts of the IoU of many images, apart from the others: a run without labels has none."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from posebowl.report.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Bar,
    Chart,
    Scale,
    Tick,
    polyline,
    steps,
)

_MOST_POINTS: Final = 1500

Floats = NDArray[np.float64]


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
    """Draw by how much images gained or lost; those that did not change are only counted."""
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
        f"{before.size - changed.size:,} did not change.",
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
    """Return the median size and IoU of each group of images of similar size."""
    groups = min(12, len(sizes) // 6)
    if groups < 2:
        return []
    order = np.argsort(sizes, kind="stable")
    return [
        (float(np.median(sizes[part])), float(np.median(ious[part])))
        for part in np.array_split(order, groups)
    ]
