"""Which images a report shows, and what it says about each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from posebowl.challenge import BOX_COLUMNS, ID_COLUMN
from posebowl.scoring import TRUE_COLUMNS, Score
from posebowl.util.text import counted, shorten, visible

Box = tuple[int, int, int, int]

WORST: Final = 24
BEST: Final = 8
NAME_LENGTH: Final = 100
"""Of the names of images on the page, which are longer only where somebody wants to break it."""
SUSPECTS: Final = 8
"""How many images with an empty or a shared box are shown."""

_XMIN, _YMIN, _XMAX, _YMAX = (pl.col(column) for column in BOX_COLUMNS)
_EMPTY: Final = (_XMIN >= _XMAX) | (_YMIN >= _YMAX)
_SHARED_MIN: Final = 3
_SHARED_SHARE: Final = 1000
"""A box is called shared if at least 3 images, and one in a thousand, have it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """An image of the gallery."""

    image_id: str
    pred: Box
    truth: Box | None
    iou: float | None
    chips: tuple[str, ...] = ()
    before: Box | None = None
    """What the other run predicted, if two are compared."""
    iou_before: float | None = None

    @property
    def name(self) -> str:
        """Return the name by which the table finds its picture."""
        return shorten(visible(self.image_id), NAME_LENGTH)

    @property
    def label(self) -> str:
        """Return a description of what the picture shows."""
        parts = [f"Image {shorten(self.image_id, 60)}"]
        if self.iou is not None:
            before = f"{self.iou_before:.2f} before, " if self.iou_before is not None else ""
            parts.append(f"IoU {before}{self.iou:.2f}")
        if self.before is not None:
            parts.append(f"box predicted before {_words(self.before)}")
        parts.append(f"predicted box {_words(self.pred)}")
        if self.truth is not None:
            parts.append(f"true box {_words(self.truth)}")
        return ", ".join([*parts, *self.chips])


