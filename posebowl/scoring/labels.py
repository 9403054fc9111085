"""Labels: the CSV of true boxes, which people may have sorted, extended or quoted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from posebowl.challenge import COLUMNS, ID_COLUMN
from posebowl.errors import BadDataError
from posebowl.scoring.box_csv import BROKEN, Boxes, name_duplicates, read_boxes
from posebowl.scoring.box_faults import FaultError, check_box
from posebowl.util import os_errors
from posebowl.util.text import counted, show

_FIX: Final = "Use the labels as they were downloaded, or check that it is the right file."


def read_labels(path: Path) -> pl.DataFrame:
    """Read labels: image_id and integer boxes; further columns are ignored.

    Returns:
        A frame of image_id and Int32 xmin, ymin, xmax, ymax in pixels, each image once.

    Raises:
        BadDataError: The file cannot be read, lacks a column, holds anything but integers or
            a box with min above max, or names an image twice.
    """
    texts = read_columns(path, COLUMNS, fix=_FIX)
    if texts.is_empty():
        raise BadDataError(f"{path} labels no image.", why="It has only a header.", fix=_FIX)
    boxes = read_boxes(texts, bounded=False)
    if boxes.bad:
        raise _bad_row(path, texts, boxes)
    if duplicates := name_duplicates(boxes.frame[ID_COLUMN]):
        what = f"{path} labels {duplicates}."
        raise BadDataError(what, fix="Leave one row for each image.")
    return boxes.frame


def read_columns(path: Path, columns: Sequence[str], *, fix: str) -> pl.DataFrame:
    """Read columns of a trusted CSV as text; others are ignored.

    Raises:
        BadDataError: The file cannot be read, or lacks one of the columns.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        why, advice = os_errors.explain(error)
        what = f"{path} cannot be read: {error.strerror or error}."
        raise BadDataError(what, why=why, fix=advice) from None
    try:
        return pl.read_csv(data, columns=list(columns), infer_schema=False).select(columns)
    except BROKEN as error:
        why = str(error).partition("\n")[0]
        noun = "column" if len(columns) == 1 else "columns"
        what = f"{path} is not a CSV with the {noun} {', '.join(columns)}."
        raise BadDataError(what, why=why, fix=fix) from None


def _bad_row(path: Path, texts: pl.DataFrame, boxes: Boxes) -> BadDataError:
    row = boxes.bad[0]
    image_id, *fields = texts.row(row)
    what = "it has no image_id."
    try:
        check_box([(field or "").encode() for field in fields], boxes.frame, texts, bounded=False)
    except FaultError as fault:
        what = str(fault)
    return BadDataError(
        f"{path} has {counted(len(boxes.bad), 'row')} without a box of integers, the first is "
        f"row {row + 1} (image_id {show(image_id or '')}), {what}",
        why="A label is image_id and whole pixels, xmin <= xmax and ymin <= ymax.",
        fix="Correct that row, and what else is like it.",
    )
