"""Ctrl-C, and other signals that are to end a command, at moments when they must wait."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore interrupts in a block that cleans up, and in the programs that it starts."""
    with _handled(callable, signal.SIG_IGN):
        yield


@contextlib.contextmanager
def only_once() -> Iterator[None]:
    """Raise KeyboardInterrupt for the first interrupt in a block, and ignore those after it.

    A terminal, a parent such as `uv run`, and a script may all pass on the same Ctrl-C; the second
    must not interrupt the cleaning up after the first.
    """

    def raise_once(_number: int, _frame: FrameType | None) -> None:
        for name in _NAMES:
            if (number := getattr(signal, name, None)) and signal.getsignal(number) is raise_once:
                signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled(lambda before: before is signal.default_int_handler, raise_once):
        yield


@contextlib.contextmanager
def _handled(replaces: Callable[[Any], bool], handler: Any) -> Iterator[None]:
    """Replace the handlers of interrupts until the block ends; only the main thread can."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if replaces(found := signal.getsignal(number)):
                before[number] = found
                signal.signal(number, handler)
    try:
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)
