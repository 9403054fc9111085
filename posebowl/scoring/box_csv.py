"""The table of boxes, read strictly: a file of a stranger is taken byte for byte or refused.

There are two readers of the same language. `parse` lets polars read the file and then proves
that polars was not lenient: every spelling of a number that polars takes beyond the plain one
(`+5`, ` 5`, `005`, `-0`) is longer than the plain one, so that a file whose length is the
length of its plain form holds nothing else. Whatever fails that proof goes to `diagnose`,
which reads line by line and either names the first fault or vouches for the file itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NoReturn

import polars as pl

from posebowl.challenge import BOX_COLUMNS, COLUMNS, ID_COLUMN, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import InvalidPredictionsError
from posebowl.util.text import counted, first_few, show
from posebowl.util.units import human_bytes

SCHEMA: Final = pl.Schema({ID_COLUMN: pl.String, **dict.fromkeys(BOX_COLUMNS, pl.Int32)})
UPPER: Final = dict(
    zip(BOX_COLUMNS, (IMAGE_WIDTH, IMAGE_HEIGHT, IMAGE_WIDTH, IMAGE_HEIGHT), strict=True)
)
HEADER: Final = ",".join(COLUMNS).encode()

_LINE_BYTES: Final = 4096
_INTEGER: Final = re.compile(rb"0|[1-9][0-9]*")
_NEGATIVE: Final = re.compile(rb"-0*[1-9][0-9]*")
_FLOAT: Final = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(rb"[+-]?(nan|inf|infinity|none|null|na|n/a|<na>)", re.IGNORECASE)
_FORBIDDEN: Final = {b"\0": "a NUL byte", b"\r": "a lone carriage return", b'"': "quotes"}
_BOMS: Final = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}

_FIX_WRITE: Final = "Write it with pandas: df.to_csv(path, index=False), and nothing else."
_FIX_ROUND: Final = (
    'Round before writing: df[["xmin", "ymin", "xmax", "ymax"]] = '
    'df[["xmin", "ymin", "xmax", "ymax"]].round().astype(int).'
)
_FIX_EMPTY: Final = (
    "Give every image a box; where nothing was found, fall back to one, "
    "such as the middle of the image."
)
_FIX_CLIP: Final = (
    f"Clip the boxes to the image: x to 0..{IMAGE_WIDTH} and y to 0..{IMAGE_HEIGHT} pixels."
)
_FIX_IDS: Final = (
    "Write one row for each row of submission_format.csv, in its order: "
    "read that file, fill in its four columns, write it with index=False."
)


class _FaultError(Exception):
    """What is wrong with a row, for a sentence that begins with where it is."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def parse(data: bytes, *, name: str, expected: pl.Series | None = None) -> pl.DataFrame:
    """Read a table of boxes.

    Args:
        data: The whole file.
        name: What messages call it.
        expected: The image_ids in their order; None takes any.

    Returns:
        A frame of `SCHEMA`: image_id and four Int32 columns, in pixels.

    Raises:
        InvalidPredictionsError: It breaks the format; the first bad row and column are named.
    """
    text = _normal(data)
    if _header(text) != HEADER:
        _refuse_header(data, _header(text), name)
    frame = _parse_fast(text, expected)
    if frame is None:
        frame = diagnose(text, name=name, expected=None if expected is None else list(expected))
    return frame


def parse_plain(data: bytes) -> pl.DataFrame | None:
    """Read a table of boxes like `parse`, but return None where that would have to look closer."""
    text = _normal(data)
    return _parse_fast(text, None) if _header(text) == HEADER else None


