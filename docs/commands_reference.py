"""The page of all commands, in Markdown, from the help that the commands give themselves."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from posebowl import paths
from posebowl.util import process

PLACE: Final = "<!-- the commands -->"
"""Where docs/commands.md wants them."""


def fill(page: str, tasks: Any, sessions: Iterable[Mapping[str, Any]]) -> str:
    """Put the commands into the text of their page.

    Args:
        page: Markdown with `PLACE` in it.
        tasks: Invoke's collection of all tasks.
        sessions: Nox's, as `sessions` returns them.
    """
    lines = ["## Invoke tasks", ""]
    for name in sorted(tasks.task_names, key=lambda name: ("." in name, name)):
        lines += _task(name, tasks[name])
    lines += ["## Nox sessions", "", "| session | what it does |", "|---|---|"]
    for session in sessions:
        lines.append(f"| `{session['session']}` | {_cell(session['description'])} |")
    return page.replace(PLACE, "\n".join(lines))


def sessions() -> list[dict[str, Any]]:
    """Ask nox for its sessions: `session` and `description` of each.

    Raises:
        ProcessError: nox is not there or cannot read the noxfile.
    """

    def nox(*words: str) -> str:
        return process.run([sys.executable, "-m", "nox", "--list", *words], cwd=paths.ROOT).stdout

    # With --json alone nox leaves out what does not run by default.
    names = re.findall(r"^[-*] (\S+)", nox("--no-color"), re.MULTILINE)
    return list(json.loads(nox("--json", "--session", *names)))


def _task(name: str, task: Any) -> Iterator[str]:
    # Invoke takes the help out of a task while it lists the arguments.
    arguments = list(copy.deepcopy(task).get_arguments())
    # What a task takes is asked of the task: arguments tell what this command line gives.
    given = [argument for argument in arguments if argument.name in task.positional]
    words = "".join(f" {argument.name.upper()}" for argument in given)
    yield f"### invoke {name}"
    yield ""
    yield str(task.__doc__).partition("\n")[0]
    yield ""
    yield "```text"
    yield f"uv run invoke {name}{words}{' [options]' if len(arguments) > len(given) else ''}"
    yield "```"
    yield ""
    if arguments:
        yield "| option | what it is |"
        yield "|---|---|"
        for one in arguments:
            shown = f"`{one.name.upper()}`" if one in given else _flags(one)
            yield f"| {shown} | {_cell(one.help or '')} |"
        yield ""


def _flags(argument: Any) -> str:
    whole = issubclass(argument.kind, int)
    value = "" if argument.kind is bool else " NUMBER" if whole else " TEXT"
    flags = [f"{'-' if len(name) == 1 else '--'}{name}{value}" for name in argument.names]
    return ", ".join(f"`{flag}`" for flag in flags)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
