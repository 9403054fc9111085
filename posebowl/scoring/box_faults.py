"""What is wrong with a table of boxes, in words: where, what, and how to put it right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import polars as pl

from posebowl.challenge import BOX_COLUMNS, COLUMNS, ID_COLUMN, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import InvalidPredictionsError
from posebowl.util.text import counted, first_few, show
from posebowl.util.units import human_bytes

UPPER: Final = dict(
    zip(BOX_COLUMNS, (IMAGE_WIDTH, IMAGE_HEIGHT, IMAGE_WIDTH, IMAGE_HEIGHT), strict=True)
)
BLANKS: Final = " \t\v\f"
"""What pandas skips around a number."""
FORBIDDEN: Final = {b"\0": "a NUL byte", b'"': "quotes"}
"""What may not be in a line; quotes around whole fields are gone by then."""
FIX_IDS: Final = (
    "Write one row for each row of submission_format.csv, in its order: "
    "read that file, fill in its four columns, write it with index=False."
)

_LINE_BYTES: Final = 4096
_INTEGER: Final = re.compile(rb"[+-]?[0-9]+")
_FLOAT: Final = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(rb"[+-]?(nan|inf|infinity|none|null|na|n/a|<na>)", re.IGNORECASE)
_BOMS: Final = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}

_BOM: Final = b"\xef\xbb\xbf"
_FILES: Final = {
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a zip or an Excel workbook",
    b"PAR1": "Parquet",
    b"\x93NUMPY": "a NumPy array",
    b"[": "JSON",
    b"{": "JSON",
    b"<": "HTML or XML",
}
"""What is sometimes written in place of a CSV, by its first bytes."""
_NUMBER_WITH_COMMA: Final = re.compile(rb',"[+-]?[0-9]+(?:,[0-9]+)+"(?=,|$)')

_BOX: Final = 'df[["xmin", "ymin", "xmax", "ymax"]]'
_FIX_WRITE: Final = "Write it with pandas: df.to_csv(path, index=False), and nothing else."
_FIX_ROUND: Final = f"Round before writing: {_BOX} = {_BOX}.round().astype(int)."
_FIX_DIGITS: Final = "Write digits only, as int(value) does: no separators, no prefixes."
_FIX_ONCE: Final = 'Write the file once, opened with "w" rather than "a".'
FIX_SAME: Final = (
    "Write each image_id as submission_format.csv has it: the name of the photo without folder "
    "and .png, as Path(photo).stem has it, in the same case, without blanks or quotes."
)
_FIX_EMPTY: Final = (
    "Give every image a box; where nothing was found, fall back to one, "
    "such as the middle of the image."
)
_FIX_CLIP: Final = (
    f"Clip the boxes to the image: x to 0..{IMAGE_WIDTH} and y to 0..{IMAGE_HEIGHT} pixels."
)
_FIX_FRACTIONS: Final = (
    "All boxes lie between 0 and 1: they are fractions of the image, and rounding would make "
    f"them 0 and 1. Multiply x by {IMAGE_WIDTH} and y by {IMAGE_HEIGHT}, then round."
)
_FIX_CENTRES: Final = (
    "All values lie between 0 and 1 and some minima are above their maxima: they look like "
    "centre and size as fractions of the image (x, y, width, height, as YOLO writes them). "
    f"Write xmin = (x - width / 2) * {IMAGE_WIDTH}, xmax = (x + width / 2) * {IMAGE_WIDTH}, "
    f"likewise y with {IMAGE_HEIGHT}, then round."
)
_FIX_SIZES: Final = (
    "These boxes look like x, y, width, height: write xmax = x + width and ymax = y + height."
)
_FIX_ORDER: Final = (
    "A row is image_id, xmin, ymin, xmax, ymax, where max is the right or lower edge. Swapping "
    "the two is right only for two corners in the wrong order; if the last two are width and "
    "height, write xmax = xmin + width and ymax = ymin + height."
)


class FaultError(Exception):
    """What is wrong with a row, for a sentence that begins with where it is."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