def _normal(data: bytes) -> bytes:
    """Take away a UTF-8 BOM and the CR of CRLF, which change nothing."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    return text.replace(b"\r\n", b"\n") if b"\r" in text else text


def _header(text: bytes) -> bytes:
    """Cut off the first line, or as much of it as anybody may want to see."""
    end = text.find(b"\n", 0, _LINE_BYTES)
    return text[: end if end >= 0 else _LINE_BYTES]


def _parse_fast(text: bytes, expected: pl.Series | None) -> pl.DataFrame | None:
    """Read a file that is beyond doubt, or return None."""
    rows = text.count(b"\n") - text.endswith(b"\n")
    if rows < 1 or (expected is not None and rows != len(expected)):
        return None
    if text.count(b",") != 4 * (rows + 1) or any(c in text for c in (b'"', b"\r", b"\0")):
        return None
    try:
        frame = pl.read_csv(text, schema=SCHEMA, quote_char=None)
    # A panic of the native code is no Exception to Python, and says no more about the file.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    sound = (
        frame.height == rows
        and not any(column.has_nulls() for column in frame.iter_columns())
        and (expected is None or frame[ID_COLUMN].equals(expected))
        and frame.select(_within_bounds()).item()
        and frame.select(_plain_bytes()).item() == _table_bytes(text, rows)
    )
    return frame if sound else None


def _within_bounds() -> pl.Expr:
    xmin, ymin, xmax, ymax = (pl.col(column) for column in BOX_COLUMNS)
    return pl.all_horizontal(
        ((xmin >= 0) & (xmin <= xmax) & (xmax <= IMAGE_WIDTH)).all(),
        ((ymin >= 0) & (ymin <= ymax) & (ymax <= IMAGE_HEIGHT)).all(),
    )


def _plain_bytes() -> pl.Expr:
    """Count the bytes of all ids and numbers in their plain form, where numbers are < 10,000."""
    digits = [pl.len()] * 4 + [
        (pl.col(column) >= power).sum() for column in BOX_COLUMNS for power in (10, 100, 1000)
    ]
    return pl.col(ID_COLUMN).str.len_bytes().cast(pl.Int64).sum() + sum(
        expression.cast(pl.Int64) for expression in digits
    )


def _table_bytes(text: bytes, rows: int) -> int:
    """Count the bytes between the separators of all rows below the header."""
    return len(text) - len(HEADER) - 1 - 4 * rows - (rows - (not text.endswith(b"\n")))


def diagnose(text: bytes, *, name: str, expected: Sequence[str] | None) -> pl.DataFrame:
    """Read line by line, and name the first fault; the reference for `parse`.

    Raises:
        InvalidPredictionsError: There is a fault.
    """
    ids: list[str] = []
    boxes: list[list[int]] = []
    for index, line in enumerate(_lines(text)):
        where = f"{name} line {index + 2}"
        try:
            fields = _fields(line)
        except _FaultError as fault:
            raise InvalidPredictionsError(f"{where} {fault}", fix=fault.fix) from None
        image_id = fields[0].decode()
        if expected is not None and (index >= len(expected) or image_id != expected[index]):
            _refuse_ids(text, name, index, expected)
        try:
            boxes.append(_box(fields[1:]))
        except _FaultError as fault:
            what = f"{where} (image_id {show(image_id)}), {fault}"
            raise InvalidPredictionsError(what, fix=fault.fix) from None
        ids.append(image_id)
    if expected is not None and len(ids) < len(expected):
        _refuse_ids(text, name, len(ids), expected)
    if not ids:
        raise InvalidPredictionsError(f"{name} has a header and no rows.", fix=_FIX_IDS)
    columns = dict(zip(BOX_COLUMNS, zip(*boxes, strict=True), strict=True))
    return pl.DataFrame({ID_COLUMN: ids, **columns}, schema=SCHEMA)


def _lines(text: bytes) -> Iterator[bytes]:
    """Yield the lines below the header one by one: all at once may not fit into memory."""
    start = text.find(b"\n") + 1
    while 0 < start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _fields(line: bytes) -> list[bytes]:
    """Split a line into its five fields."""
    if len(line) > _LINE_BYTES:
        raise _FaultError(f"is {human_bytes(len(line))} long.", _FIX_WRITE)
    for byte, kind in _FORBIDDEN.items():
        if byte in line:
            raise _FaultError(f"holds {kind}, where fields are plain: {show(line)}.", _FIX_WRITE)
    try:
        line.decode()
    except UnicodeDecodeError:
        raise _FaultError(f"is not UTF-8: {show(line)}.", _FIX_WRITE) from None
    fields = line.split(b",")
    if len(fields) == len(COLUMNS):
        if not fields[0]:
            raise _FaultError(f"has no image_id: {show(line)}.", _FIX_IDS)
        return fields
    if not line:
        raise _FaultError("is empty.", _FIX_WRITE)
    hint = " Was the file closed?" if len(fields) < len(COLUMNS) else ""
    what = f"has {counted(len(fields), 'field')} where 5 belong: {show(line)}.{hint}"
    raise _FaultError(what, _FIX_WRITE)


def _box(fields: Sequence[bytes]) -> list[int]:
    """Read the four numbers of a row."""
    box = [_pixel(field, column) for field, column in zip(fields, BOX_COLUMNS, strict=True)]
    xmin, ymin, xmax, ymax = box
    for low, high, axis in ((xmin, xmax, "x"), (ymin, ymax, "y")):
        if low > high:
            what = f"column {axis}min: {low} is above {axis}max, which is {high}."
            raise _FaultError(what, f"Write the smaller of the two as {axis}min.")
    return box


def _pixel(field: bytes, column: str) -> int:
    """Read one number, or say what is wrong with it."""
    upper = UPPER[column]
    integer = _INTEGER.fullmatch(field)
    # More digits than the limit has are above it; int() of a million digits is slow.
    if integer and len(field) <= 4 and int(field) <= upper:
        return int(field)
    shown = f"column {column}: {show(field)}"
    if integer:
        raise _FaultError(f"{shown} is above {upper}.", _FIX_CLIP)
    if not field.strip():
        raise _FaultError(f"column {column} is empty.", _FIX_EMPTY)
    if _NEGATIVE.fullmatch(field):
        raise _FaultError(f"{shown} is below 0.", _FIX_CLIP)
    if _NOT_FINITE.fullmatch(field.strip()):
        raise _FaultError(f"{shown} is no number.", _FIX_EMPTY)
    if _FLOAT.fullmatch(field) and not field.lstrip(b"+-").isdigit():
        raise _FaultError(f"{shown} is not an integer.", _FIX_ROUND)
    fix = "Write digits only: no sign, space, leading zero, separator or prefix."
    raise _FaultError(f"{shown} is not a plain integer.", fix)


def _refuse_ids(text: bytes, name: str, index: int, expected: Sequence[str]) -> NoReturn:
    """Say how the ids of a file differ from those that belong there."""
    # Enough to see every way in which they can differ, and bounded whatever the file holds.
    limit = 2 * len(expected) + 1000
    found = [
        line[:_LINE_BYTES].partition(b",")[0].decode(errors="backslashreplace")
        for line in islice(_lines(text), limit)
    ]
    rows = text.count(b"\n") - text.endswith(b"\n")
    counts = Counter(found)
    wanted = set(expected)
    kinds = {
        "missing": [image_id for image_id in expected if image_id not in counts],
        "extra": [image_id for image_id in counts if image_id not in wanted],
        "duplicate": [i for i, count in counts.items() if count > 1 and i in wanted],
    }
    parts = [
        f"{len(ids):,} {kind} ({first_few(ids, len(ids), 3)})" for kind, ids in kinds.items() if ids
    ]
    if not parts:
        moved = [have for have, want in zip(found, expected, strict=False) if have != want]
        parts = [f"{len(moved):,} reordered ({first_few(moved, len(moved), 3)})"]
    why = (
        f"It has {counted(rows, 'row')} and submission_format.csv {len(expected):,}: "
        f"{', '.join(parts)}{f', in the first {limit:,} rows' if rows > limit else ''}."
    )
    what = f"{name} line {index + 2}, column image_id: {_wrong_id(found, index, expected)}"
    raise InvalidPredictionsError(what, why=why, fix=_FIX_IDS)


def _wrong_id(found: Sequence[str], index: int, expected: Sequence[str]) -> str:
    """Say what is wrong at the first row whose id is not the expected one."""
    if index >= len(found):
        return f"the file ends where {show(expected[index])} belongs."
    if index >= len(expected):
        return f"{show(found[index])} is one row too many."
    return f"{show(found[index])} stands where {show(expected[index])} belongs."


def _refuse_header(data: bytes, header: bytes, name: str) -> NoReturn:
    """Say what is wrong with the first line."""
    wanted = f"The first line must read {HEADER.decode()}"
    if not data.strip(b"\xef\xbb\xbf\r\n\t "):
        raise InvalidPredictionsError(f"{name} is empty.", why=f"{wanted}.", fix=_FIX_IDS)
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            what = f"{name} is written in {encoding}, not in UTF-8."
            fix = 'Write it with encoding="utf-8" (in PowerShell: Out-File -Encoding utf8).'
            raise InvalidPredictionsError(what, fix=fix)
    hint, fix = _header_hint(header)
    what = f"{name} line 1: {show(header, 80)} is not the header{f': {hint}' if hint else ''}."
    raise InvalidPredictionsError(what, why=f"{wanted}.", fix=fix)


def _header_hint(header: bytes) -> tuple[str, str]:
    """Guess what went wrong with a header, and say how to put it right."""
    fields = [field.strip().strip(b"\"'").lower() for field in header.split(b",")]
    columns = [column.encode() for column in COLUMNS]
    missing = [column.decode() for column in columns if column not in fields]
    fix = f"Write the header {HEADER.decode()}."
    if fields[1:] == columns or fields[:1] == [b""]:
        return "it begins with the row numbers of a data frame", _FIX_WRITE
    if len(fields) == 5 and all(re.fullmatch(rb"[0-9.]+", field) for field in fields[1:]):
        return "the header is missing", fix
    if len(fields) == 1 and any(mark in header for mark in (b";", b"\t", b"|")):
        return "the separator is not a comma", _FIX_WRITE
    if missing:
        return f"{', '.join(missing)} missing", fix
    if len(fields) > len(columns):
        return f"{counted(len(fields) - len(columns), 'column')} too many", fix
    same = fields == columns
    return "case, spaces or quotes differ" if same else "the columns are in another order", fix


def first_duplicates(ids: pl.Series) -> list[str]:
    """List the ids that occur more than once, in the order in which they first occur.

    Different hashes prove that the ids differ, five times faster than the ids themselves.
    """
    if ids.hash().n_unique() == len(ids):
        return []
    return ids.filter(ids.is_duplicated()).unique(maintain_order=True).to_list()
