"""What invoke reads for a task: as many words as a shell gives, flags, help."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Annotated

import invoke
import pytest
from invoke.parser import Parser

from posebowl import paths
from posebowl.cli import invoke_adapter
from posebowl.cli.task import task
from posebowl.util.options import Option
from posebowl.util.values import FILE, PATH, TRUTH, whole
from tests.typed import invoke as typed


@task("data.unpack")
def unpack(
    *,
    archives: Annotated[tuple[Path, ...], Option(FILE, "a", many=True, positional=True)],
    out: Annotated[Path | None, Option(PATH, "b")] = None,
    force: Annotated[bool, Option(TRUTH, "c")] = False,
    cpus: Annotated[int, Option(whole(1, 3), "d")] = 3,
) -> None:
    """Unpack."""
    raise AssertionError(archives, out, force, cpus)


@task("pack")
def pack(
    *,
    name: Annotated[str, Option(PATH, "a", positional=True)] = "",
    out: Annotated[Path | None, Option(PATH, "b")] = None,
) -> None:
    """Pack."""
    raise AssertionError(name, out)


def read(line: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Read a command line as invoke does."""
    words = line.split()
    monkeypatch.setattr(sys, "argv", ["invoke", *words])
    contexts = invoke_adapter.collection([unpack]).to_contexts()
    (context,) = Parser(contexts=contexts).parse_argv(words)
    return dict(context.as_kwargs)


NOTHING = {"out": None, "force": False, "cpus": None}


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("a.tar", {"archives": ["a.tar"]}),
        ("a.tar b.tar c.tar", {"archives": ["a.tar", "b.tar", "c.tar"]}),
        ("a b --out x", {"archives": ["a", "b"], "out": "x"}),
        ("--out x a b", {"archives": ["a", "b"], "out": "x"}),
        ("--out=x a b", {"archives": ["a", "b"], "out": "x"}),
        ("a -o x -f b", {"archives": ["a", "b"], "out": "x", "force": True}),
        ("--force a b --cpus 4", {"archives": ["a", "b"], "force": True, "cpus": "4"}),
        ("--archives a --archives b", {"archives": ["a", "b"]}),
        ("unpack data.unpack", {"archives": ["unpack", "data.unpack"]}),
        ("a --cpus -3", {"archives": ["a"], "cpus": "-3"}),
        ("a --cpus 0", {"archives": ["a"], "cpus": "0"}),
    ],
)
def test_all_words_are_files(
    line: str, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(f"data.unpack {line}", monkeypatch) == NOTHING | changes


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("pack", [None]),
        ("pack mine", ["mine"]),
        ("pack --name mine", ["mine"]),
        ("pack --name=mine", ["mine"]),
        ("pack --out x mine", ["mine"]),
        ("pack mine --out x", ["mine"]),
        ("pack mine data.unpack a b", ["mine", ["a", "b"]]),
        ("pack data.unpack a b", [None, ["a", "b"]]),
        ("pack --out data.unpack mine", ["mine"]),
    ],
)
def test_a_word_that_may_be_left_out(
    line: str, read: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["invoke", *line.split()])
    contexts = invoke_adapter.collection([unpack, pack]).to_contexts()
    found = [
        dict(context.as_kwargs) for context in Parser(contexts=contexts).parse_argv(line.split())
    ]
    assert [values.get("name", values.get("archives")) for values in found] == read


def test_no_word_at_all_is_for_the_task_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("data.unpack --force", monkeypatch) == NOTHING | {"archives": [], "force": True}


@pytest.mark.parametrize("line", ["--help", "-h", "--force --help", "a -h"])
def test_help_is_asked_for_behind_a_task_too(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["data.unpack", *line.split()]
    monkeypatch.setattr(sys, "argv", ["invoke", *words])
    program = invoke.Program(namespace=invoke_adapter.collection([unpack]))
    caught = io.StringIO()
    monkeypatch.setattr(sys, "stdout", caught)
    with pytest.raises(SystemExit) as ended:
        program.run(["invoke", *words], exit=True)
    assert ended.value.code == 0
    assert "data.unpack [--options]" in caught.getvalue()


def test_only_three_letters_are_flags() -> None:
    names = [
        argument.names
        for argument in invoke_adapter._InvokeTask(unpack, frozenset()).get_arguments()
    ]
    assert names == [("archives",), ("out", "o"), ("force", "f"), ("cpus",)]


@pytest.mark.parametrize(
    ("words", "debugging"),
    [
        (["invoke", "-d", "run"], True),
        (["invoke", "--debug", "run"], True),
        (["invoke", "-e", "-d", "run"], True),
        (["invoke", "run", "--debug"], True),
        (["invoke", "run"], False),
        (["invoke", "run", "-d", "folder"], False),
        (["invoke", "data.check", "-d"], False),
        (["invoke"], False),
    ],
)
def test_invoke_was_told_to_debug(words: list[str], debugging: bool) -> None:
    assert invoke_adapter._debugging(words) is debugging


@pytest.mark.parametrize("flag", ["-c 2", "--dry", "-e", "--echo", "-r /", "--collection=x"])
def test_a_flag_of_invoke_behind_a_task_is_not_silently_ignored(flag: str) -> None:
    """`run -c 2` would change what invoke loads, not the number of cores."""
    done = typed("config", *flag.split(), cwd=paths.ROOT)
    assert done.returncode == 2
    assert f'config has no flag "{re.split("[ =]", flag)[0]}".' in done.stderr
    assert not done.stdout
