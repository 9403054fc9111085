"""The page of all commands, in Markdown, from the declarations of their options."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from posebowl import paths
from posebowl.cli.task import Task
from posebowl.util import process
from posebowl.util.options import SHORT, Option

PLACE: Final = "<!-- the commands -->"
"""Where docs/commands.md wants them."""


def fill(page: str, tasks: Iterable[Task], sessions: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of the page with the commands in it.

    Args:
        page: Markdown with `PLACE` in it.
        tasks: All tasks.
        sessions: Those of nox, as `sessions` returns them.
    """
    lines = ["## Invoke tasks", ""]
    for task in sorted(tasks, key=lambda task: ("." in task.name, task.name)):
        lines += _task(task)
    lines += ["## Nox sessions", "", "| session | what it does |", "|---|---|"]
    for session in sessions:
        lines.append(f"| `{session['session']}` | {_cell(session['description'])} |")
    return page.replace(PLACE, "\n".join(lines))


def sessions() -> list[dict[str, Any]]:
    """Return the sessions of nox: `session` and `description` of each.

    Raises:
        ProcessError: nox is missing or cannot read the noxfile.
    """

    def nox(*words: str) -> str:
        return process.run([sys.executable, "-m", "nox", "--list", *words], cwd=paths.ROOT).stdout

    # With --json alone nox leaves out what does not run by default.
    names = re.findall(r"^[-*] (\S+)", nox("--no-color"), re.MULTILINE)
    return list(json.loads(nox("--json", "--session", *names)))


def _task(task: Task) -> Iterator[str]:
    words = [option for option in task.options if option.positional]
    flags = [option for option in task.options if not option.positional]
    yield f"### invoke {task.name}"
    yield ""
    yield task.summary
    yield ""
    yield "```text"
    yield task.usage
    yield "```"
    yield ""
    if task.options:
        yield "| option | what it is |"
        yield "|---|---|"
        for option in (*words, *flags):
            yield f"| {_shown(option)} | {_cell(option.explained)} |"
        yield ""


def _shown(option: Option) -> str:
    if option.positional:
        return f"`{option.place}`"
    value = "" if option.is_switch else " NUMBER" if option.kind.toml is int else " TEXT"
    short = [f"`-{SHORT[option.name]}{value}`"] if option.name in SHORT else []
    return ", ".join([f"`{option.flag}{value}`", *short])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
