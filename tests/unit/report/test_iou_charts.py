"""Charts of the IoU of many images."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from posebowl.report.charts import BOTTOM
from posebowl.report.iou_charts import iou_by_size, iou_differences, iou_histogram, iou_pairs
from tests.unit.report.test_charts import points


def test_histogram_counts_every_image() -> None:
    ious = pl.Series([0.0, 0.01, 0.5, 0.99, 1.0])
    chart = iou_histogram(ious, mean=0.5, median=0.5)
    assert [bar.label for bar in chart.bars] == [
        "IoU 0.00 to 0.05: 2",
        "IoU 0.50 to 0.55: 1",
        "IoU 0.95 to 1.00: 2",
    ]
    assert chart.bars[0].height == pytest.approx(2 * chart.bars[1].height, abs=0.2)
    assert all(bar.y + bar.height == pytest.approx(BOTTOM) for bar in chart.bars)
    assert "40% of the images below 0.5" in chart.summary


def test_scatter_draws_at_most_1500_points() -> None:
    rng = np.random.default_rng(0)
    chart = iou_by_size(
        pl.Series(rng.uniform(4, 900, 20_000)), pl.Series(rng.uniform(0, 1, 20_000))
    )
    assert chart.dots.count("M") == 1500
    assert "1,500 of 20,000" in chart.x_label
    assert len(points(chart.line)) == 12


def test_scatter_of_one_image_has_no_line() -> None:
    chart = iou_by_size(pl.Series([50.0]), pl.Series([0.7]))
    assert chart.dots.count("M") == 1
    assert chart.line == ""


def test_pairs_of_ious_count_both_sides_of_the_diagonal() -> None:
    before, after = pl.Series([0.1, 0.5, 0.9, 0.3]), pl.Series([0.2, 0.5, 0.1, 0.3])
    chart = iou_pairs(before, after)
    assert "1 lie above" in chart.summary
    assert "1 below" in chart.summary
    assert chart.dots.count("M") == 4
    changes = iou_differences(before, after)
    assert "2 images that changed; 2 did not" in changes.summary
    assert sum(int(bar.label.rpartition(" ")[2]) for bar in changes.bars) == 2


@pytest.mark.parametrize("count", [1, 100_000])
def test_charts_of_pairs_stay_small(count: int) -> None:
    before, after = map(pl.Series, np.random.default_rng(0).random((2, count)))
    assert len(iou_pairs(before, after).dots) < 40_000
    assert len(iou_differences(before, after).bars) <= 40


def test_a_table_stands_behind_each_histogram() -> None:
    chart = iou_histogram(pl.Series(np.linspace(0, 1, 50)), mean=0.5, median=0.5)
    assert 3 < len(chart.rows) <= 20
    assert {len(row) for row in chart.rows} == {len(chart.columns)}
