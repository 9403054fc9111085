"""The table of boxes, read as the platform's pandas reads it, or refused at its first bad row.

polars reads the columns as text, and expressions find the first row that breaks the format; only
that line is read again, to say in words what is wrong with it. docs/platform.md lists the spellings
that are accepted; a test compares them with what pandas itself accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import polars as pl

from posebowl.challenge import BOX_COLUMNS, COLUMNS, ID_COLUMN, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import InvalidPredictionsError
from posebowl.scoring import box_faults
from posebowl.util.text import counted, first_few

SCHEMA: Final = pl.Schema({ID_COLUMN: pl.String, **dict.fromkeys(BOX_COLUMNS, pl.Int32)})
HEADER: Final = ",".join(COLUMNS).encode()
BROKEN: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises at broken input; a panic of its native code is not an Exception to Python."""

_TEXT: Final = pl.Schema(dict.fromkeys(COLUMNS, pl.String))
_COMMAS: Final = len(COLUMNS) - 1
# A line of two quotes alone is a row, and would be blank without them.
_QUOTED: Final = re.compile(rb'(?:(^)(?!""$)|(,))"([^",\n]*)"(?=,|$)', re.MULTILINE)
_BLANK_LINE: Final = re.compile(rb"^[ \t]*(?:\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that follows the format."""

    frame: pl.DataFrame
    """`SCHEMA`: image_id and four Int32 columns, in pixels."""
    warnings: tuple[str, ...] = ()
    """Spellings that pandas reads and other readers may not: one sentence, or none."""


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """Boxes made of text."""

    frame: pl.DataFrame
    """`SCHEMA`; null where a text is not an integer."""
    bad: list[int]
    """The rows that do not hold a box, in their order."""
    plain: bool
    """All numbers are digits alone, without blanks, signs or leading zeros."""


def parse(data: bytes, *, name: str, expected: pl.Series | None = None) -> Table:
    """Read a table of boxes.

    Args:
        data: The whole file.
        name: What messages call it.
        expected: The image_ids in their order; None accepts any.

    Raises:
        InvalidPredictionsError: It breaks the format; the first bad row and column are named.
    """
    lines = _with_newlines(data)
    text = _plain(lines)
    header = text.partition(b"\n")[0]
    if header != HEADER:
        raise box_faults.in_header(data, header, f"{name} line {_line_number(lines, -1)}")
    rows = text.count(b"\n") - text.endswith(b"\n")
    # Enough to see every way in which ids can differ, and bounded whatever the file holds.
    limit = rows if expected is None else min(rows, 2 * len(expected) + 1000)
    texts = _columns(text, limit)
    boxes = read_boxes(texts, bounded=True, expected=expected)
    bad = _first_bad(text, boxes, limit)
    if bad < limit or (expected is not None and limit < len(expected)):
        row = box_faults.Row(
            number=bad,
            line=next(islice(_rows(text), bad, None), None),
            where=f"{name} line {_line_number(lines, bad)}",
        )
        raise box_faults.in_row(row, texts, boxes.frame, expected, rows)
    if not rows:
        what = f"{name} has a header and no rows."
        raise InvalidPredictionsError(what, fix=box_faults.FIX_IDS)
    return Table(frame=boxes.frame, warnings=_warnings(data, name, plain=boxes.plain))


def _with_newlines(data: bytes) -> bytes:
    """Remove a UTF-8 BOM, and end each line with LF, where CRLF and CR alone may stand."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _plain(text: bytes) -> bytes:
    """Remove blank lines, and the quotes around whole fields; what remains is read literally."""
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    if text.count(b",") != _COMMAS * lines:
        text = _BLANK_LINE.sub(b"", text)
    return _QUOTED.sub(rb"\1\2\3", text) if b'"' in text else text


def _columns(text: bytes, limit: int) -> pl.DataFrame:
    """Read the columns as text; a line with too many fields loses some, a short one gets nulls."""
    for lenient in (False, True):
        try:
            return pl.read_csv(
                text,
                schema=_TEXT,
                quote_char=None,
                encoding="utf8-lossy" if lenient else "utf8",
                truncate_ragged_lines=lenient,
                n_rows=limit,
            )
        except BROKEN:
            continue
    return pl.DataFrame(schema=_TEXT)


def read_boxes(texts: pl.DataFrame, *, bounded: bool, expected: pl.Series | None = None) -> Boxes:
    """Make boxes of columns of text, and find the rows that do not hold one.

    Args:
        texts: image_id and the four columns.
        bounded: Boxes must lie in the image.
        expected: The image_ids that the rows must have, in their order.
    """
    columns = [pl.col(column) for column in BOX_COLUMNS]
    frame = texts.with_columns(column.cast(pl.Int32, strict=False) for column in columns)
    plain = not any(frame[column].has_nulls() for column in BOX_COLUMNS)
    if not plain:
        stripped = (column.str.strip_chars(box_faults.BLANKS) for column in columns)
        frame = texts.with_columns(column.cast(pl.Int32, strict=False) for column in stripped)
    xmin, ymin, xmax, ymax = columns
    good = (xmin <= xmax) & (ymin <= ymax) & pl.col(ID_COLUMN).is_not_null()
    if bounded:
        good &= (xmin >= 0) & (xmax <= IMAGE_WIDTH) & (ymin >= 0) & (ymax <= IMAGE_HEIGHT)
    if expected is not None:
        wanted = expected.head(frame.height)
        wanted = wanted.extend_constant(None, frame.height - len(wanted))
        good &= pl.col(ID_COLUMN) == wanted
    bad = frame.select(~good.fill_null(value=False)).to_series().arg_true().to_list()
    return Boxes(frame=frame, bad=bad, plain=plain and not bad and _is_plain(texts, frame))


def _is_plain(texts: pl.DataFrame, frame: pl.DataFrame) -> bool:
    """Check that numbers below 10,000 are written as digits alone: all else is longer."""
    powers = (1, 10, 100, 1000)
    digits = [(pl.col(column) >= power).sum() for column in BOX_COLUMNS for power in powers]
    zeros = [(pl.col(column) == 0).sum() for column in BOX_COLUMNS]
    length = texts.select(pl.sum_horizontal(pl.col(BOX_COLUMNS).str.len_bytes().sum())).item()
    return bool(frame.select(pl.sum_horizontal(digits + zeros)).item() == length)


def _first_bad(text: bytes, boxes: Boxes, limit: int) -> int:
    """Return the first row that breaks the format, or `limit`."""
    bad = min([*_forbidden_rows(text), *boxes.bad[:1]], default=limit)
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    if bad == limit and text.count(b",") == _COMMAS * lines:
        return bad
    rows = enumerate(islice(_rows(text), bad))
    return next((row for row, line in rows if line.count(b",") != _COMMAS), bad)


def _forbidden_rows(text: bytes) -> Iterator[int]:
    """Yield the first row with each of the bytes that may not be in a field."""
    places = [text.find(byte) for byte in box_faults.FORBIDDEN]
    try:
        text.decode()
    except UnicodeDecodeError as error:
        places.append(error.start)
    return (text.count(b"\n", 0, place) - 1 for place in places if place >= 0)


def _rows(text: bytes) -> Iterator[bytes]:
    """Yield the lines below the header one by one: all at once may not fit into memory."""
    return islice(_lines(text), 1, None)


def _lines(text: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _line_number(text: bytes, row: int) -> int:
    """Return the number of a row's line, counting blank lines; the header is row -1."""
    number = 0
    for number, line in enumerate(_lines(text), 1):
        row -= bool(line.strip(b" \t"))
        if row < -1:
            return number
    return number + 1


def _warnings(data: bytes, name: str, *, plain: bool) -> tuple[str, ...]:
    lone = b"\r" in data and data.count(b"\r") != data.count(b"\r\n")
    found = [
        *["numbers with blanks, signs or leading zeros"] * (not plain),
        *["lines that end with a carriage return alone"] * lone,
    ]
    if not found:
        return ()
    text = (
        f"{name} has {' and '.join(found)}: pandas reads them, other readers may not. "
        "Write it with df.to_csv(path, index=False)."
    )
    return (text,)


def first_duplicates(ids: pl.Series) -> list[str]:
    """List the ids that occur more than once, in the order in which they first occur.

    Different hashes prove that the ids differ, five times faster than the ids themselves.
    """
    if ids.hash().n_unique() == len(ids):
        return []
    return ids.filter(ids.is_duplicated()).unique(maintain_order=True).to_list()


def name_duplicates(ids: pl.Series) -> str:
    """Return `2 images more than once: a, b` for a message; nothing if all ids differ."""
    twice = first_duplicates(ids)
    names = first_few(twice, len(twice))
    return f"{counted(len(twice), 'image')} more than once: {names}" if twice else ""
