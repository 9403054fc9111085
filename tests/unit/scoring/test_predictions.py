from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from posebowl.challenge import BOX_COLUMNS, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import BadDataError, BadOutputError, InvalidPredictionsError, Verdict
from posebowl.scoring import predictions as module
from posebowl.scoring.box_csv import SCHEMA, first_duplicates, parse
from posebowl.scoring.predictions import find_warnings, read_format, read_predictions
from tests.hostile.predictions import CASES, CsvCase, good, rows, table

IDS = [f"{i:04x}{'ab' * 14}" for i in range(6)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a submission_format.csv of six images."""
    (tmp_path / "submission_format.csv").write_bytes(table([f"{i},0,0,0,0" for i in IDS]))
    return tmp_path


def read(folder: Path, data: bytes, **options: int) -> module.Predictions:
    path = folder / "submission.csv"
    path.write_bytes(data)
    return read_predictions(path, folder / "submission_format.csv", **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_ends_as_the_table_says(case: CsvCase, folder: Path) -> None:
    if case.verdict is Verdict.OK:
        found = read(folder, case.make(IDS))
        assert found.frame["image_id"].to_list() == IDS
        spelled = [warning for warning in found.warnings if "pandas reads them" in warning]
        assert len(spelled) == bool(case.words)
        for word in case.words:
            assert word in spelled[0]
        return
    with pytest.raises(InvalidPredictionsError) as caught:
        read(folder, case.make(IDS))
    assert caught.value.verdict is case.verdict
    message = str(caught.value)
    for word in ("submission.csv", *case.expected_words(IDS)):
        assert word in message
    assert caught.value.fix
    assert all(character.isprintable() for character in message)
    assert len(message) < 1000


def test_values_are_those_of_the_file(folder: Path) -> None:
    frame = read(folder, good(IDS)).frame
    assert frame.schema == SCHEMA
    assert frame.row(3) == (IDS[3], 13, 20, 303, 400)


@pytest.mark.parametrize("kind", ["absent", "link", "dangling", "folder", "fifo", "device"])
def test_what_is_no_regular_file_is_not_opened(kind: str, folder: Path) -> None:
    path = folder / "submission.csv"
    secret = folder / "secret.txt"
    secret.write_text("the host's own words")
    match kind:
        case "absent":
            words = ("was not written", "/code_execution/submission/submission.csv")
        case "link":
            path.symlink_to(secret)
            words = ("a link",)
        case "dangling":
            path.symlink_to(folder / "nowhere")
            words = ("a link",)
        case "folder":
            path.mkdir()
            words = ("a folder",)
        case "fifo":
            if not hasattr(os, "mkfifo"):
                pytest.skip("no FIFOs here")
            os.mkfifo(path)
            words = ("a FIFO",)
        case _:
            path = Path(os.devnull)
            words = ("a character device",)
    # Would wait for ever, and so fail, if the FIFO were opened in the usual way.
    with pytest.raises(BadOutputError) as caught:
        read_predictions(path, folder / "submission_format.csv")
    for word in words:
        assert word in str(caught.value)
    assert "own words" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no sparse files there by default")
def test_a_giant_is_refused_unread(folder: Path) -> None:
    path = folder / "submission.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BadOutputError, match=r"larger than 256\.0 MiB"):
        read_predictions(path, folder / "submission_format.csv")


def test_the_size_limit_is_exact(folder: Path) -> None:
    data = good(IDS)
    assert read(folder, data, max_bytes=len(data)).frame.height == 6
    with pytest.raises(BadOutputError, match="larger than"):
        read(folder, data, max_bytes=len(data) - 1)


def test_a_file_that_grows_while_it_is_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.open_regular

    @contextlib.contextmanager
    def growing(path: Path):
        with real(path) as file:
            size = os.fstat(file.fileno())
            with path.open("ab") as writer:
                writer.write(b"more\n")
            # Of this module alone: other threads look at files, too.
            monkeypatch.setattr(module, "os", SimpleNamespace(fstat=lambda _: size))
            yield file

    monkeypatch.setattr(module, "open_regular", growing)
    with pytest.raises(BadOutputError, match="changed"):
        read(folder, good(IDS))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a CSV"),
        (b"a,b\n1,2\n", "not a CSV"),
        (b"image_id,xmin\n", "names no image"),
        (b"image_id,xmin\na,1\n,2\n", "rows without image_id"),
        (b"image_id,xmin\na,1\nb,2\na,3\n", "1 image more than once: a"),
        (b"\xff\xfe\x00", "not a CSV"),
    ],
)
def test_a_broken_format_is_the_fault_of_the_data(data: bytes, words: str, folder: Path) -> None:
    (folder / "submission_format.csv").write_bytes(data)
    with pytest.raises(BadDataError, match=words):
        read(folder, good(IDS))


def test_a_missing_format_is_the_fault_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="cannot be read"):
        read_format(tmp_path / "nowhere.csv")


def frame_of(boxes: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    data = [(f"id{i}", *box) for i, box in enumerate(boxes)]
    return pl.DataFrame(data, schema=SCHEMA, orient="row")


SAME, OTHER, EMPTY = (1, 2, 30, 40), (5, 6, 70, 80), (9, 9, 9, 90)


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        ([SAME], []),
        ([SAME, OTHER], []),
        ([SAME, OTHER, SAME, OTHER], []),
        ([SAME] * 5, ["All 5 boxes are the same, (1, 2, 30, 40)"]),
        ([OTHER, SAME, SAME], ["2 of 3 boxes are the same, (1, 2, 30, 40)"]),
        ([SAME, OTHER, EMPTY], ["1 box has no area and scores 0 (33.3%; the first"]),
        ([EMPTY] * 2, ["All 2 boxes", "2 boxes have no area and score 0 (100.0%"]),
    ],
)  # fmt: skip
def test_warnings(boxes: list[tuple[int, int, int, int]], words: list[str]) -> None:
    warnings = find_warnings(frame_of(boxes))
    assert len(warnings) == len(words)
    for warning, word in zip(warnings, words, strict=True):
        assert word in warning


def test_the_untouched_format_draws_a_warning(folder: Path) -> None:
    found = read(folder, (folder / "submission_format.csv").read_bytes())
    assert "submission_format.csv itself" in found.warnings[0]


boxes = st.tuples(
    *(st.lists(st.integers(0, top), min_size=2, max_size=2) for top in (IMAGE_WIDTH, IMAGE_HEIGHT))
).map(lambda pair: (min(pair[0]), min(pair[1]), max(pair[0]), max(pair[1])))
names = st.text("0123456789abcdef-_.é", min_size=1, max_size=40)
frames = st.lists(st.tuples(names, boxes), min_size=1, max_size=30, unique_by=lambda r: r[0]).map(
    lambda pairs: pl.DataFrame([(n, *b) for n, b in pairs], schema=SCHEMA, orient="row")
)


@given(frames, st.booleans(), st.booleans(), st.booleans())
def test_valid_frames_survive_the_round_trip(
    frame: pl.DataFrame, bom: bool, crlf: bool, last_newline: bool
) -> None:
    data = frame.write_csv(
        include_bom=bom, line_terminator="\r\n" if crlf else "\n", quote_style="never"
    ).encode()
    if not last_newline:
        data = data.rstrip(b"\r\n")
    for expected in (frame["image_id"], None):
        table = parse(data, name="x", expected=expected)
        assert table.frame.equals(frame)
        assert table.warnings == ()


PIECES = [b"#", b",", b"\n", b"\r", b'"', b"\0", b" ", b"+", b"-", b"0", b"7", b".0", b"e1", b"nan",
          b"99999", b"\xff", b"\xc3\xa9", b"_", b"0x", b"\n\n", b",,", b"\t", b'""', b'","',
          b"\r\n", b" \n", b"\n ", b'"\n"', b"\v", b"NA", b"\x1a", b"\xc2\xa0",
          b"\xe2\x80\xa8"]  # fmt: skip
mutations = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(PIECES) | st.binary(max_size=6)),
    min_size=0,
    max_size=4,
)
spellings = st.sampled_from([case for case in CASES if case.verdict is Verdict.OK])


def as_the_platform(data: bytes) -> list[list[int]] | None:
    """Read predictions as the platform's own tests do; return the boxes, or None."""
    wanted = pd.read_csv(io.BytesIO(table([f"{i},0,0,0,0" for i in IDS])))
    try:
        found = pd.read_csv(io.BytesIO(data))
        again = pd.read_csv(io.BytesIO(data), index_col="image_id")
    except Exception:  # noqa: BLE001  # pandas raises what its parts raise
        return None
    if list(found.columns) != list(wanted.columns):
        return None
    ids, boxes = found["image_id"], found[list(BOX_COLUMNS)]
    if not ids.equals(wanted["image_id"]) or not (boxes.dtypes == "int64").all():
        return None
    if not boxes.equals(again.reset_index(drop=True)):
        return None
    ordered = (boxes.xmin <= boxes.xmax).all() and (boxes.ymin <= boxes.ymax).all()
    inside = (boxes <= [IMAGE_WIDTH, IMAGE_HEIGHT] * 2).all(axis=None)
    # Its tests do not look for what is below 0, which its rules forbid.
    positive = (boxes >= 0).all(axis=None)
    return boxes.to_numpy().tolist() if ordered and inside and positive else None


@settings(max_examples=1000)
@given(spellings, mutations)
def test_what_is_taken_is_what_pandas_reads(
    case: CsvCase, changes: list[tuple[float, int, bytes]]
) -> None:
    text = case.make(IDS)
    for place, cut, piece in changes:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + cut :]
    ours, message = None, ""
    try:
        frame = parse(text, name="x", expected=pl.Series("image_id", IDS)).frame
        ours = [list(row) for row in frame.select(BOX_COLUMNS).iter_rows()]
    except InvalidPredictionsError as error:
        message = str(error)
    # docs/platform.md lists what is refused all the same: NUL, and quotes within a field.
    listed = "within a field" in message
    assert ours == as_the_platform(text) or listed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_ends_as_on_the_platform(case: CsvCase) -> None:
    data = case.make(IDS)
    taken = as_the_platform(data) is not None
    assert taken == (case.verdict is Verdict.OK) or case.name in {
        "half-quoted",
        "quotes-in-header",
        "nul",
    }


