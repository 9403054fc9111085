"""Numbers in words, and as many files as a shell gives."""

from __future__ import annotations

import inspect
import io
import sys

import invoke
import pytest
from invoke.parser import Parser
from rich.console import Console

from posebowl.cli import arguments, task as command
from posebowl.util import console


@command.command(
    name="unpack",
    positional=["archives"],
    iterable=["archives"],
    help={"archives": "a", "out": "b", "force": "c", "cpus": "d"},
)
def unpack(
    _: invoke.Context, archives: list[str], out: str = "", force: bool = False, cpus: int = 3
) -> None:
    """Unpack."""
    raise AssertionError(archives, out, force, cpus)


def read(line: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Read a command line as invoke does."""
    words = line.split()
    monkeypatch.setattr(sys, "argv", ["invoke", *words])
    collection = invoke.Collection(invoke.Collection("data", unpack))
    (task,) = Parser(contexts=collection.to_contexts()).parse_argv(words)
    return dict(task.as_kwargs)


NOTHING = {"out": "", "force": False, "cpus": 3}


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("a.tar", {"archives": ["a.tar"]}),
        ("a.tar b.tar c.tar", {"archives": ["a.tar", "b.tar", "c.tar"]}),
        ("a b --out x", {"archives": ["a", "b"], "out": "x"}),
        ("--out x a b", {"archives": ["a", "b"], "out": "x"}),
        ("--out=x a b", {"archives": ["a", "b"], "out": "x"}),
        ("a -o x -f b", {"archives": ["a", "b"], "out": "x", "force": True}),
        ("--force a b --cpus 4", {"archives": ["a", "b"], "force": True, "cpus": 4}),
        ("--archives a --archives b", {"archives": ["a", "b"]}),
        ("unpack data.unpack", {"archives": ["unpack", "data.unpack"]}),
    ],
)
def test_all_words_are_files(
    line: str, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(f"data.unpack {line}", monkeypatch) == NOTHING | changes


def test_no_word_at_all_is_for_the_task_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("data.unpack --force", monkeypatch) == NOTHING | {"archives": [], "force": True}


@pytest.mark.parametrize("line", ["--help", "-h", "--force --help", "a -h"])
def test_help_is_asked_for_behind_a_task_too(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["data.unpack", *line.split()]
    monkeypatch.setattr(sys, "argv", ["invoke", *words])
    program = invoke.Program(namespace=invoke.Collection(invoke.Collection("data", unpack)))
    caught = io.StringIO()
    monkeypatch.setattr(sys, "stdout", caught)
    with pytest.raises(SystemExit) as ended:
        program.run(["invoke", *words], exit=True)
    assert ended.value.code == 0
    assert "data.unpack [--options]" in caught.getvalue()


def test_no_task_has_a_flag_where_people_look_for_help(monkeypatch: pytest.MonkeyPatch) -> None:
    @command.command(name="clean", help={"history": "a"})
    def clean(_: invoke.Context, history: bool = False) -> None:
        """Clean."""
        raise AssertionError(history)

    monkeypatch.setattr(sys, "argv", ["invoke", "clean"])
    (argument,) = clean.get_arguments()
    assert argument.names == ("history",)


@pytest.mark.parametrize("word", ["12", "-3", "0"])
def test_numbers(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(f"data.unpack a --cpus {word}", monkeypatch)["cpus"] == int(word)


@pytest.mark.parametrize("word", ["abc", "", "1.5", "[/]", "1e3", "\x1b[2J"])
def test_what_is_no_number_is_refused_in_words(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    caught = io.StringIO()
    made = Console(file=caught, highlight=False, emoji=False, soft_wrap=True)
    monkeypatch.setattr(console, "err", made)
    default = arguments.number("some_cores", 3)
    assert default == 3
    with pytest.raises(invoke.Exit) as failure:
        type(default)(word)
    assert failure.value.code == 2
    shown = word.replace("\x1b", "\\x1b")
    assert caught.getvalue() == (
        f'error: --some-cores is "{shown}".\n'
        "  why: It takes a whole number.\n  fix: Type: --some-cores 1\n"
    )


def test_only_numbers_get_another_default() -> None:
    parameters = inspect.signature(unpack.body).parameters
    assert list(parameters) == ["_", "archives", "out", "force", "cpus"]
    assert parameters["force"].default is False
    assert parameters["out"].default == ""
    assert parameters["cpus"].default == 3
