"""Every command that a message tells people to type is one that its program takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from posebowl import paths
from tests.doc_commands import WrongCommandError, read

COMMAND = re.compile(r"(`?)(?<![\w./-])((?:invoke|nox) -?-?[a-z][^`;:,()\n]*)")
VALUES = (("--engine ", "docker"), ("-", "cpu"))
"""What stands for a value behind some ends of a text."""
LATER = re.compile(r"\{\w+\}")
"""A value that `str.format` puts in."""


def texts(source: str) -> Iterator[str]:
    """Return the texts of a module other than its docstrings, with something for each value."""
    tree = ast.parse(source)
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            told |= {id(part) for part in node.values}
            yield joined(node)
        elif isinstance(node, ast.Constant) and id(node) not in told:
            yield LATER.sub("", str(node.value))


def joined(node: ast.JoinedStr) -> str:
    """Write a text with values: those behind a word are flags, or nothing."""
    text = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
        elif not text[-1:].isalpha():
            text += next((word for end, word in VALUES if text.endswith(end)), "run")
    return text


def advised(source: str) -> Iterator[tuple[str, bool]]:
    """Return the commands in the texts of a module, and whether each is only spoken of."""
    for text in texts(source):
        for mark, command in COMMAND.findall(text):
            yield command.removesuffix(" ...").strip(" ."), bool(mark)


@cache
def everywhere() -> dict[str, bool]:
    return {
        f"{file.relative_to(paths.ROOT)}: {command}": spoken
        for file in sorted(paths.ROOT.glob("posebowl/**/*.py"))
        for command, spoken in advised(file.read_text())
    }


def test_commands_are_found_in_whatever_text_holds_them() -> None:
    source = '''
"""Not `invoke one`."""
fix = f"Type: invoke two{flag}; or invoke three --out {out}."
text = "See `invoke four`, uv run nox -s " f"build-{variant}, or /bin/invoke five"
late = "invoke six{out} FILE ..."
'''
    assert list(advised(source)) == [
        ("invoke two", False),
        ("invoke three --out run", False),
        ("invoke four", True),
        ("nox -s build-cpu", False),
        ("invoke six FILE", False),
    ]


def test_there_is_advice() -> None:
    assert len(everywhere()) > 40


@pytest.mark.parametrize("command", everywhere())
def test_the_program_takes_it(command: str) -> None:
    read(command.partition(": ")[2], typed=not everywhere()[command])


def test_a_wrong_command_is_found() -> None:
    with pytest.raises(WrongCommandError):
        read("invoke data.manifest FOLDER")
