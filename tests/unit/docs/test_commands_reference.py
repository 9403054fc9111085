"""The page of all commands: each task with each of its flags, each session."""

from __future__ import annotations

import copy
import re

import pytest
from invoke import Collection

import tasks
from docs import commands_reference as reference
from posebowl import paths
from posebowl.cli.task import command
from tests.doc_commands import nox_sessions


@pytest.fixture(scope="module")
def page() -> str:
    text = (paths.ROOT / "docs" / "commands.md").read_text()
    return reference.fill(text, tasks.ns, [*nox_sessions().values()])


def test_every_task_has_its_own_section(page: str) -> None:
    assert reference.PLACE not in page
    sections = re.findall(r"^### invoke (\S+)$", page, re.MULTILINE)
    assert sorted(sections) == sorted(tasks.ns.task_names)
    assert {"run", "data.check"} <= set(sections)


def test_every_flag_is_there_with_its_help(page: str) -> None:
    for name in tasks.ns.task_names:
        section = page.partition(f"### invoke {name}\n")[2].partition("\n### ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        task = copy.deepcopy(tasks.ns[name])
        for argument in task.get_arguments():
            is_word = argument.name in task.positional
            flag = argument.name.upper() if is_word else f"--{argument.names[0]}"
            (row,) = (row for row in rows if re.match(rf"\| `{flag}[ `]", row))
            assert re.fullmatch(r"\| (`[^`]+`(, )?)+ \| \w.+ \|", row), row


def test_kinds_of_flags_are_told_apart() -> None:
    @command(positional=["where"], help={"where": "a <place>", "force": "a|b", "count": "c"})
    def go(_: object, where: str, count: int = 0, force: bool = False, name: str = "") -> None:
        """Go there."""

    lines = reference.fill(reference.PLACE, Collection(go), []).splitlines()
    assert "uv run invoke go WHERE [options]" in lines
    assert "| `WHERE` | a &lt;place> |" in lines
    assert "| `--count NUMBER`, `-c NUMBER` | c |" in lines
    assert "| `--force`, `-f` | a\\|b |" in lines
    assert "| `--name TEXT`, `-n TEXT` |  |" in lines


def test_every_session_is_there(page: str) -> None:
    for session in nox_sessions().values():
        assert f"| `{session['session']}` | {session['description']} |" in page