class Row(NamedTuple):
    """The row that a message is about."""

    number: int
    """From 0."""
    line: bytes | None
    """As it stands in the file; None if the file ends before it."""
    where: str
    """The file and the line, as the message begins."""


def in_row(
    row: Row, texts: pl.DataFrame, boxes: pl.DataFrame, expected: pl.Series | None, rows: int
) -> InvalidPredictionsError:
    """Return the error for the first bad row.

    Args:
        row: That row.
        texts: All rows as text; may break off where nothing more is to be seen.
        boxes: All rows as numbers, null where a text is not an integer.
        expected: The image_ids wanted, if any are.
        rows: How many rows the file has.
    """
    number, line, where = row
    try:
        fields = _fields(line) if line is not None else []
    except FaultError as fault:
        return InvalidPredictionsError(f"{where} {fault}", fix=fault.fix)
    image_id = fields[0].decode() if fields else ""
    if image_id == ID_COLUMN:
        return InvalidPredictionsError(f"{where}: the header stands here again.", fix=_FIX_ONCE)
    if expected is not None and (number >= len(expected) or image_id != expected[number]):
        return _in_ids(texts[ID_COLUMN], row, rows, expected.to_list())
    try:
        check_box(fields[1:], boxes, texts)
    except FaultError as fault:
        what = f"{where} (image_id {show(image_id)}), {fault}"
        return InvalidPredictionsError(what, fix=fault.fix)
    return InvalidPredictionsError(f"{where} cannot be read: {show(line or b'')}.", fix=_FIX_WRITE)


def _fields(line: bytes) -> list[bytes]:
    """Split a line into its five fields."""
    if len(line) > _LINE_BYTES:
        raise FaultError(f"is {human_bytes(len(line))} long.", _FIX_WRITE)
    if _NUMBER_WITH_COMMA.search(line):
        raise FaultError(f"holds a number with a comma, in quotes: {show(line)}.", _FIX_DIGITS)
    for byte, kind in FORBIDDEN.items():
        if byte in line:
            raise FaultError(f"holds {kind} within a field: {show(line)}.", _FIX_WRITE)
    try:
        line.decode()
    except UnicodeDecodeError:
        raise FaultError(f"is not UTF-8: {show(line)}.", _FIX_WRITE) from None
    fields = line.split(b",")
    if len(fields) != len(COLUMNS):
        hint = " Was the file closed?" if len(fields) < len(COLUMNS) else ""
        if line.rstrip(b",").count(b",") == len(COLUMNS) - 1:
            hint = " It ends with a comma."
        what = f"has {counted(len(fields), 'field')} where 5 belong: {show(line)}.{hint}"
        raise FaultError(what, _FIX_WRITE)
    if not fields[0]:
        raise FaultError(f"has no image_id: {show(line)}.", FIX_IDS)
    return fields


def check_box(
    fields: Sequence[bytes], boxes: pl.DataFrame, texts: pl.DataFrame, *, bounded: bool = True
) -> None:
    """Check the four numbers of a row.

    Args:
        fields: The numbers as they are written.
        boxes: All rows as numbers, which show what the writer meant.
        texts: All rows as text.
        bounded: The box must lie in the image.

    Raises:
        FaultError: The first thing that is wrong.
    """
    box = []
    for field, column in zip(fields, BOX_COLUMNS, strict=True):
        try:
            box.append(_pixel(field.strip(BLANKS.encode()), column, bounded=bounded))
        except FaultError as fault:
            fix = _on_fractions(texts) if fault.fix == _FIX_ROUND else ""
            raise FaultError(str(fault), fix or fault.fix) from None
    for axis, low, high in (("x", box[0], box[2]), ("y", box[1], box[3])):
        if low > high:
            what = f"column {axis}min: {low} is above {axis}max, which is {high}."
            raise FaultError(what, _FIX_SIZES if _are_sizes(boxes) else _FIX_ORDER)


