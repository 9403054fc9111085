"""Heat maps: the mean IoU, and the count, of images by position and by size of the true box."""

from __future__ import annotations

import itertools
from typing import Final

import polars as pl

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.report.charts import BOTTOM, LEFT, RIGHT, TOP, Cell, Chart, Scale, Tick
from posebowl.scoring import TRUE_COLUMNS

_ACROSS: Final = 8
_DOWN: Final = 6
_SIDES: Final = (0, 32, 64, 128, 256, 512, 2048)
"""Pixels: the groups of widths and of heights."""
_X, _Y, _X2, _Y2 = (pl.col(column) for column in TRUE_COLUMNS)


def iou_by_position(frame: pl.DataFrame) -> Chart:
    """Draw the mean IoU by where the centre of the true box lies in the photo.

    Args:
        frame: true boxes and iou, a row for each image.
    """
    columns = [round(i * IMAGE_WIDTH / _ACROSS) for i in range(_ACROSS + 1)]
    rows = [round(i * IMAGE_HEIGHT / _DOWN) for i in range(_DOWN + 1)]
    x = Scale(low=0, high=IMAGE_WIDTH, start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=IMAGE_HEIGHT, start=TOP, stop=BOTTOM)
    cells = _cells(
        frame.select(across=(_X + _X2) / 2, up=(_Y + _Y2) / 2, iou="iou"),
        [(x(low), x(high), low, high) for low, high in itertools.pairwise(columns)],
        [(y(low), y(high), low, high) for low, high in itertools.pairwise(rows)],
        keys=("cx", "cy"),
        words=("centre at x", "y"),
    )
    return _chart(
        cells,
        name="position",
        title="Mean IoU by position",
        what="the centre of the true box in the photo",
        axes=("x of the true box's centre", "y"),
        x_ticks=tuple(Tick(at=x(v), label=f"{v}") for v in columns[::2]),
        y_ticks=tuple(Tick(at=y(v), label=f"{v}") for v in rows[::2]),
    )


def iou_by_shape(frame: pl.DataFrame) -> Chart:
    """Draw the mean IoU by width and height of the true box; see `iou_by_position`."""
    groups = len(_SIDES) - 1
    x = Scale(low=0, high=groups, start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=groups, start=BOTTOM, stop=TOP)
    pairs = list(enumerate(itertools.pairwise(_SIDES)))
    cells = _cells(
        frame.select(across=_X2 - _X, up=_Y2 - _Y, iou="iou"),
        [(x(i), x(i + 1), low, high) for i, (low, high) in pairs],
        [(y(i + 1), y(i), low, high) for i, (low, high) in pairs],
        keys=("w", "h"),
        words=("width", "height"),
    )
    return _chart(
        cells,
        name="shape",
        title="Mean IoU by width and height",
        what="the width and the height of the true box",
        axes=("width of the true box in pixels", "height"),
        x_ticks=tuple(Tick(at=x(i), label=f"{side}") for i, side in enumerate(_SIDES[:-1])),
        y_ticks=tuple(Tick(at=y(i), label=f"{side}") for i, side in enumerate(_SIDES[:-1])),
    )


Band = tuple[float, float, int, int]
"""A column or row of cells: its two edges in the drawing, and the values it holds, low..high."""


def _cells(
    points: pl.DataFrame,
    across: list[Band],
    up: list[Band],
    *,
    keys: tuple[str, str],
    words: tuple[str, str],
) -> tuple[Cell, ...]:
    """Return the cells that hold an image."""
    groups = points.group_by(
        _band("across", across).alias("column"), _band("up", up).alias("row")
    ).agg(pl.len().alias("count"), pl.mean("iou").alias("mean"))
    cells = []
    for column, row, count, mean in groups.sort("row", "column").iter_rows():
        (left, right, x_low, x_high), (top, bottom, y_low, y_high) = across[column], up[row]
        x_text, y_text = f"{words[0]} {x_low} to {x_high}", f"{words[1]} {y_low} to {y_high}"
        cells.append(
            Cell(
                x=left + 0.5,
                y=top + 0.5,
                width=round(right - left - 1, 1),
                height=round(bottom - top - 1, 1),
                heat=round((1 - mean) * 0.6, 2),
                value=f"{mean:.2f}",
                count=f"{count:,}",
                label=f"{x_text}, {y_text}: mean IoU {mean:.2f}, {count:,}",
                pick=f"{keys[0]} {x_low} {_end(across, column)} {keys[1]} {y_low} {_end(up, row)}",
                row=(x_text, y_text, f"{mean:.3f}", f"{count:,}"),
            )
        )
    return tuple(cells)


def _end(bands: list[Band], number: int) -> int:
    """Return the value at which a band ends; the last holds its end too."""
    return bands[number][3] + (number == len(bands) - 1)


def _band(column: str, bands: list[Band]) -> pl.Expr:
    """Return the number of the band that holds a value; what lies beyond is in the last."""
    inner = (pl.col(column) >= low for _, _, low, _ in bands[1:])
    return pl.sum_horizontal(inner)


def _chart(
    cells: tuple[Cell, ...],
    *,
    name: str,
    title: str,
    what: str,
    axes: tuple[str, str],
    x_ticks: tuple[Tick, ...],
    y_ticks: tuple[Tick, ...],
) -> Chart:
    low = min(cells, key=lambda cell: cell.value)
    return Chart(
        name=name,
        title=title,
        summary=f"Mean IoU and number of images by {what}. Lowest: {low.label} images.",
        x_label=axes[0],
        y_label=axes[1],
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        cells=cells,
        columns=("Across", "Down" if name == "position" else "Up", "Mean IoU", "Images"),
        rows=tuple(cell.row for cell in cells),
    )
