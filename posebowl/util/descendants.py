"""Processes that a block of code started, by whatever way, and their end."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Final

import psutil

_PR_SET_CHILD_SUBREAPER: Final = 36
_PATIENCE_S: Final = 10.0


@contextlib.contextmanager
def ended() -> Iterator[None]:
    """Kill, when the block ends, all processes that were started in it and are still alive.

    On Linux those are found too whose parent died before them: they become children of this
    process for the time of the block.
    """
    before = alive()
    _adopt(1)
    try:
        yield
    finally:
        while (left := alive() - before) and end(left):
            pass
        _adopt(0)


def alive() -> set[psutil.Process]:
    """Return the children of this process, their children, and so on."""
    return set(psutil.Process().children(recursive=True))


def end(processes: set[psutil.Process]) -> bool:
    """Kill processes and wait for their end; return whether it came."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, left = psutil.wait_procs(processes, timeout=_PATIENCE_S)
    return not left


def _adopt(value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, value, 0, 0, 0)
