"""Completion of commands as a person meets it: bash in a terminal, and the tab key."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import Limit
from posebowl.cli import completion
from posebowl.cli.catalog import TASKS

DOCS = paths.ROOT / "docs" / "cli.md"
PATIENCE_S = 120
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


class Terminal:
    """A bash that believes in somebody at a keyboard."""

    def __init__(self, folder: Path, path: str) -> None:
        self.heard = ""
        self._end, theirs = pty.openpty()
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            cwd=folder,
            env={"PATH": path, "HOME": str(folder), "PS1": "> ", "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, keys: str, *, until: str) -> str:
        """Type, and return what is heard up to something that is waited for."""
        self.heard = ""
        os.write(self._end, keys.encode())
        while until not in self.heard:
            ready, _, _ = select.select([self._end], [], [], PATIENCE_S)
            assert ready, f"only heard: {self.heard!r}"
            self.heard += os.read(self._end, 4096).decode(errors="replace")
        return self.heard

    def close(self) -> None:
        self._bash.kill()
        self._bash.wait()
        os.close(self._end)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Open a terminal in the checkout, its environment on the PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    opened = Terminal(paths.ROOT, path)
    yield opened
    opened.close()


def lines(heading: str) -> list[str]:
    """Return the commands of docs/cli.md that follow a line of its text."""
    text = DOCS.read_text().partition(heading)[2]
    return text.partition("```bash\n")[2].partition("```")[0].splitlines()


def test_the_tab_key_completes_tasks_and_flags(terminal: Terminal) -> None:
    (line,) = lines("With the environment active")
    terminal.type(f"{line}; echo lo''aded\n", until="loaded")
    terminal.type("invoke che\t", until="invoke check ")
    terminal.type("\x15invoke data.u\t", until="invoke data.unpack ")
    terminal.type("\x15invoke run --eng\t", until="--engine ")


def test_the_tab_key_completes_values_of_options_and_files(terminal: Terminal) -> None:
    (line,) = lines("With the environment active")
    terminal.type(f"{line}; echo lo''aded\n", until="loaded")
    for typed, completed in (
        ("run --engine po", "podman "),
        ("run --variant=g", "gpu "),
        ("run --waive mem", "memory "),
        ("run --waive memory,wa", "memory,wall-time "),
        ("pack --solution qui", "quickstart "),
        ("data.render --only ph", "photos "),
        ("data.render --family tu", "tug "),
        ("compare pre", "previous "),
        ("check --zip pypro", "pyproject.toml "),
        ("pack qui", "quickstart "),
        ("check pypro", "pyproject.toml "),
        ("score pypro", "pyproject.toml "),
    ):
        terminal.type(f"\x15invoke {typed}\t", until=completed)
    heard = terminal.type("\x15invoke run --engine \t\t", until="podman")
    assert "auto" in heard
    assert "pyproject" not in heard


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("invoke", None),
        ("invoke ru", None),
        ("invoke run", None),
        ("invoke run --eng", None),
        ("invoke run --full", None),
        ("invoke run --engine", ("auto", "docker", "podman", "embedded")),
        ("invoke run --engine pod", ("auto", "docker", "podman", "embedded")),
        ("invoke run --engine = pod", ("auto", "docker", "podman", "embedded")),
        ("inv run --zip a.zip --variant", ("cpu", "gpu")),
        ("invoke benchmark.train --device", ("auto", "cpu", "cuda")),
        ("invoke pack --solution", ("benchmark", "quickstart", "template")),
        ("invoke run --zip", ()),
        ("invoke run a", ()),
        ("invoke pack q", ("benchmark", "quickstart", "template")),
        ("invoke run -o", ()),
        ("invoke data.unpack a", ()),
        ("invoke compare pre", ("last", "previous")),
        ("invoke run --waive memory,w", tuple(f"memory,{limit}" for limit in Limit)),
    ],
)
def test_candidates(line: str, found: object) -> None:
    assert completion.candidates(line, TASKS) == found


def test_a_complete_value_is_followed_by_flags() -> None:
    found = completion.candidates("invoke run --engine docker", TASKS)
    assert found is not None
    assert {"--zip", "--engine", "--json"} <= set(found)


def test_a_function_stands_in_for_an_environment_that_is_not_active(terminal: Terminal) -> None:
    for line in lines("Without an active"):
        terminal.type(f"{line}; echo do''ne\n", until="done")
    heard = terminal.type("type -t invoke\n", until="function")
    assert re.search(r"^function", heard, re.MULTILINE)
    terminal.type("invoke cle\t", until="invoke clean ")
