"""Heat maps of the IoU."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from posebowl.report.charts import BOTTOM, LEFT, RIGHT, TOP, Chart
from posebowl.report.heat_maps import iou_by_position, iou_by_shape
from posebowl.scoring.metric import score
from tests.report_samples import Box, names, table

TRUTH: list[Box] = [
    (0, 0, 20, 20),
    (10, 10, 30, 40),
    (1270, 1014, 1280, 1024),
    (1280, 1024, 1280, 1024),
    (0, 0, 1280, 1024),
]
NEAR: list[Box] = [(0, 0, 20, 20), (10, 10, 30, 25), *TRUTH[2:]]
FRAME = score(table(names(5), NEAR), table(names(5), TRUTH)).frame


def test_cells_hold_count_and_mean_by_position() -> None:
    chart = iou_by_position(FRAME)
    rows = {row[:2]: row[2:] for row in chart.rows}
    assert rows == {
        ("centre at x 0 to 160", "y 0 to 171"): ("0.750", "2"),
        ("centre at x 1120 to 1280", "y 853 to 1024"): ("0.500", "2"),
        ("centre at x 640 to 800", "y 512 to 683"): ("1.000", "1"),
    }
    assert chart.cells[-1].pick == "cx 1120 1281 cy 853 1025"


def test_cells_hold_count_and_mean_by_width_and_height() -> None:
    rows = {row[:2]: row[2:] for row in iou_by_shape(FRAME).rows}
    assert rows == {
        ("width 0 to 32", "height 0 to 32"): ("0.625", "4"),
        ("width 512 to 2048", "height 512 to 2048"): ("1.000", "1"),
    }


@pytest.mark.parametrize("draw", [iou_by_position, iou_by_shape])
def test_cells_lie_in_the_plot_and_do_not_overlap(
    draw: Callable[[pl.DataFrame], Chart],
) -> None:
    cells = draw(FRAME).cells
    for cell in cells:
        assert LEFT <= cell.x < cell.x + cell.width <= RIGHT
        assert TOP <= cell.y < cell.y + cell.height <= BOTTOM
        assert 0 <= cell.heat <= 0.6
    assert len({(cell.x, cell.y) for cell in cells}) == len(cells)
