"""Verdicts and their exit codes, and the errors that carry them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from posebowl import errors, paths
from posebowl.errors import EXIT_CODES, PoseBowlError, UsageError, Verdict, VerdictError

TABLE = {
    "OK": 0,
    "BAD_ARCHIVE": 10,
    "TIME_LIMIT": 11,
    "MEMORY_LIMIT": 12,
    "OUTPUT_LIMIT": 13,
    "RUNTIME_ERROR": 14,
    "SIGNALED": 15,
    "BAD_OUTPUT": 16,
    "INVALID_PREDICTIONS": 17,
    "ENGINE_ERROR": 20,
    "BUSY": 21,
    "LIMIT_UNENFORCED": 22,
    "BAD_DATA": 23,
    "INTERRUPTED": 130,
}
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type)]
VERDICT_ERRORS = [
    kind for kind in ERRORS if issubclass(kind, VerdictError) and kind != VerdictError
]


def test_the_table_is_what_scripts_rely_on() -> None:
    assert {verdict.value: verdict.exit_code for verdict in Verdict} == TABLE


def test_exit_codes_are_unique_and_leave_those_of_other_tools_free() -> None:
    codes = list(EXIT_CODES.values())
    assert len(set(codes)) == len(codes) == len(Verdict)
    assert not {1, 2, *range(125, 130)} & set(codes)
    assert all(0 <= code <= 255 for code in codes)


def test_infrastructure_failures_are_those_that_say_nothing_about_the_submission() -> None:
    names = {str(verdict) for verdict in Verdict if verdict.is_infrastructure_failure}
    assert names == {"ENGINE_ERROR", "BUSY", "LIMIT_UNENFORCED", "BAD_DATA", "INTERRUPTED"}


def test_the_documented_table_is_this_table() -> None:
    text = (paths.ROOT / "docs" / "verdicts.md").read_text()
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert [(name, int(code)) for code, name, _, _ in rows] == list(TABLE.items())
    assert all(cell.rstrip().endswith(".") for row in rows for cell in row[2:])


def test_every_error_of_a_verdict_ends_with_its_code() -> None:
    assert len(VERDICT_ERRORS) == 8
    for kind in VERDICT_ERRORS:
        assert kind.exit_code == kind.verdict.exit_code == kind("what").exit_code
    assert len({kind.verdict for kind in VERDICT_ERRORS}) == len(VERDICT_ERRORS)


def test_other_errors() -> None:
    assert PoseBowlError("what").exit_code == 1
    assert UsageError("what").exit_code == 2


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "It broke."),
        ({"why": "It was old."}, "It broke. It was old."),
        ({"fix": "Buy one."}, "It broke. Buy one."),
        ({"why": "It was old.", "fix": "Buy one."}, "It broke. It was old. Buy one."),
    ],
)
def test_an_error_reads_as_sentences(parts: dict[str, str], text: str) -> None:
    error = PoseBowlError("It broke.", **parts)
    assert str(error) == text
    assert (error.what, error.why, error.fix) == (
        "It broke.",
        parts.get("why", ""),
        parts.get("fix", ""),
    )


def raised() -> Iterator[tuple[str, set[str]]]:
    """Give every place where an error is made, and which of its parts are named there."""
    names = {name for name, kind in vars(errors).items() if name.endswith("Error")}
    for path in sorted((paths.ROOT / "posebowl").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                yield f"{path.name}:{node.lineno}", {item.arg or "" for item in node.keywords}


def test_every_error_says_what_to_type() -> None:
    found = list(raised())
    assert len(found) > 100
    assert [place for place, parts in found if "fix" not in parts] == []
