"""Results, printed for people or for programs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from posebowl.challenge import Limit
from posebowl.cli import output


def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"path": Path(":smile:/[red]x[/]"), "long": "word " * 100, "odd": "\x1b"}
    output.print_json(value)
    assert json.loads(capsys.readouterr().out) == {**value, "path": str(value["path"])}


@dataclasses.dataclass
class Made:
    path: Path
    names: frozenset[str]
    parts: tuple[object, ...]


def test_dataclasses_and_sets_are_objects_and_arrays(capsys: pytest.CaptureFixture[str]) -> None:
    inner = Made(path=Path("b"), names=frozenset(), parts=({1: Limit.CPUS},))
    made = Made(path=Path("a"), names=frozenset({"y", "x"}), parts=(inner, None, 1.5, True))
    output.present(made, lambda _: pytest.fail("told to people"), as_json=True)
    within = {"path": "b", "names": [], "parts": [{"1": "cpus"}]}
    expected = {"path": "a", "names": ["x", "y"], "parts": [within, None, 1.5, True]}
    assert json.loads(capsys.readouterr().out) == expected


def test_people_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    output.present("made", told.append, as_json=False)
    output.present_text("made", "It is [made].", as_json=False)
    assert told == ["made"]
    assert capsys.readouterr().out == "It is [made].\n"
