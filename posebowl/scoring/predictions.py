"""Predictions: the untrusted CSV that a submission left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from posebowl.challenge import (
    BOX_COLUMNS,
    CODE_EXECUTION,
    FORMAT_FILE,
    ID_COLUMN,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    PREDICTIONS_FILE,
    Limits,
)
from posebowl.errors import BadDataError, BadOutputError
from posebowl.scoring.box_csv import name_duplicates, parse
from posebowl.scoring.labels import read_columns
from posebowl.util.files import open_regular
from posebowl.util.text import counted, show
from posebowl.util.units import human_bytes

MAX_BYTES: Final = Limits().predictions_bytes
"""The largest CSV that is read, in bytes."""

_FIX_WHERE: Final = (
    f"main.sh must write its predictions to {CODE_EXECUTION}/submission/{PREDICTIONS_FILE}."
)
MISPLACED: Final = "One lies in the working directory, where the platform does not look."
"""Why predictions are missing that main.sh wrote."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions that follow the format."""

    frame: pl.DataFrame
    """image_id and Int32 xmin, ymin, xmax, ymax in pixels, in the order of the file."""
    warnings: tuple[str, ...] = ()
    """What is allowed but probably not intended: one sentence each."""


def read_predictions(
    path: Path, submission_format: Path, *, max_bytes: int = MAX_BYTES
) -> Predictions:
    """Read predictions and check them against submission_format.csv.

    Args:
        path: The predictions; opened only if they are a regular file, never through a link.
        submission_format: Its image_ids, and their order, are the ones wanted.
        max_bytes: A larger file is refused unread.

    Raises:
        BadOutputError: The file is missing, not a regular file, unreadable or too large.
        InvalidPredictionsError: Its content breaks the format; the first bad row is named.
        BadDataError: submission_format.csv itself is broken.
    """
    data = read_bounded(path, max_bytes=max_bytes)
    expected = read_format(submission_format)
    table = parse(data, name=path.name, expected=expected)
    untouched = (
        len(data) == submission_format.stat().st_size and data == submission_format.read_bytes()
    )
    warnings = find_warnings(table.frame, untouched=untouched)
    return Predictions(frame=table.frame, warnings=(*table.warnings, *warnings))


def read_bounded(path: Path, *, max_bytes: int, why: str = "", fix: str = _FIX_WHERE) -> bytes:
    """Read a whole untrusted file, if it is a regular file and not too large.

    Args:
        path: The file.
        max_bytes: A larger one is not read.
        why: Why there may be no such file.
        fix: What to do where there is no such file.

    Raises:
        BadOutputError: It is missing, not a regular file, unreadable or too large.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            # One byte more than its size: a file that still grows must not fill the memory.
            data = file.read(size + 1) if size <= max_bytes else b""
    except FileNotFoundError:
        raise BadOutputError(f"{path.name} was not written.", why=why, fix=fix) from None
    except (OSError, ValueError) as error:
        what = f"{path.name} is {error}, not a regular file; it was not opened."
        if isinstance(error, OSError):
            what = f"{path.name} cannot be read: {error.strerror or error}."
        raise BadOutputError(what, fix=fix) from None
    if max(size, len(data)) > max_bytes:
        what = f"{path.name} is larger than {human_bytes(max_bytes)}; it was not read."
        raise BadOutputError(what, fix="Write one short row for each image, and nothing else.")
    if len(data) != size:
        raise BadOutputError(f"{path.name} changed while it was read.", fix=_FIX_WHERE)
    return data


def read_format(path: Path) -> pl.Series:
    """Read the image_ids of submission_format.csv, in their order.

    Raises:
        BadDataError: It is missing, not a CSV, without rows, or names an image twice.
    """
    fix = f"Download {FORMAT_FILE} again."
    ids = read_columns(path, [ID_COLUMN], fix=fix)[ID_COLUMN]
    if ids.is_empty() or ids.has_nulls():
        what = "names no image" if ids.is_empty() else f"has rows without {ID_COLUMN}"
        raise BadDataError(f"{path} {what}.", fix=fix)
    if duplicates := name_duplicates(ids):
        raise BadDataError(f"{path} names {duplicates}.", fix="Leave one row for each image.")
    return ids


def find_warnings(frame: pl.DataFrame, *, untouched: bool = False) -> tuple[str, ...]:
    """Return warnings of what is allowed in predictions but probably not intended.

    Args:
        frame: image_id and boxes, at least one row.
        untouched: The file is submission_format.csv, byte for byte.
    """
    warnings = []
    if frame.height > 1 and frame.select(pl.max_horizontal(pl.col(BOX_COLUMNS).max())).item() == 1:
        warnings.append(
            "No box reaches beyond the first pixel: were fractions of the image (0 to 1) rounded? "
            f"Multiply x by {IMAGE_WIDTH} and y by {IMAGE_HEIGHT} before rounding."
        )
    if untouched:
        warnings.append("The predictions are submission_format.csv itself: no box was filled in.")
    return (*warnings, *_on_same_boxes(frame), *_on_empty_boxes(frame))


def _on_same_boxes(frame: pl.DataFrame) -> Iterator[str]:
    """Warn if more than half of the boxes are the same."""
    rows = frame.height
    box, most = _commonest_box(frame)
    if rows > 1 and most == rows:
        yield f"All {rows:,} boxes are the same, {box}: is every one of them the fall-back?"
    elif rows > 1 and most > rows / 2:
        yield f"{most:,} of {rows:,} boxes are the same, {box}: are they a fall-back?"


def _on_empty_boxes(frame: pl.DataFrame) -> Iterator[str]:
    """Warn of boxes without area."""
    xmin, ymin, xmax, ymax = (pl.col(column) for column in BOX_COLUMNS)
    empty = frame.filter((xmin == xmax) | (ymin == ymax))
    if empty.height:
        first = show(empty[ID_COLUMN][0])
        yield (
            f"{counted(empty.height, 'box has', 'boxes have')} no area and "
            f"{'scores' if empty.height == 1 else 'score'} 0 "
            f"({empty.height / frame.height:.1%}; the first is that of {first})."
        )


def _commonest_box(frame: pl.DataFrame) -> tuple[tuple[int, ...], int]:
    """Return the box that more than half of the rows hold, or any other, and its count.

    A value that fills more than half of a sorted list stands in its middle.
    """
    base = IMAGE_WIDTH + 1
    code = pl.lit(0, dtype=pl.Int64)
    for column in BOX_COLUMNS:
        code = code * base + pl.col(column)
    codes = frame.select(code).to_series()
    # A code is below 2**53, so the float in which polars returns the middle is exact.
    same = codes == codes.quantile(0.5, "lower")
    return frame.select(BOX_COLUMNS).row(same.arg_max() or 0), int(same.sum())
