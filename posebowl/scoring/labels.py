"""Labels: the CSV of true boxes, which people may have sorted, extended or quoted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from posebowl.challenge import BOX_COLUMNS, COLUMNS, ID_COLUMN
from posebowl.errors import BadDataError
from posebowl.scoring.box_csv import SCHEMA, first_duplicates, parse_plain
from posebowl.util import os_errors
from posebowl.util.text import counted, first_few, show

_FIX: Final = "Use the labels as they were downloaded, or check that it is the right file."


def read_labels(path: Path) -> pl.DataFrame:
    """Read labels: image_id and integer boxes; further columns are ignored.

    Returns:
        A frame of image_id and Int32 xmin, ymin, xmax, ymax in pixels, each image once.

    Raises:
        BadDataError: The file cannot be read, lacks a column, holds anything but integers or
            a box with min above max, or names an image twice.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        why, fix = os_errors.explain(error)
        what = f"{path} cannot be read: {error.strerror or error}."
        raise BadDataError(what, why=why, fix=fix) from None
    frame = parse_plain(data)
    if frame is None:
        frame = _read_free(data, path)
    if duplicates := first_duplicates(frame[ID_COLUMN]):
        names = first_few(duplicates, len(duplicates))
        what = f"{path} labels {counted(len(duplicates), 'image')} more than once: {names}."
        raise BadDataError(what, fix="Leave one row for each image.")
    return frame


def _read_free(data: bytes, path: Path) -> pl.DataFrame:
    """Read labels with quotes, further columns, any order of columns, boxes off the image."""
    try:
        text = pl.read_csv(data, columns=list(COLUMNS), infer_schema=False).select(COLUMNS)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        why = str(error).partition("\n")[0]
        what = f"{path} is no CSV with the columns {', '.join(COLUMNS)}."
        raise BadDataError(what, why=why, fix=_FIX) from None
    if text.is_empty():
        raise BadDataError(f"{path} labels no image.", why="It has a header alone.", fix=_FIX)
    integer = r"^-?[0-9]{1,9}$"
    frame = text.with_columns(
        pl.when(pl.col(column).str.contains(integer)).then(pl.col(column)).cast(SCHEMA[column])
        for column in BOX_COLUMNS
    )
    xmin, ymin, xmax, ymax = (pl.col(column) for column in BOX_COLUMNS)
    bad = frame.select(
        (pl.any_horizontal(pl.col(COLUMNS).is_null()) | (xmin > xmax) | (ymin > ymax)).alias("bad")
    ).to_series()
    if bad.fill_null(value=True).any():
        rows = bad.fill_null(value=True).arg_true()
        fields = ",".join(field or "" for field in text.row(int(rows[0])))
        raise BadDataError(
            f"{path} has {counted(len(rows), 'row')} without a box of integers, the first is "
            f"row {int(rows[0]) + 1}: {show(fields, 80)}.",
            why="A label is image_id and whole pixels, xmin <= xmax and ymin <= ymax.",
            fix="Correct that row, and what else is like it.",
        )
    return frame