def _pixel(field: bytes, column: str, *, bounded: bool) -> int:
    """Read one number; the error says what is wrong with it."""
    upper = UPPER[column] if bounded else 10**9
    shown = f"column {column}: {show(field)}"
    if _INTEGER.fullmatch(field):
        # int() of a million digits is slow, and no honest number has twenty.
        digits = field.lstrip(b"+-0") or b"0"
        value = int(digits[:20]) * (-1 if field.startswith(b"-") else 1)
        if value > upper:
            raise FaultError(f"{shown} is above {upper}.", _FIX_CLIP)
        if value < 0 and bounded:
            raise FaultError(f"{shown} is below 0.", _FIX_CLIP)
        return value
    if not field:
        raise FaultError(f"column {column} is empty.", _FIX_EMPTY)
    if _NOT_FINITE.fullmatch(field):
        raise FaultError(f"{shown} is not a number.", _FIX_EMPTY)
    if _FLOAT.fullmatch(field):
        raise FaultError(f"{shown} is not an integer.", _FIX_ROUND)
    raise FaultError(f"{shown} is not a plain integer.", _FIX_DIGITS)


def _on_fractions(texts: pl.DataFrame) -> str:
    """Return how to convert boxes that are fractions of the image, or nothing if they are not."""
    values = texts.select(pl.col(BOX_COLUMNS).cast(pl.Float64, strict=False)).drop_nulls()
    xmin, ymin, xmax, ymax = (pl.col(column) for column in BOX_COLUMNS)
    inside = values.select(pl.all_horizontal(pl.all().is_between(0, 1)).all()).item()
    if not inside or values.is_empty():
        return ""
    ordered = values.select(((xmin <= xmax) & (ymin <= ymax)).all()).item()
    return _FIX_FRACTIONS if ordered else _FIX_CENTRES


def _are_sizes(boxes: pl.DataFrame) -> bool:
    """Check whether boxes are x, y, width, height: many cannot be corners, and all can be this.

    A corner or two in the wrong order are another mistake, so that a tenth of the rows, and
    at least two, must have a minimum above its maximum.
    """
    xmin, ymin, xmax, ymax = (pl.col(column) for column in BOX_COLUMNS)
    whole = boxes.select(BOX_COLUMNS).drop_nulls()
    fits = (xmin + xmax <= IMAGE_WIDTH) & (ymin + ymax <= IMAGE_HEIGHT)
    contradict = whole.filter((xmin > xmax) | (ymin > ymax)).height
    return contradict >= max(2, whole.height / 10) and whole.filter(~fits).is_empty()


def _in_ids(
    found: pl.Series, row: Row, rows: int, expected: Sequence[str]
) -> InvalidPredictionsError:
    """Return the error for ids that differ from those that belong there."""
    ids = found.fill_null("").to_list()
    seen = f", in the first {len(ids):,} rows" if rows > len(ids) else ""
    why = (
        f"It has {counted(rows, 'row')} and submission_format.csv {len(expected):,}: "
        f"{', '.join(_differences(ids, expected))}{seen}."
    )
    wrong, fix = _on_id(ids, row.number, expected)
    return InvalidPredictionsError(f"{row.where}, column image_id: {wrong}", why=why, fix=fix)


def _differences(ids: Sequence[str], expected: Sequence[str]) -> list[str]:
    """Count the ids that are missing, extra or duplicate, or else reordered, and name a few."""
    counts, wanted = Counter(ids), set(expected)
    kinds = {
        "missing": [image_id for image_id in expected if image_id not in counts],
        "extra": [image_id for image_id in counts if image_id not in wanted],
        "duplicate": [i for i, count in counts.items() if count > 1 and i in wanted],
    }
    if not any(kinds.values()):
        pairs = zip(ids, expected, strict=False)
        kinds["reordered"] = [have for have, want in pairs if have != want]
    return [
        f"{len(some):,} {kind} ({first_few(some, len(some), 3)})"
        for kind, some in kinds.items()
        if some
    ]


