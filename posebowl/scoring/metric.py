"""The metric: mean intersection over union, also called the Jaccard index."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from posebowl.challenge import BOX_COLUMNS, COLUMNS, ID_COLUMN
from posebowl.errors import BadDataError, InvalidPredictionsError, UsageError
from posebowl.scoring.box_csv import name_duplicates, parse
from posebowl.scoring.box_faults import FIX_SAME, stem
from posebowl.scoring.labels import read_labels
from posebowl.scoring.predictions import MAX_BYTES, read_bounded
from posebowl.util.text import counted, first_few

_FIX: Final = "Type: invoke score PREDICTIONS LABELS"
TRUE_COLUMNS: Final = tuple(f"true_{column}" for column in BOX_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Score:
    """How well boxes fit; the IoU of an image lies in 0..1."""

    mean_iou: float
    """The metric of the challenge: the mean over images, each counting the same."""
    median_iou: float
    count: int
    """Images scored."""
    unscored: int
    """Labelled images without a prediction: they are not in the mean."""
    frame: pl.DataFrame
    """One row for each image in the order of the predictions: image_id, the predicted box, the
    true box (true_xmin, ...), and iou (Float64)."""
    unlabelled: int = 0
    """Predictions without a label that were left out, because that was asked for."""


def iou(pred: Sequence[str], truth: Sequence[str]) -> pl.Expr:
    """Return the intersection over union of two boxes of each row, as an expression.

    IoU = area(A and B) / area(A or B) (Jaccard, 1901), with
    area = (xmax - xmin) * (ymax - ymin), as xmax and ymax are one past the last pixel. Two
    boxes without area have a union of 0, for which that formula gives 0/0: their IoU is 0 here,
    like that of a box that finds nothing.

    Args:
        pred: The columns xmin, ymin, xmax, ymax of a box, in pixels.
        truth: Those of the other box.

    Returns:
        The IoU, in 0..1 (Float64).
    """
    # In float64, in which all areas are exact.
    a, b = ([pl.col(column).cast(pl.Float64) for column in box] for box in (pred, truth))
    width = pl.min_horizontal(a[2], b[2]) - pl.max_horizontal(a[0], b[0])
    height = pl.min_horizontal(a[3], b[3]) - pl.max_horizontal(a[1], b[1])
    inter = width.clip(lower_bound=0) * height.clip(lower_bound=0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return pl.when(union > 0).then(inter / union).otherwise(0.0).alias("iou")


def score(predictions: pl.DataFrame, labels: pl.DataFrame) -> Score:
    """Score predictions against labels, matched by image_id.

    Args:
        predictions: image_id, xmin, ymin, xmax, ymax in pixels; no image twice.
        labels: The same columns; may hold more images.

    Raises:
        BadDataError: An image that is predicted has no label.
    """
    truth = labels.select(ID_COLUMN, *BOX_COLUMNS)
    # The usual case needs no join: labels and predictions in the same order.
    if not predictions[ID_COLUMN].equals(truth[ID_COLUMN]):
        truth = _align(predictions, truth)
    true_boxes = (truth[column].alias(f"true_{column}") for column in BOX_COLUMNS)
    frame = predictions.select(COLUMNS).with_columns(true_boxes)
    frame = frame.with_columns(iou(BOX_COLUMNS, TRUE_COLUMNS))
    mean, median = frame.select(pl.mean("iou"), pl.median("iou").alias("median")).row(0)
    return Score(
        mean_iou=mean,
        median_iou=median,
        count=frame.height,
        unscored=labels.height - frame.height,
        frame=frame,
    )


def _align(predictions: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Put labels in the order of predictions."""
    truth = predictions.select(ID_COLUMN).join(
        labels, on=ID_COLUMN, how="left", maintain_order="left"
    )
    absent = truth.filter(pl.col(BOX_COLUMNS[0]).is_null())[ID_COLUMN]
    if len(absent):
        known = set(map(stem, labels[ID_COLUMN]))
        names = first_few(absent[:5].to_list(), len(absent))
        some = ", or add --partial" if len(absent) < predictions.height else ""
        raise BadDataError(
            f"{len(absent):,} of {counted(predictions.height, 'prediction')} have no label: "
            f"{names}.",
            why=f"The file has {counted(labels.height, 'label')}.",
            fix=FIX_SAME
            if not known.isdisjoint(map(stem, absent))
            else f"Score against the labels of the images that were predicted{some}.",
        )
    return truth


def score_files(
    predictions: Path, labels: Path, *, max_bytes: int = MAX_BYTES, partial: bool = False
) -> Score:
    """Score a CSV of predictions, in any order, against a CSV of labels.

    Args:
        predictions: The CSV to score.
        labels: That of the true boxes.
        max_bytes: The most that the predictions may have.
        partial: Leave out predictions that have no label, instead of raising BadDataError; one
            at least must have a label.

    Raises:
        UsageError: One of the files is missing, or the labels are a folder.
        BadOutputError: The predictions are not a regular file, or too large.
        InvalidPredictionsError: They break the format, or name an image twice.
        BadDataError: The labels are broken, or an image that is predicted has no label.
    """
    for path in (predictions, labels):
        if not os.path.lexists(path):
            raise UsageError(f"{path} does not exist.", fix=_FIX)
    if labels.is_dir():
        raise UsageError(f"{labels} is a folder, not a CSV of labels.", fix=_FIX)
    content = read_bounded(predictions, max_bytes=max_bytes, fix=_FIX)
    frame = parse(content, name=predictions.name).frame
    if duplicates := name_duplicates(frame[ID_COLUMN]):
        what = f"{predictions.name} names {duplicates}."
        raise InvalidPredictionsError(what, fix="Write one row for each image.")
    truth = read_labels(labels)
    known = frame.join(truth, on=ID_COLUMN, how="semi", maintain_order="left")
    if not partial or known.is_empty():
        return score(frame, truth)
    return replace(score(known, truth), unlabelled=frame.height - known.height)
