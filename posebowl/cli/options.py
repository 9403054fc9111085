"""What tasks share: options read, results printed."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from posebowl import environments, paths
from posebowl.errors import UsageError
from posebowl.settings import resolve
from posebowl.util import console, process

_T = TypeVar("_T")


def existing(text: str, default: Path) -> Path:
    """Return a path as given, or a default one."""
    return Path(text).expanduser() if text else default


def print_json(value: Any) -> None:
    """Print a result for programs."""
    console.out.print(json.dumps(_jsonable(value), indent=2, default=str), markup=False)


def show(result: Any, text: str, *, as_json: bool) -> None:
    """Print a result as text for people or as JSON for programs."""
    present(result, lambda _: console.out.print(text, markup=False), as_json=as_json)


def present(result: _T, tell: Callable[[_T], None], *, as_json: bool) -> None:
    """Print a result as JSON for programs, or have it told to people."""
    if as_json:
        print_json(result)
    else:
        tell(result)


def _jsonable(value: Any) -> Any:
    """Turn dataclasses into objects and sets into sorted arrays, all the way down."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {item.name: _jsonable(getattr(value, item.name)) for item in fields}
    if isinstance(value, dict):
        return {str(name): _jsonable(item) for name, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return [_jsonable(item) for item in value] if isinstance(value, list | tuple) else value


def solution_folder(name: str, source: str) -> Path:
    """Return the folder that --solution or --source names.

    Raises:
        UsageError: Both are given, or none, or there is no such solution.
    """
    from posebowl.submission import find_solution

    if bool(name) == bool(source):
        raise UsageError(
            "Give either --solution NAME or --source DIR.",
            why="Both name the folder to pack." if name else "Nothing names the folder to pack.",
            fix="Type: invoke pack --solution benchmark",
        )
    return find_solution(name) if name else Path(source).expanduser()


def required(task: str, **options: object) -> None:
    """See that options were given that a task cannot do without.

    Raises:
        UsageError: One is missing.
    """
    for name, value in options.items():
        if not value:
            raise UsageError(
                f"{task} needs --{name.replace('_', '-')}.",
                why="It has no default.",
                fix=f"Type: invoke --help {task}",
            )


def in_environment(
    group: environments.Group, module: str, *words: str, as_json: bool = False
) -> int:
    """Run one of this project's modules in an environment made from the lock; return its code.

    Args:
        group: Of the environment.
        module: What to run.
        words: Its arguments.
        as_json: Stdout is for the caller's result, and for the news that there is none.
    """
    environment = environments.ensure(group, resolve.load().cache, note=console.note)
    argv = [str(environment / "bin" / "python"), "-m", module, *words]
    variables = {"PYTHONPATH": str(paths.ROOT)}
    done = process.run(argv, env=variables, capture=False, to_stderr=as_json, check=False)
    if as_json and done.returncode:
        parts = {
            "what": f"{module} ended with exit code {done.returncode}.",
            "why": "What it said is on stderr.",
            "fix": "Do what it says there.",
            "exit_code": done.returncode,
        }
        print_json({"error": parts})
    return done.returncode


def become(group: environments.Group, module: str, *words: str) -> NoReturn:
    """Let one of this project's modules take the place of this process, signals and all.

    A process that waited for it would not outlive Ctrl-C as long as the module needs to tidy up.
    """
    environment = environments.ensure(group, resolve.load().cache, note=console.note)
    python = str(environment / "bin" / "python")
    sys.stdout.flush()
    os.execve(  # noqa: S606  # argv only, no shell
        python, [python, "-m", module, *words], {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    )


def flags(**options: object) -> list[str]:
    """Return an argument list: --name value of all that are set, --name alone for True."""
    words: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value not in (None, "", 0, False):
            words += [flag, str(value)]
    return words
