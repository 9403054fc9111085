"""Tasks that run a module of this project in an environment of its own, made from uv.lock."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from posebowl import environments, paths
from posebowl.cli.output import print_json
from posebowl.errors import EngineError
from posebowl.util import console, options as declarations, process


def run(
    group: environments.Group,
    module: str,
    options: Any,
    *,
    cache: Path,
    as_json: bool = False,
) -> int:
    """Run a module in an environment, and return its exit code.

    Args:
        group: Of the environment.
        module: What to run.
        options: The dataclass that the module reads its command line into.
        cache: The folder of the environments.
        as_json: Stdout is kept for the caller's result, or for the error that the module failed.
    """
    python = _python(group, cache)
    argv = [python, "-m", module, *declarations.argv_of(options)]
    variables = {"PYTHONPATH": str(paths.ROOT)}
    done = process.run(argv, env=variables, capture=False, to_stderr=as_json, check=False)
    if as_json and done.returncode:
        parts = {
            "what": f"{module} ended with exit code {done.returncode}.",
            "why": "Its error is on stderr.",
            "fix": "Do what the error says.",
            "exit_code": done.returncode,
        }
        print_json({"error": parts})
    return done.returncode


def become(
    group: environments.Group, module: str, words: Sequence[str], *, cache: Path
) -> NoReturn:
    """Replace this process by a module of this project, so that it gets all signals itself.

    A process that waited for it would not outlive Ctrl-C as long as the module needs to tidy up.

    Raises:
        EngineError: This process is in that environment already.
    """
    python = _python(group, cache)
    if Path(sys.prefix) == Path(python).parent.parent:
        raise EngineError(
            f"The environment {sys.prefix} is damaged.",
            why="A package is missing in it.",
            fix=f"Remove it (type: rm -r {sys.prefix}), and type the same command again.",
        )
    sys.stdout.flush()
    os.execve(  # noqa: S606  # argv only, no shell
        python, [python, "-m", module, *words], {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    )


def lacks(*modules: str) -> bool:
    """Return whether a module cannot be imported in this environment."""
    return any(importlib.util.find_spec(name) is None for name in modules)


def _python(group: environments.Group, cache: Path) -> str:
    environment = environments.ensure(group, cache, note=console.note)
    return str(environment / "bin" / "python")
