"""What tasks share: options read, results printed."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from posebowl import environments
from posebowl.challenge import Limit
from posebowl.cli import options as cli
from posebowl.errors import UsageError
from posebowl.util import console, process
from posebowl.util.process import Completed


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Catch all that is said."""
    caught = io.StringIO()
    made = Console(file=caught, highlight=False, emoji=False, soft_wrap=True, width=80)
    monkeypatch.setattr(console, "out", made)
    return caught


def test_existing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.existing("", Path("default")) == Path("default")
    assert cli.existing("a/b", Path("default")) == Path("a/b")
    assert cli.existing("~/b", Path("default")) == tmp_path / "b"


def test_json_is_for_programs(screen: io.StringIO) -> None:
    value = {"path": Path(":smile:/[red]x[/]"), "long": "word " * 100, "odd": "\x1b"}
    cli.print_json(value)
    assert json.loads(screen.getvalue()) == {**value, "path": str(value["path"])}


@dataclasses.dataclass
class Made:
    path: Path
    names: frozenset[str]
    parts: tuple[object, ...]


def test_dataclasses_and_sets_are_objects_and_arrays(screen: io.StringIO) -> None:
    inner = Made(path=Path("b"), names=frozenset(), parts=({1: Limit.CPUS},))
    made = Made(path=Path("a"), names=frozenset({"y", "x"}), parts=(inner, None, 1.5, True))
    cli.present(made, lambda _: pytest.fail("told to people"), as_json=True)
    within = {"path": "b", "names": [], "parts": [{"1": "cpus"}]}
    expected = {"path": "a", "names": ["x", "y"], "parts": [within, None, 1.5, True]}
    assert json.loads(screen.getvalue()) == expected


def test_people_are_told(screen: io.StringIO) -> None:
    told: list[str] = []
    cli.present("made", told.append, as_json=False)
    cli.show("made", "It is [made].", as_json=False)
    assert told == ["made"]
    assert screen.getvalue() == "It is [made].\n"


def test_solution_or_source(tmp_path: Path) -> None:
    assert cli.solution_folder("", str(tmp_path)) == tmp_path
    assert cli.solution_folder("quickstart", "").name == "quickstart"
    for both in (("", ""), ("quickstart", str(tmp_path))):
        with pytest.raises(UsageError, match="either --solution NAME or --source DIR"):
            cli.solution_folder(*both)
    with pytest.raises(UsageError, match="no solution named"):
        cli.solution_folder("[red]x[/]", "")


def test_required() -> None:
    cli.required("push", registry="r", other=1)
    with pytest.raises(UsageError, match="push needs --a-registry") as caught:
        cli.required("push", variant="cpu", a_registry="")
    assert caught.value.fix == "Type: invoke --help push"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"out": "x y", "seed": 3}, ["--out", "x y", "--seed", "3"]),
        ({"one_look": True, "force": False}, ["--one-look"]),
        ({"a": None, "b": "", "c": 0, "d": False}, []),
        ({"one": 1, "half": 0.5}, ["--one", "1", "--half", "0.5"]),
        ({"out": Path("p")}, ["--out", "p"]),
    ],
)
def test_flags(options: dict[str, object], words: list[str]) -> None:
    assert cli.flags(**options) == words


@given(st.dictionaries(st.sampled_from(["a", "b_c", "out"]), st.text(min_size=1), max_size=3))
def test_flags_keep_every_text_as_one_word(options: dict[str, str]) -> None:
    words = cli.flags(**options)
    assert words[1::2] == list(options.values())
    assert words[::2] == [f"--{name.replace('_', '-')}" for name in options]


def test_a_module_runs_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def run(argv: list[str], **options: object) -> Completed:
        asked.extend([argv, options["capture"], options["check"]])
        return Completed(argv=(), returncode=5, stdout="", stderr="")

    monkeypatch.setattr(environments, "ensure", lambda group, *_, **__: Path("/envs", group))
    monkeypatch.setattr(process, "run", run)
    assert cli.in_environment("render", "posebowl.render", "--count", "3") == 5
    argv = ["/envs/render/bin/python", "-m", "posebowl.render", "--count", "3"]
    assert asked == [argv, False, False]


@pytest.mark.parametrize("code", [0, 5])
def test_programs_hear_of_a_module_that_failed(
    code: int, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: list[str], **options: object) -> Completed:
        assert options["to_stderr"] is True
        return Completed(argv=(), returncode=code, stdout="", stderr="")

    monkeypatch.setattr(environments, "ensure", lambda group, *_, **__: Path("/envs", group))
    monkeypatch.setattr(process, "run", run)
    assert cli.in_environment("cpu", "posebowl.training.export", as_json=True) == code
    if code:
        assert json.loads(screen.getvalue())["error"]["exit_code"] == code
    else:
        assert screen.getvalue() == ""
