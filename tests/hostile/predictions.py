"""Bad (and unusual but good) CSVs of predictions, as data.

Each case makes the bytes of submission.csv from the image_ids of submission_format.csv, of
which there must be at least four, and says how that must end. Unit tests feed them to the
parser; engine tests let a submission write them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from posebowl.errors import Verdict

HEADER = "image_id,xmin,ymin,xmax,ymax"


@dataclass(frozen=True, kw_only=True)
class CsvCase:
    name: str
    make: Callable[[Sequence[str]], bytes]
    verdict: Verdict = Verdict.INVALID_PREDICTIONS
    words: tuple[str, ...] = ()
    """Must all occur in the message; {0} stands for the first image_id, {1} for the next, ..."""

    def expected_words(self, ids: Sequence[str]) -> list[str]:
        return [word.format(*ids) for word in self.words]


def rows(ids: Sequence[str]) -> list[str]:
    """Make a good row for each id."""
    return [f"{image_id},{10 + i % 100},20,{300 + i % 100},400" for i, image_id in enumerate(ids)]


def table(lines: Sequence[str], header: str = HEADER) -> bytes:
    return "".join(f"{line}\n" for line in (header, *lines)).encode()


def good(ids: Sequence[str]) -> bytes:
    return table(rows(ids))


def third(box: str) -> Callable[[Sequence[str]], bytes]:
    """Put a box, as text, into the third row, which is line 4 of the file."""

    def make(ids: Sequence[str]) -> bytes:
        lines = rows(ids)
        lines[2] = f"{ids[2]},{box}"
        return table(lines)

    return make


def edit(change: Callable[[list[str]], object]) -> Callable[[Sequence[str]], bytes]:
    """Change the list of good rows in place."""

    def make(ids: Sequence[str]) -> bytes:
        lines = rows(ids)
        change(lines)
        return table(lines)

    return make


def headed(header: str) -> Callable[[Sequence[str]], bytes]:
    return lambda ids: table(rows(ids), header)


def quoted(row: str) -> str:
    return ",".join(f'"{field}"' for field in row.split(","))


def boxes(*values: str) -> Callable[[Sequence[str]], bytes]:
    """Make a table in which these boxes take turns."""
    return lambda ids: table([f"{i},{values[n % len(values)]}" for n, i in enumerate(ids)])


def swap(lines: list[str]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def repeat(lines: list[str]) -> None:
    lines[2] = lines[1]


def indexed(ids: Sequence[str]) -> bytes:
    lines = [f"{i},{row}" for i, row in enumerate(rows(ids))]
    return table(lines, f",{HEADER}")


AT = ("line 4", "{2}")
"""The third row, by the number of its line and by its image_id."""

SIGNS = ("blanks, signs or leading zeros",)

GOOD = (
    CsvCase(name="plain", make=good, verdict=Verdict.OK),
    CsvCase(name="bom", make=lambda ids: b"\xef\xbb\xbf" + good(ids), verdict=Verdict.OK),
    CsvCase(name="crlf", make=lambda ids: good(ids).replace(b"\n", b"\r\n"), verdict=Verdict.OK),
    CsvCase(name="no-last-newline", make=lambda ids: good(ids)[:-1], verdict=Verdict.OK),
    CsvCase(
        name="bom-crlf-no-last-newline",
        make=lambda ids: b"\xef\xbb\xbf" + good(ids).replace(b"\n", b"\r\n")[:-2],
        verdict=Verdict.OK,
    ),
    CsvCase(name="whole-image", make=third("0,0,1280,1024"), verdict=Verdict.OK),
    CsvCase(name="zero-area", make=third("7,7,7,7"), verdict=Verdict.OK),
    CsvCase(name="zero-area-in-the-far-corner", make=third("1280,1024,1280,1024"),
            verdict=Verdict.OK),
)  # fmt: skip

SPELLINGS = (
    CsvCase(name="minus-zero", make=third("-0,20,300,400"), verdict=Verdict.OK, words=SIGNS),
    CsvCase(name="plus", make=third("+10,20,300,400"), verdict=Verdict.OK, words=SIGNS),
    CsvCase(name="space-before", make=third("10, 20,300,400"), verdict=Verdict.OK, words=SIGNS),
    CsvCase(name="space-after", make=third("10,20,300,400 "), verdict=Verdict.OK, words=SIGNS),
    CsvCase(name="tabs", make=third("\t10,20\t,300,400"), verdict=Verdict.OK, words=SIGNS),
    CsvCase(name="leading-zero", make=third("010,20,300,400"), verdict=Verdict.OK, words=SIGNS),
    CsvCase(name="many-zeros", make=third("00000010,20,300,400"), verdict=Verdict.OK, words=SIGNS),
    CsvCase(name="blank-line", make=edit(lambda r: r.insert(2, "")), verdict=Verdict.OK),
    CsvCase(name="line-of-blanks", make=edit(lambda r: r.insert(2, " \t")), verdict=Verdict.OK),
    CsvCase(name="blank-last-line", make=lambda ids: good(ids) + b"\n", verdict=Verdict.OK),
    CsvCase(name="blank-first-line", make=lambda ids: b"\n" + good(ids), verdict=Verdict.OK),
    CsvCase(name="blank-end", make=lambda ids: good(ids) + b" \t", verdict=Verdict.OK),
    CsvCase(name="quoted-id", make=edit(lambda r: r.__setitem__(
        2, '"' + r[2].replace(",", '",', 1))), verdict=Verdict.OK),
    CsvCase(name="quoted-text", make=lambda ids: table(
        [f'"{row}'.replace(",", '",', 1) for row in rows(ids)], quoted(HEADER)),
            verdict=Verdict.OK),
    CsvCase(name="quote-all", make=lambda ids: table([quoted(row) for row in rows(ids)],
                                                     quoted(HEADER)), verdict=Verdict.OK),
    CsvCase(name="quoted-space", make=third('10," 20",300,400'), verdict=Verdict.OK, words=SIGNS),
    CsvCase(name="lone-cr", make=lambda ids: good(ids).replace(b"\n", b"\r"), verdict=Verdict.OK,
            words=("carriage return alone",)),
    CsvCase(name="cr-cr-lf", make=lambda ids: table(rows(ids)[:-1]) + rows(ids)[-1].encode()
            + b"\r\r\n", verdict=Verdict.OK, words=("carriage return alone",)),
)  # fmt: skip
"""Spellings that pandas, and so the platform, reads; `words` are of the warning."""

BAD_VALUES = (
    CsvCase(name="float", make=third("12.0,20,300,400"),
            words=(*AT, "column xmin", '"12.0"', "integer", ".round().astype(int)")),
    CsvCase(name="exponent", make=third("1e2,20,300,400"), words=(*AT, "xmin", "1e2", "round")),
    CsvCase(name="nan", make=third("10,nan,300,400"), words=(*AT, "column ymin", "nan")),
    CsvCase(name="inf", make=third("10,20,inf,400"), words=(*AT, "column xmax", "inf")),
    CsvCase(name="minus-inf", make=third("-inf,20,300,400"), words=(*AT, "column xmin", "-inf")),
    CsvCase(name="empty-value", make=third("10,20,300,"), words=(*AT, "column ymax", "empty")),
    CsvCase(name="negative", make=third("-1,20,300,400"), words=(*AT, "xmin", "-1", "below 0")),
    CsvCase(name="right-of-image", make=third("10,20,1281,400"),
            words=(*AT, "column xmax", "1281", "above 1280")),
    CsvCase(name="below-image", make=third("10,20,300,1025"),
            words=(*AT, "column ymax", "1025", "above 1024")),
    CsvCase(name="xmin-above-xmax", make=third("301,20,300,400"),
            words=(*AT, "column xmin", "301", "above xmax")),
    CsvCase(name="ymin-above-ymax", make=third("10,401,300,400"),
            words=(*AT, "column ymin", "401", "above ymax")),
    CsvCase(name="text", make=third("left,20,300,400"), words=(*AT, "column xmin", "left")),
    CsvCase(name="two-signs", make=third("+-10,20,300,400"), words=(*AT, "column xmin", "+-10")),
    CsvCase(name="space-within", make=third("10,2 0,300,400"), words=(*AT, "ymin", '"2 0"')),
    CsvCase(name="no-break-space", make=third("10,\xa020,300,400"), words=(*AT, "ymin", "\\xa020")),
    CsvCase(name="underscore", make=third("10,20,3_00,400"), words=(*AT, "xmax", "3_00")),
    CsvCase(name="hexadecimal", make=third("0x10,20,300,400"), words=(*AT, "xmin", "0x10")),
    CsvCase(name="beyond-int64", make=third(f"10,20,{2**64 + 30},400"),
            words=(*AT, "column xmax", "above 1280")),
    CsvCase(name="wraps-to-int32", make=third(f"10,20,{2**32 + 30},400"),
            words=(*AT, "column xmax", "above 1280")),
    CsvCase(name="thousand-digits", make=third(f"10,20,{'9' * 1000},400"),
            words=(*AT, "column xmax", "...", "above 1280")),
    CsvCase(name="thousands-separator", make=third("10,20,1,200,400"),
            words=("line 4", "6 fields")),
    CsvCase(name="quoted-thousands", make=third('10,20,"1,200",400'),
            words=("line 4", "quotes", "a number with a comma", "digits only")),
    CsvCase(name="repr", make=third("tensor(10),20,300,400"), words=(*AT, "xmin", "int(value)")),
    CsvCase(name="arabic-digits", make=third("\u0663,20,300,400"), words=(*AT, "column xmin")),
    CsvCase(name="true", make=third("True,20,300,400"), words=(*AT, "column xmin", "True")),
    CsvCase(name="formula", make=third("=1+1,20,300,400"), words=(*AT, "column xmin", "=1+1")),
    CsvCase(name="escape-codes", make=third("\x1b[2J,20,300,400"),
            words=(*AT, "column xmin", "\\x1b[2J")),
)  # fmt: skip

BAD_UNITS = (
    CsvCase(name="fractions", make=boxes("0.1,0.2,0.3,0.4", "0.5,0,1.0,1"),
            words=("line 2", "xmin", "0.1", "fractions of the image", "Multiply x by 1280")),
    CsvCase(name="yolo", make=boxes("0.5,0.5,0.1,0.2", "0.1,0.1,0.2,0.2"),
            words=("line 2", "xmin", "0.5", "centre and size", "(x - width / 2) * 1280")),
    CsvCase(name="widths-and-heights", make=boxes("500,500,100,200", "100,100,200,200"),
            words=("line 2", "500 is above xmax", "xmax = x + width and ymax = y + height")),
    CsvCase(name="one-swapped-corner", make=third("900,20,300,400"),
            words=(*AT, "900 is above xmax", "two corners in the wrong order")),
    CsvCase(name="swapped-corners", make=boxes("1200,900,800,500", "100,100,200,200"),
            words=("line 2", "above xmax", "two corners in the wrong order")),
)  # fmt: skip

BAD_ROWS = (
    CsvCase(name="too-few-fields", make=third("10,20,300"), words=("line 4", "4 fields")),
    CsvCase(name="comma-at-the-end", make=third("10,20,300,400,"),
            words=("line 4", "6 fields", "ends with a comma")),
    CsvCase(name="too-many-fields", make=third("10,20,300,400,0.9"), words=("line 4", "6 fields")),
    CsvCase(name="bad-below-blank-lines", make=lambda ids: b"\n" + third("10,20,300")(ids).replace(
        b"\n", b"\n \n"), words=("line 8", "4 fields")),
    CsvCase(name="line-of-quotes", make=edit(lambda r: r.insert(2, '""')),
            words=("line 4", "quotes")),
    CsvCase(name="last-line-of-quotes", make=lambda ids: good(ids) + b'""', words=("quotes",)),
    CsvCase(name="six-fields-then-four", make=edit(lambda r: r.__setitem__(
        slice(1, 3), [r[1] + ",1", r[2][:-4]])), words=("line 3", "6 fields")),
    CsvCase(name="quote-left-open", make=edit(lambda r: r.__setitem__(2, '"' + r[2])),
            words=("line 4", "quotes")),
    CsvCase(name="half-quoted", make=third('10,20,300,"40"0'), words=("line 4", "quotes")),
    CsvCase(name="quoted-newline", make=third('10,20,300,"40\n0"'), words=("line 4", "quotes")),
    CsvCase(name="nul", make=third("10,20,300,4\x0000"), words=("line 4", "NUL")),
    CsvCase(name="cr-within-a-row", make=third("10,20\r,300,400"), words=("line 4", "3 fields")),
    CsvCase(name="not-utf8", make=lambda ids: good(ids).replace(ids[2].encode(), b"\xff\xfe\x80"),
            words=("line 4", "UTF-8", "\\xff")),
    CsvCase(name="one-huge-line", make=third("1" * 100_000), words=("line 4", "KiB long")),
    CsvCase(name="semicolons", make=lambda ids: good(ids).replace(b",", b";"),
            words=("line 1", "comma")),
    CsvCase(name="semicolons-in-one-row", make=third("10;20;300;400"),
            words=("line 4", "2 fields")),
)  # fmt: skip

BAD_HEADERS = (
    CsvCase(name="empty-file", make=lambda _: b"", words=("empty",)),
    CsvCase(name="only-a-bom", make=lambda _: b"\xef\xbb\xbf", words=("empty",)),
    CsvCase(name="header-only", make=lambda _: table([]), words=("missing", "{0}")),
    CsvCase(name="no-header", make=lambda ids: good(ids).partition(b"\n")[2],
            words=("line 1", "header is missing")),
    CsvCase(name="row-numbers", make=indexed, words=("line 1", "row numbers", "index=False")),
    CsvCase(name="column-missing", make=headed("image_id,xmin,ymin,xmax"),
            words=("line 1", "ymax missing")),
    CsvCase(name="column-renamed", make=headed("id,xmin,ymin,xmax,ymax"),
            words=("line 1", "image_id missing")),
    CsvCase(name="width-and-height", make=headed("image_id,x,y,w,h"),
            words=("line 1", "xmin, ymin, xmax, ymax missing")),
    CsvCase(name="column-order", make=headed("image_id,xmin,xmax,ymin,ymax"),
            words=("line 1", "another order")),
    CsvCase(name="column-too-many", make=headed(f"{HEADER},confidence"),
            words=("line 1", "1 column too many")),
    CsvCase(name="commas-at-the-ends", make=lambda ids: good(ids).replace(b"\n", b",\n"),
            words=("line 1", "ends with a comma")),
    CsvCase(name="separated-by-blanks", make=lambda ids: good(ids).replace(b",", b"  "),
            words=("line 1", "separator is not a comma")),
    CsvCase(name="separator-line", make=lambda ids: b"sep=,\r\n" + good(ids),
            words=("line 1", "the header stands in line 2")),
    CsvCase(name="two-marks", make=lambda ids: b"\xef\xbb\xbf" * 2 + good(ids),
            words=("line 1", "second byte order mark")),
    CsvCase(name="quotes-in-header", make=headed(f'""{HEADER}'),
            words=("line 1", "quotes within a field")),
    CsvCase(name="capitals", make=headed("Image_ID,xmin,ymin,xmax,ymax"),
            words=("line 1", "case")),
    CsvCase(name="spaces-in-header", make=headed("image_id, xmin, ymin, xmax, ymax"),
            words=("line 1", "spaces")),
    CsvCase(name="text-in-the-first-line", make=lambda ids: b"# boxes\n" + good(ids),
            words=("line 1", "header stands in line 2")),
    CsvCase(name="utf16", make=lambda ids: good(ids).decode().encode("utf-16"),
            words=("UTF-16", "UTF-8")),
    CsvCase(name="utf32", make=lambda ids: good(ids).decode().encode("utf-32"), words=("UTF-32",)),
    CsvCase(name="zip", make=lambda _: b"PK\x03\x04" + bytes(60),
            words=("line 1", "header", "a zip")),
    CsvCase(name="gzip", make=lambda _: b"\x1f\x8b" + bytes(60), words=("line 1", "by gzip")),
    CsvCase(name="json", make=lambda ids: f'[{{"image_id": "{ids[0]}"}}]'.encode(),
            words=("line 1", "JSON")),
    CsvCase(name="html", make=lambda _: b"<!doctype html>\n<html>",
            words=("line 1", "header", "HTML")),
    CsvCase(name="noise", make=lambda _: bytes(range(256)) * 8, words=("line 1", "header")),
)  # fmt: skip

BAD_IDS = (
    CsvCase(name="reordered", make=edit(swap), words=("line 3", "{2}", "{1}", "2 reordered")),
    CsvCase(name="reversed", make=edit(lambda r: r.reverse()), words=("line 2", "reordered")),
    CsvCase(name="missing-first", make=edit(lambda r: r.pop(0)),
            words=("line 2", "1 missing ({0})")),
    CsvCase(name="missing-last", make=lambda ids: table(rows(ids)[:3]),
            words=("line 5", "ends", "{3}", "missing")),
    CsvCase(name="duplicate", make=edit(repeat),
            words=("line 4", "1 missing ({2})", "1 duplicate ({1})")),
    CsvCase(name="appended-again", make=lambda ids: table(rows(ids) + rows(ids)),
            words=("one row too many", "duplicate")),
    CsvCase(name="written-twice", make=lambda ids: good(ids) * 2,
            words=("the header stands here again", '"w" rather than "a"')),
    CsvCase(name="header-in-the-middle", make=edit(lambda r: r.insert(2, HEADER)),
            words=("line 4", "the header stands here again")),
    CsvCase(name="paths", make=edit(lambda r: r.__setitem__(
        slice(None), [f"../data/images/{row}".replace(",", ".png,", 1) for row in r])),
            words=("line 2", "without folder and .png")),
    CsvCase(name="extra", make=edit(lambda r: r.append("stranger,0,0,1,1")),
            words=("stranger", "one row too many", "1 extra (stranger)")),
    CsvCase(name="many-extra", make=edit(lambda r: r.extend(["s,0,0,1,1"] * 5000)),
            words=("one row too many", "1 extra (s)", "in the first")),
    CsvCase(name="file-names", make=edit(lambda r: r.__setitem__(
        slice(None), [row.replace(",", ".png,", 1) for row in r])),
            words=("line 2", "{0}.png", "missing", "extra", ".stem")),
    CsvCase(name="empty-id", make=edit(lambda r: r.__setitem__(2, ",10,20,300,400")),
            words=("line 4", "image_id")),
    CsvCase(name="space-after-id", make=edit(lambda r: r.__setitem__(
        2, r[2].replace(",", " ,", 1))), words=("line 4", "{2} ", "1 missing", "without blanks")),
    CsvCase(name="capital-id", make=edit(lambda r: r.__setitem__(2, r[2].swapcase())),
            words=("line 4", "1 missing", "1 extra", "in the same case")),
)  # fmt: skip

CASES = (*GOOD, *SPELLINGS, *BAD_VALUES, *BAD_UNITS, *BAD_ROWS, *BAD_HEADERS, *BAD_IDS)
