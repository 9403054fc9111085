"""What tasks share: options read, results printed."""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from posebowl import console, environments, paths, process, quantities
from posebowl.challenge import LIMITS, Limits, Variant
from posebowl.engines.base import EngineName, Limit
from posebowl.errors import UsageError
from posebowl.pack import find_solution

_E = TypeVar("_E", bound=StrEnum)


def one_of(kind: type[_E], text: str, flag: str) -> _E:
    """Read a choice.

    Raises:
        UsageError: It is none of those there are.
    """
    try:
        return kind(text)
    except ValueError:
        choices = ", ".join(kind)
        raise UsageError(f"--{flag} is {text!r}.", fix=f"Choose one of: {choices}.") from None


def engine(text: str) -> EngineName | None:
    """Read --engine; `auto` is None."""
    if text == "auto":
        return None
    if text not in list(EngineName):
        choices = ", ".join(["auto", *EngineName])
        raise UsageError(f"--engine is {text!r}.", fix=f"Choose one of: {choices}.")
    return EngineName(text)


def waived(text: str) -> frozenset[Limit]:
    """Read --waive: names of limits, separated by commas."""
    return frozenset(one_of(Limit, name.strip(), "waive") for name in text.split(",") if name)


def limits(variant: Variant, *, time_limit: str, memory: str, cpus: int) -> Limits:
    """Return a variant's limits with what the user changed of them."""
    changes: dict[str, Any] = {}
    if time_limit:
        changes["wall_time_s"] = quantities.seconds(time_limit)
    if memory:
        changes["memory_bytes"] = quantities.size(memory)
    if cpus:
        if cpus < 0:
            raise UsageError(f"--cpus is {cpus}.", fix="Give a number of cores of 1 or more.")
        changes["cpus"] = cpus
    return dataclasses.replace(LIMITS[variant], **changes)


def existing(text: str, default: Path) -> Path:
    """Return a path as given, or a default one."""
    return Path(text).expanduser() if text else default


def local(path: Path) -> Path:
    """Show a path relative to where the user is, when it lies below."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def print_json(value: Any) -> None:
    """Print a result for programs."""
    console.out.print(json.dumps(value, indent=2, default=str), markup=False)


def show(result: Any, text: str, *, as_json: bool) -> None:
    """Print a result, a dataclass, as text for people or as JSON for programs."""
    if as_json:
        print_json(dataclasses.asdict(result))
    else:
        console.out.print(text, markup=False)


def solution_folder(name: str, source: str) -> Path:
    """Return the folder that --solution or --source names.

    Raises:
        UsageError: Both are given, or none, or there is no such solution.
    """
    if bool(name) == bool(source):
        raise UsageError(
            "Give either --solution NAME or --source DIR.", fix="Type: invoke pack --solution NAME"
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
                f"{task} needs --{name.replace('_', '-')}.", fix=f"Type: invoke --help {task}"
            )


def in_environment(group: environments.Group, module: str, *words: str) -> int:
    """Run one of this project's modules in an environment made from the lock; return its code."""
    environment = environments.ensure(group, note=console.note)
    argv = [str(environment / "bin" / "python"), "-m", module, *words]
    variables = {"PYTHONPATH": str(paths.ROOT)}
    return process.run(argv, env=variables, capture=False, check=False).returncode


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