@dataclass(frozen=True, kw_only=True)
class Group:
    """Images that are shown together."""

    name: str
    title: str
    note: str
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class SharedBox:
    """A box that several images have in common."""

    box: Box
    images: int
    mean_iou: float | None


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """All images that a report shows."""

    groups: tuple[Group, ...] = ()
    empty: int = 0
    """Predicted boxes without area."""
    shared: tuple[SharedBox, ...] = ()
    rows: int = 0

    @property
    def items(self) -> tuple[Item, ...]:
        """All images shown, in their order on the page."""
        return tuple(item for group in self.groups for item in group.items)


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Predictions with a count of how many share each box."""

    frame: pl.DataFrame
    scored: bool
    shared_from: int
    taken: set[int] = field(default_factory=set)

    def take(self, rows: Iterable[int]) -> tuple[Item, ...]:
        """Make items of rows, except those taken before."""
        fresh = [row for row in rows if row not in self.taken]
        self.taken.update(fresh)
        return tuple(self._item(self.frame.row(row, named=True)) for row in fresh)

    def _item(self, row: Mapping[str, Any]) -> Item:
        pred = _box(row, BOX_COLUMNS)
        truth = _box(row, TRUE_COLUMNS) if self.scored else None
        value = float(row["iou"]) if self.scored else None
        chips = []
        if is_empty(pred):
            chips.append("empty box")
        elif int(row["twins"]) >= self.shared_from:
            chips.append(f"box shared by {int(row['twins']):,}")
        if value == 0 and not is_empty(pred):
            chips.append("no overlap")
        return Item(
            image_id=str(row[ID_COLUMN]), pred=pred, truth=truth, iou=value, chips=tuple(chips)
        )


def choose(predictions: pl.DataFrame | None, score: Score | None) -> Gallery:
    """Choose the images to show: a bounded number, the same for the same predictions.

    Args:
        predictions: image_id and boxes; None if a run left none.
        score: With labels; its frame is used instead.
    """
    frame = score.frame if score is not None else predictions
    if frame is None or frame.is_empty():
        return Gallery()
    table = _Table(
        frame=frame.with_columns(twins=pl.len().over(list(BOX_COLUMNS))),
        scored=score is not None,
        shared_from=max(_SHARED_MIN, math.ceil(frame.height / _SHARED_SHARE)),
    )
    groups = _by_score(table) if table.scored else _sample(table)
    groups.append(_suspects(table))
    return Gallery(
        groups=tuple(group for group in groups if group.items),
        empty=frame.filter(_EMPTY).height,
        shared=_shared(table),
        rows=frame.height,
    )


def _by_score(table: _Table) -> list[Group]:
    iou = pl.col("iou")
    rows = pl.int_range(pl.len()).sort_by(iou, maintain_order=True)
    order = table.frame.select(rows).to_series().to_list()
    if len(order) <= WORST:
        note = "All images, worst first."
        return [Group(name="worst", title="Every image", note=note, items=table.take(order))]
    # If more than fit miss altogether, those shown are spread over all the data.
    ties = order[: table.frame.filter(iou <= iou.min()).height]
    worst = table.take(spread(ties, WORST) if len(ties) > WORST else order[:WORST])
    quarter = order[max(WORST, len(ties), len(order) * 3 // 4) :]
    best = table.take(spread(quarter, BEST)[::-1])
    return [
        Group(
            name="worst",
            title=f"The worst {len(worst)}",
            note=f"Lowest IoU first, of {counted(len(order), 'image')}.",
            items=worst,
        ),
        Group(
            name="best",
            title="From the best",
            note="A sample of the quarter with the highest IoU.",
            items=best,
        ),
    ]


def _sample(table: _Table) -> list[Group]:
    height = table.frame.height
    items = table.take(spread(range(height), WORST))
    note = (
        "All images, in the order of the predictions."
        if len(items) == height
        else f"{len(items)} of {counted(height, 'image')}, evenly spread over the predictions."
    )
    return [Group(name="sample", title="What was predicted", note=note, items=items)]


def _suspects(table: _Table) -> Group:
    suspect = _EMPTY | (pl.col("twins") >= table.shared_from)
    rows = table.frame.select(suspect.alias("suspect")).to_series().arg_true()
    left = [row for row in rows.head(SUSPECTS * 100) if row not in table.taken]
    return Group(
        name="suspects",
        title="More with an empty or a shared box",
        note="Such boxes are most often a solution's fallback when it finds nothing.",
        items=table.take(spread(left, SUSPECTS)),
    )


def _shared(table: _Table) -> tuple[SharedBox, ...]:
    mean = [pl.col("iou").mean().alias("mean_iou")] if table.scored else []
    boxes = (
        table.frame.filter((pl.col("twins") >= table.shared_from) & ~_EMPTY)
        .group_by(BOX_COLUMNS, maintain_order=True)
        .agg(pl.len().alias("images"), *mean)
        .sort("images", descending=True, maintain_order=True)
        .head(3)
    )
    return tuple(
        SharedBox(
            box=_box(row, BOX_COLUMNS), images=int(row["images"]), mean_iou=row.get("mean_iou")
        )
        for row in boxes.iter_rows(named=True)
    )


def spread(rows: Sequence[int], count: int) -> list[int]:
    """Return at most `count` rows (two or more), evenly spaced, with the first and the last."""
    if len(rows) <= count:
        return list(rows)
    return [rows[i * (len(rows) - 1) // (count - 1)] for i in range(count)]


def is_empty(box: Box) -> bool:
    """Return whether a box has no area."""
    return box[0] >= box[2] or box[1] >= box[3]


def _box(row: Mapping[str, Any], columns: Iterable[str]) -> Box:
    xmin, ymin, xmax, ymax = (int(row[column]) for column in columns)
    return xmin, ymin, xmax, ymax


def _words(box: Box) -> str:
    return f"{box[0]},{box[1]} to {box[2]},{box[3]}"
