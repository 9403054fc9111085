"""What turns the library into invoke tasks: errors in words, options read, results printed."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import json
import signal
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import invoke

from posebowl import arguments, console, environments, paths, process, quantities
from posebowl.challenge import LIMITS, Limits, Variant
from posebowl.engines.base import EngineName, Limit
from posebowl.errors import PoseBowlError, UsageError, Verdict
from posebowl.pack import find_solution

_E = TypeVar("_E", bound=StrEnum)


def command(**options: Any) -> Callable[[Callable[..., int | None]], Any]:
    """Make a function an invoke task that shows errors in words and ends with their exit codes.

    A traceback shows only with `invoke --debug`. The function may return an exit code.

    Args:
        options: As for `invoke.task`: name, help, positional, iterable, ...
    """

    def decorate(function: Callable[..., int | None]) -> Any:
        return invoke.task(klass=arguments.Task, **options)(_guarded(function))

    return decorate


def _guarded(function: Callable[..., int | None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> None:
        _end_as_ctrl_c("SIGTERM", "SIGHUP")
        console.tolerate_odd_names()
        try:
            code = function(*args, **options)
        except BrokenPipeError:
            code = 1
        except (PoseBowlError, OSError) as error:
            if _debugging(sys.argv):
                raise
            shown = error if isinstance(error, PoseBowlError) else _of_the_host(error)
            console.show_error(shown)
            code = shown.exit_code
        except KeyboardInterrupt:
            console.err.print("Interrupted; nothing is left half-written.")
            code = Verdict.INTERRUPTED.exit_code
        if code:
            sys.exit(code)

    signature = inspect.signature(function)
    parameters = [
        item.replace(default=arguments.number(item.name, item.default))
        if type(item.default) is int
        else item
        for item in signature.parameters.values()
    ]
    # Invoke reads flags off the signature, and their types off the defaults.
    vars(wrapper)["__signature__"] = signature.replace(parameters=parameters)
    return wrapper


def _end_as_ctrl_c(*names: str) -> None:
    """Let a closed terminal or a stopped service end a run as Ctrl-C does: cleanly.

    A signal that is ignored already stays so: that is what nohup does.
    """
    for number in (getattr(signal, name, None) for name in names):
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _of_the_host(error: OSError) -> PoseBowlError:
    place = f"{error.filename}: " if error.filename else ""
    what = f"{place}{error.strerror or error}."
    return PoseBowlError(what, fix="Check the path, its permissions and the disk.")


def _debugging(argv: Sequence[str]) -> bool:
    """Tell whether invoke was told to debug; behind a task's name, -d is a flag of the task."""
    own = itertools.takewhile(lambda word: word.startswith("-"), argv[1:])
    return "-d" in own or "--debug" in argv


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
