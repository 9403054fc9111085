"""What a report says about the score: facts, charts, and a table by size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import polars as pl

from posebowl.report.charts import Chart
from posebowl.report.heat_maps import iou_by_position, iou_by_shape
from posebowl.report.insights import Weakness, weakest_group
from posebowl.report.iou_charts import iou_by_size, iou_histogram
from posebowl.scoring import TRUE_COLUMNS, Score

_SIZES: Final = (0, 32, 64, 128, 256, 512)


@dataclass(frozen=True, kw_only=True)
class SizeRow:
    """The score of the images whose true box has a size in a range."""

    sizes: str
    images: int
    mean_iou: float
    below_half: float


@dataclass(frozen=True, kw_only=True)
class ScoreView:
    """The score and how it is spread."""

    mean: float
    median: float
    facts: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]
    sizes: tuple[SizeRow, ...]
    weakness: Weakness | None


def score_view(score: Score) -> ScoreView | None:
    """Summarise a score; None if no image was scored."""
    if score.frame.is_empty():
        return None
    xmin, ymin, xmax, ymax = (pl.col(column).cast(pl.Float64) for column in TRUE_COLUMNS)
    size = ((xmax - xmin) * (ymax - ymin)).clip(lower_bound=1).sqrt()
    sizes, ious = score.frame.select(size.alias("size"), "iou").get_columns()
    facts = [
        ("images scored", f"{score.count:,}"),
        ("IoU ≥ 0.5", f"{_mean(ious >= 0.5):.0%}"),
        ("IoU ≥ 0.75", f"{_mean(ious >= 0.75):.0%}"),
        ("missed (IoU 0)", f"{(ious == 0).sum():,}"),
    ]
    if score.unscored:
        facts.append(("labels without prediction", f"{score.unscored:,}"))
    return ScoreView(
        mean=score.mean_iou,
        median=score.median_iou,
        facts=tuple(facts),
        charts=(
            iou_histogram(ious, mean=score.mean_iou, median=score.median_iou),
            iou_by_size(sizes, ious),
            iou_by_position(score.frame),
            iou_by_shape(score.frame),
        ),
        sizes=_size_rows(sizes, ious),
        weakness=weakest_group(score),
    )


def _size_rows(sizes: pl.Series, ious: pl.Series) -> tuple[SizeRow, ...]:
    rows = []
    for low, high in zip(_SIZES, (*_SIZES[1:], math.inf), strict=True):
        part = ious.filter((sizes >= low) & (sizes < high))
        if len(part):
            name = f"{low} to {high:.0f}" if low and high < math.inf else f"under {high:.0f}"
            rows.append(
                SizeRow(
                    sizes=name if high < math.inf else f"{low} and more",
                    images=len(part),
                    mean_iou=_mean(part),
                    below_half=_mean(part < 0.5),
                )
            )
    return tuple(rows)


def _mean(values: pl.Series) -> float:
    """Return the mean of numbers, or the share of what is true."""
    mean = values.mean()
    assert isinstance(mean, float)  # noqa: S101  # there are some: for the type checker
    return mean
