"""Commands of `invoke` as people type them, run in this process: a start costs half a second."""

from __future__ import annotations

import contextlib
import copy
import gc
import io
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest import mock

import invoke as library

import tasks

_SIGNALS: Final = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)
]


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def invoke(*words: str, cwd: Path, **variables: str) -> Done:
    """Run the tasks of a command line in a folder, with variables set.

    What a command leaves as it ends with its process is restored. An exception that is not shown
    as an error in words is raised, as it would be a traceback.
    """
    # Parsing takes the help out of a task.
    program = library.Program(name="invoke", binary="invoke", namespace=copy.deepcopy(tasks.ns))
    argv = ["invoke", *words]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        _process_restored(),
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, {"COLUMNS": "200", **variables}),
        mock.patch.object(sys, "argv", argv),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            program.run(argv)
        except SystemExit as ended:
            code = ended.code
    return Done(returncode=int(code or 0), stdout=out.getvalue(), stderr=err.getvalue())


@contextlib.contextmanager
def _process_restored() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    threshold, compiles = gc.get_threshold(), sys.dont_write_bytecode
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        gc.unfreeze()
        gc.set_threshold(*threshold)
        sys.dont_write_bytecode = compiles
