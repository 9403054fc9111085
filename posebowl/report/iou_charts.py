"""Charts of the IoU of many images, apart from the others: a run without labels has none."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import polars as pl

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
from posebowl.report.gallery import spread

_MOST_POINTS: Final = 1500


def iou_histogram(ious: pl.Series, *, mean: float, median: float) -> Chart:
    """Draw how many images reach which IoU.

    Args:
        ious: The IoU of each image (n,), in 0..1.
        mean: Marked by a line.
        median: Marked by a line.
    """
    counts = _counts(ious, 0.0, 1.0, 20)
    top = max(1, *(count for _, _, count in counts)) * 1.06
    x = Scale(low=0, high=1, start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=top, start=BOTTOM, stop=TOP)
    bars = _bars(counts, x, y, "IoU", key="twentieth")
    low_share = (ious < 0.5).sum() / max(len(ious), 1)
    return Chart(
        name="histogram",
        title="Distribution of IoU",
        summary=f"Histogram of IoU over {len(ious):,} images: mean {mean:.3f}, median "
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


def iou_by_size(sizes: pl.Series, ious: pl.Series) -> Chart:
    """Draw IoU against the size of the true box, with the median of groups of sizes.

    Args:
        sizes: The square root of the true box's area (n,), in pixels.
        ious: The IoU of each image (n,).
    """
    low = max(min(sizes, default=1024.0) / 1.1, 1.0)
    high = max(max(sizes, default=1.0) * 1.1, low * 2)
    x = Scale(low=low, high=high, start=LEFT, stop=RIGHT, log=True)
    y = Scale(low=0, high=1, start=BOTTOM, stop=TOP)
    shown = spread(range(len(sizes)), _MOST_POINTS)
    dots = _dots(sizes.gather(shown), ious.gather(shown), x, y)
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
        near=f"size {low} {high} log iou 0 1 linear",
        line=polyline(trend) if len(trend) > 1 else "",
    )


def iou_pairs(before: pl.Series, after: pl.Series) -> Chart:
    """Draw the IoU of each image in two runs against each other.

    Args:
        before: IoU of each image (n,) in the first run.
        after: IoU of the same images (n,) in the second.
    """
    x = Scale(low=0, high=1, start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=1, start=BOTTOM, stop=TOP)
    shown = (after - before).arg_sort().gather(spread(range(len(before)), _MOST_POINTS))
    better, worse = (after > before).sum(), (after < before).sum()
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
        dots=_dots(before.gather(shown), after.gather(shown), x, y),
        line=polyline([(x(0), y(0)), (x(1), y(1))]),
    )


def iou_differences(before: pl.Series, after: pl.Series, bins: int = 40) -> Chart:
    """Draw by how much images gained or lost; those that did not change are only counted."""
    change = after - before
    changed = change.filter(change.abs() > 1e-9)
    reach = max(0.05, min(1.0, max(changed.abs(), default=0.0)))
    counts = _counts(changed, -reach, reach, bins)
    top = max(1, *(count for _, _, count in counts)) * 1.06
    values = [sign * v for v in steps(reach * 0.95, count=2) for sign in ((-1, 1) if v else (1,))]
    x = Scale(low=-reach, high=reach, start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=top, start=BOTTOM, stop=TOP)
    bars = _bars(counts, x, y, "change")
    return Chart(
        name="differences",
        title="Change of IoU",
        summary=f"Histogram of the change of IoU of {len(changed):,} images that changed; "
        f"{len(before) - len(changed):,} did not change.",
        x_label="IoU after minus IoU before",
        y_label="images that changed",
        x_ticks=tuple(Tick(at=x(v), label=f"{v:+g}" if v else "0") for v in values),
        y_ticks=tuple(Tick(at=y(v), label=f"{v:,.0f}") for v in steps(top, whole=True)),
        bars=bars,
        columns=("Change of IoU", "Images"),
        rows=_bar_rows(bars),
        marks=(Tick(at=x(0), label="no change"),),
    )


def _counts(
    values: pl.Series, low: float, high: float, bins: int
) -> list[tuple[float, float, int]]:
    """Return the ends of bins of equal width, and how many values lie in each."""
    width = (high - low) / bins
    of_each = ((values - low) / width).floor().clip(0, bins - 1).cast(pl.Int64).value_counts()
    counts = dict(of_each.iter_rows())
    return [(low + i * width, low + (i + 1) * width, counts.get(i, 0)) for i in range(bins)]


def _dots(across: pl.Series, up: pl.Series, x: Scale, y: Scale) -> str:
    return "".join(f"M{x(a)} {y(b)}h0" for a, b in zip(across, up, strict=True))


def _bars(
    counts: Sequence[tuple[float, float, int]], x: Scale, y: Scale, of: str, key: str = ""
) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            x=round(x(low) + 0.6, 1),
            y=y(count),
            width=round(x(high) - x(low) - 1.2, 1),
            height=round(BOTTOM - y(count), 1),
            label=f"{of} {low:.2f} to {high:.2f}: {count:,}",
            pick=f"{key} {number} {number + 1}" if key else "",
        )
        for number, (low, high, count) in enumerate(counts)
        if count
    )


def _bar_rows(bars: tuple[Bar, ...]) -> tuple[tuple[str, ...], ...]:
    words = (bar.label.rpartition(": ") for bar in bars)
    return tuple((of.partition(" ")[2], count) for of, _, count in words)


def _medians(sizes: pl.Series, ious: pl.Series) -> list[tuple[float, float]]:
    """Return the median size and IoU of each group of images of similar size."""
    groups = min(12, len(sizes) // 6)
    if groups < 2:
        return []
    table = pl.DataFrame({"size": sizes, "iou": ious}).sort("size", maintain_order=True)
    ends = [table.height * i // groups for i in range(groups + 1)]
    return [table[start:end].median().row(0) for start, end in itertools.pairwise(ends)]
