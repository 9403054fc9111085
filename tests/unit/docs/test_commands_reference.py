"""The page of all commands: each task with each of its flags, each session."""

from __future__ import annotations

import re
from typing import Annotated

import pytest

from docs import commands_reference as reference
from posebowl import paths
from posebowl.cli.catalog import TASKS
from posebowl.cli.task import task
from posebowl.util.options import Option
from posebowl.util.values import TEXT, TRUTH, whole
from tests.doc_commands import nox_sessions


@pytest.fixture(scope="module")
def page() -> str:
    text = (paths.ROOT / "docs" / "commands.md").read_text()
    return reference.fill(text, TASKS, [*nox_sessions().values()])


def test_every_task_has_its_own_section(page: str) -> None:
    assert reference.PLACE not in page
    sections = re.findall(r"^### invoke (\S+)$", page, re.MULTILINE)
    assert sorted(sections) == sorted(task.name for task in TASKS)
    assert {"run", "data.check"} <= set(sections)


def test_every_flag_is_there_with_its_help(page: str) -> None:
    for one in TASKS:
        section = page.partition(f"### invoke {one.name}\n")[2]
        section = re.split(r"\n##", section)[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert len(rows) == len(one.options)
        for option in one.options:
            flag = option.name.upper() if option.positional else option.flag
            (row,) = (row for row in rows if re.match(rf"\| `{flag}[ `]", row))
            assert re.fullmatch(r"\| (`[^`]+`(, )?)+ \| \w.+ \|", row), row


def test_kinds_of_flags_are_told_apart() -> None:
    @task("go")
    def go(
        *,
        where: Annotated[str, Option(TEXT, "a <place>", positional=True)],
        more: Annotated[tuple[str, ...], Option(TEXT, "m", many=True, positional=True)] = (),
        count: Annotated[int, Option(whole(0, 1), "c")] = 0,
        force: Annotated[bool, Option(TRUTH, "a|b")] = False,
        out: Annotated[str, Option(TEXT, "to")] = "",
    ) -> None:
        """Go there."""

    lines = reference.fill(reference.PLACE, [go], []).splitlines()
    assert "uv run invoke go WHERE [MORE ...] [options]" in lines
    assert "| `WHERE` | a &lt;place> |" in lines
    assert "| `--count NUMBER` | c (0) |" in lines
    assert "| `--force`, `-f` | a\\|b |" in lines
    assert "| `--out TEXT`, `-o TEXT` | to |" in lines


def test_every_session_is_there(page: str) -> None:
    for session in nox_sessions().values():
        assert f"| `{session['session']}` | {session['description']} |" in page