@settings(max_examples=300)
@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda b: table([]) + b))
def test_arbitrary_bytes_give_predictions_or_a_verdict(data: bytes) -> None:
    try:
        frame = parse(data, name="x").frame
    except InvalidPredictionsError as error:
        frame, message = None, str(error)
    if frame is None:
        assert all(character.isprintable() for character in message)
    else:
        assert frame.height > 0
        assert frame.schema == SCHEMA
        assert frame.select(pl.col(BOX_COLUMNS).min()).transpose().min().item() >= 0


def test_a_second_header_is_found_whatever_the_ids_are() -> None:
    with pytest.raises(InvalidPredictionsError, match=r"line 8: the header stands here again"):
        parse(good(IDS) * 2, name="x")


def test_a_fault_after_many_good_rows_is_found(folder: Path) -> None:
    ids = [f"{i:032x}" for i in range(20_000)]
    (folder / "submission_format.csv").write_bytes(good(ids))
    lines = rows(ids)
    lines[-1] = f"{ids[-1]},1,2,3,4.5"
    with pytest.raises(InvalidPredictionsError, match=r"line 20001 .* column ymax"):
        read(folder, table(lines))


@given(st.lists(st.sampled_from("abcdefg"), min_size=1))
def test_duplicates_are_those_of_a_plain_count(ids: list[str]) -> None:
    expected = [i for i in dict.fromkeys(ids) if ids.count(i) > 1]
    assert first_duplicates(pl.Series(ids)) == expected
