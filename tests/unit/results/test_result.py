"""result.json: written and read back, junk refused, and documented as it is."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl import paths
from posebowl.engines.base import Sample
from posebowl.errors import BadDataError, Verdict
from posebowl.results import result
from posebowl.results.failure import Failure
from posebowl.results.reach import Reach
from posebowl.results.result import BudgetLine, Forecast, Meter, Result, ScoreSummary, Timing

NUMBERS = st.floats(0, 1e12)
COUNTS = st.integers(0, 1 << 60)
EXACT = st.integers(0, 1 << 53)  # what a meter, a float, tells apart
TEXTS = st.text(max_size=20)
TABLES = st.dictionaries(TEXTS, TEXTS, max_size=3)
RESULTS = st.builds(
    Result,
    run_id=TEXTS,
    verdict=st.sampled_from(Verdict),
    message=TEXTS,
    fix=TEXTS,
    engine=TEXTS,
    variant=TEXTS,
    archive=st.dictionaries(TEXTS, TEXTS | COUNTS | st.booleans(), max_size=3),
    data=st.dictionaries(TEXTS, TEXTS | COUNTS | st.booleans(), max_size=3),
    timing=st.none()
    | st.builds(
        Timing,
        started_at=TEXTS,
        start_s=NUMBERS,
        wall_s=NUMBERS,
        images_per_second=st.none() | NUMBERS,
    ),
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    meters=st.dictionaries(
        TEXTS, st.builds(Meter, used=NUMBERS | EXACT, limit=NUMBERS, unit=TEXTS), max_size=2
    ),
    oom_kills=COUNTS,
    score=st.none() | st.builds(ScoreSummary, mean_iou=NUMBERS, median_iou=NUMBERS, images=COUNTS),
    warnings=st.lists(TEXTS, max_size=2).map(tuple),
    unenforced=TABLES,
    environment=TABLES,
    samples=st.lists(
        st.builds(
            Sample,
            elapsed_s=NUMBERS,
            memory_bytes=COUNTS,
            cpu_s=NUMBERS,
            read_bytes=COUNTS,
            write_bytes=COUNTS,
            output_bytes=COUNTS,
            images=COUNTS,
        ),
        max_size=2,
    ).map(tuple),
    images_from=TEXTS,
    on_platform=st.none()
    | st.builds(Forecast, seconds=NUMBERS, low=NUMBERS, high=NUMBERS, points=COUNTS),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def plain(**known: object) -> Result:
    """Return a result with little in it."""
    base = Result(
        run_id="1",
        verdict=Verdict.OK,
        message="It ran.",
        fix="",
        engine="embedded",
        variant="cpu",
        archive={"path": "submission.zip"},
        data={},
    )
    return replace(base, **known)  # type: ignore[arg-type]


def read_text(text: str | bytes) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "result.json")
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return result.read(path)


@given(RESULTS)
def test_what_is_written_is_read(made: Result) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "result.json")
        result.write(made, path)
        assert result.read(path) == made
        assert path.read_bytes() == made.to_json().encode()
        assert set(json.loads(path.read_text())) == {field.name for field in fields(Result)}


@given(JSON)
def test_junk_is_refused_in_words(junk: object) -> None:
    with pytest.raises(BadDataError) as caught:
        read_text(json.dumps(junk))
    assert caught.value.fix


@given(RESULTS, st.sampled_from([field.name for field in fields(Result)]), JSON)
def test_a_field_of_another_type_is_refused_or_harmless(
    made: Result, name: str, junk: object
) -> None:
    text = json.dumps({**asdict(made), name: junk})
    try:
        back = read_text(text)
    except BadDataError:
        return
    assert isinstance(back.to_json(), str)
    assert (
        type(getattr(back, name)) is type(getattr(made, name))
        or getattr(back, name) is None
        or getattr(made, name) is None
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "[" * 100_000,
        b"\xff\xfe",
        b"\0" * 100,
        '{"schema_version": 1}',
        '{"schema_version": 1, "meters": []}',
        '{"schema_version": "1"}',
        '{"schema_version": 2}',
        '{"schema_version": {"a": "\\u001b[2J"}}',
    ],
)
def test_other_files_are_refused(text: str | bytes) -> None:
    with pytest.raises(BadDataError) as caught:
        read_text(text)
    assert "\x1b" not in str(caught.value)


def test_another_version_is_told() -> None:
    with pytest.raises(BadDataError, match='schema version "7", not 1'):
        read_text(json.dumps({**asdict(plain()), "schema_version": 7}))


@pytest.mark.parametrize("kind", ["missing", "folder", "link", "FIFO"])
def test_what_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        result.write(plain(), tmp_path / "other.json")
        path.symlink_to(tmp_path / "other.json")
    elif kind == "FIFO":
        os.mkfifo(path)
    with pytest.raises(BadDataError, match="is not the result of a run"):
        result.read(path)


def test_fields_of_a_newer_tool_are_passed_over() -> None:
    table = asdict(plain(samples=(Sample(elapsed_s=1.0, memory_bytes=2, cpu_s=3.0),)))
    table["newer"] = {"a": 1}
    table["samples"][0]["newer"] = 5
    assert read_text(json.dumps(table)) == plain(
        samples=(Sample(elapsed_s=1.0, memory_bytes=2, cpu_s=3.0),)
    )


def test_fields_that_an_older_tool_did_not_know_have_their_defaults() -> None:
    table = asdict(plain())
    for name in ("samples", "warnings", "oom_kills", "environment"):
        del table[name]
    assert read_text(json.dumps(table)) == plain()


def test_a_path_of_any_bytes_can_be_written_and_read(tmp_path: Path) -> None:
    made = plain(archive={"path": os.fsdecode(b"odd-\xff.zip")})
    result.write(made, tmp_path / "result.json")
    assert result.read(tmp_path / "result.json") == made
    json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))


def test_share_of_a_meter() -> None:
    assert Meter(used=3, limit=4, unit="s").share == 0.75
    assert Meter(used=3, limit=0, unit="s").share == 0.0


def documented() -> dict[str, dict[str, tuple[str, str]]]:
    """Read the tables of docs/result.md: section -> field -> (type, meaning)."""
    text = (paths.ROOT / "docs" / "result.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    row = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
    return {
        section.partition("\n")[0]: {
            name: (kind, said) for name, kind, said in row.findall(section)
        }
        for section in sections
    }


TYPES = {
    "int": "whole number",
    "int | None": "whole number or null",
    "float": "number",
    "float | None": "number or null",
    "str": "text",
    "Verdict": "text",
    "dict[str, Any]": "object",
    "dict[str, str]": "object of texts",
    "dict[str, Meter]": "object of meters",
    "tuple[str, ...]": "list of texts",
    "tuple[Sample, ...]": "list of samples",
    "Timing | None": "timing or null",
    "ScoreSummary | None": "score or null",
    "dict[str, float]": "object of numbers",
    "Reach | None": "reach or null",
    "Failure | None": "failure or null",
    "Forecast | None": "forecast or null",
    "tuple[BudgetLine, ...]": "list of budget lines",
    "bool | None": "true, false or null",
}


@pytest.mark.parametrize(
    "kind", [Result, Timing, Meter, ScoreSummary, Forecast, Reach, Failure, Sample, BudgetLine]
)
def test_every_field_is_documented_with_its_type(kind: type) -> None:
    section = documented()["The whole" if kind is Result else kind.__name__]
    assert {name: declared for name, (declared, _) in section.items()} == {
        field.name: TYPES[str(field.type)] for field in fields(kind)
    }
    assert all(said.rstrip().endswith(".") or said == "1" for _, said in section.values())


def test_the_documented_version_is_this_one() -> None:
    text = (paths.ROOT / "docs" / "result.md").read_text()
    assert text.startswith(f"# result.json, schema version {result.SCHEMA_VERSION}\n")
    assert documented()["The whole"]["schema_version"][1] == str(result.SCHEMA_VERSION)