def _on_id(ids: Sequence[str], number: int, expected: Sequence[str]) -> tuple[str, str]:
    """Return what is wrong with the id of a row, and how to put it right."""
    if number >= len(ids):
        return f"the file ends where {show(expected[number])} belongs.", FIX_IDS
    image_id = ids[number]
    fix = FIX_IDS
    if image_id not in expected and stem(image_id) in map(stem, expected):
        fix = FIX_SAME
    if number >= len(expected):
        return f"{show(image_id)} is one row too many.", fix
    return f"{show(image_id)} stands where {show(expected[number])} belongs.", fix


def stem(image_id: str) -> str:
    """Return an id without the folder, ending, quotes and capitals that some writers leave."""
    name = image_id.strip(" \t'").lower().replace("\\", "/").rpartition("/")[2]
    return re.sub(r"\.(png|jpe?g)$", "", name)


def in_header(data: bytes, header: bytes, where: str) -> InvalidPredictionsError:
    """Return the error for a first line that is not the header."""
    name = where.rpartition(" line ")[0]
    wanted = f"The first line must read {','.join(COLUMNS)}"
    if not data.strip(_BOM + b"\r\n\t "):
        return InvalidPredictionsError(f"{name} is empty.", why=f"{wanted}.", fix=FIX_IDS)
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            what = f"{name} is written in {encoding}, not in UTF-8."
            fix = 'Write it with encoding="utf-8" (in PowerShell: Out-File -Encoding utf8).'
            return InvalidPredictionsError(what, fix=fix)
    hint, fix = _on_header(header[:_LINE_BYTES], data[:_LINE_BYTES])
    what = f"{where}: {show(header, 80)} is not the header{f': {hint}' if hint else ''}."
    return InvalidPredictionsError(what, why=f"{wanted}.", fix=fix)


def _on_header(header: bytes, data: bytes) -> tuple[str, str]:
    """Guess what went wrong with a header, and how to put it right."""
    fields = [field.strip().strip(b"\"'").lower() for field in header.split(b",")]
    columns = [column.encode() for column in COLUMNS]
    missing = [column.decode() for column in columns if column not in fields]
    kind = next((kind for magic, kind in _FILES.items() if header.startswith(magic)), "")
    lines = [*data.splitlines(), b",".join(columns)]
    line = lines.index(lines[-1]) + 1
    numbers = [re.fullmatch(rb"[0-9.]+", field) for field in fields[1:]]
    marks = any(mark in header for mark in (b";", b"\t", b"|")) or header.split() == columns
    fix = f"Write the header {','.join(COLUMNS)}."
    rules = (
        (kind, f"the file is {kind}, not CSV", _FIX_WRITE),
        (line < len(lines), f"the header stands in line {line}", "Write nothing above it."),
        (header.startswith(_BOM), "a second byte order mark stands before it", _FIX_WRITE),
        (b'"' in header, "it has quotes within a field", _FIX_WRITE),
        (
            fields[1:] == columns or not fields[0],
            "it begins with the row numbers of a data frame",
            _FIX_WRITE,
        ),
        (len(fields) == len(columns) and all(numbers), "the header is missing", fix),
        (len(fields) == 1 and marks, "the separator is not a comma", _FIX_WRITE),
        (missing, f"{', '.join(missing)} missing", fix),
        (fields == [*columns, b""], "it ends with a comma", fix),
        (
            len(fields) > len(columns),
            f"{counted(len(fields) - len(columns), 'column')} too many",
            fix,
        ),
        (fields == columns, "case, spaces or quotes differ", fix),
        (True, "the columns are in another order", fix),
    )
    return next((hint, fix) for applies, hint, fix in rules if applies)
