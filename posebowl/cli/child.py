"""Tasks that run a module of this project in an environment of its own, made from uv.lock."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from posebowl import environments, paths
from posebowl.cli.output import print_json
from posebowl.errors import EngineError
from posebowl.util import console, options as declarations
from posebowl.util.interrupts import left_to


def python(group: environments.Group, cache: Path) -> Path:
    """Return the Python of an environment, which is made if it is missing."""
    return environments.python(environments.ensure(group, cache, note=console.note))


def run(interpreter: Path, module: str, options: Any, *, as_json: bool = False) -> int:
    """Run a module in another Python, and return its exit code.

    Ctrl-C is left to the module, which may save its work before it ends and says what to type next.

    Args:
        interpreter: That Python.
        module: What to run.
        options: The dataclass that the module reads its command line into.
        as_json: Stdout is kept for the caller's result, or for the error that the module failed.
    """
    argv = [str(interpreter), "-m", module, *declarations.argv_of(options)]
    variables = {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    stdout = sys.stderr if as_json else None
    with (
        subprocess.Popen(argv, env=variables, stdin=subprocess.DEVNULL, stdout=stdout) as running,
        left_to(running),
    ):
        code = running.wait()
    if as_json and code:
        parts = {
            "what": f"{module} ended with exit code {code}.",
            "why": "Its error is on stderr.",
            "fix": "Do what the error says.",
            "exit_code": code,
        }
        print_json({"error": parts})
    return code


def become(interpreter: Path, module: str, words: Sequence[str]) -> NoReturn:
    """Replace this process by a module of this project, so that it gets all signals itself.

    A process that waited for it would not outlive Ctrl-C as long as the module needs to tidy up.

    Raises:
        EngineError: This process is in that environment already.
    """
    environment = interpreter.parent.parent
    if Path(sys.prefix) == environment:
        raise EngineError(
            f"The environment {environment} is damaged.",
            why="A package is missing in it.",
            fix=f"Remove it (type: rm -r {environment}), and type the same command again.",
        )
    sys.stdout.flush()
    variables = {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    argv = [str(interpreter), "-m", module, *words]
    os.execve(interpreter, argv, variables)  # noqa: S606  # argv only, no shell


def lacks(*modules: str) -> bool:
    """Return whether a module cannot be imported in this environment."""
    return any(importlib.util.find_spec(name) is None for name in modules)
