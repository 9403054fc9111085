"""Ctrl-C, and other signals that are to end a command, at moments when they must wait."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")
_SAME_S: Final = 10.0
"""Interrupts that follow another within this time mean the same: `uv run` passes on a Ctrl-C that
the process group has had already, and an engine needs its time to end main.sh."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore interrupts in a block that cleans up, and in the programs that it starts."""
    with _handled(callable, signal.SIG_IGN):
        yield


@contextlib.contextmanager
def left_to(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Have a child decide how it ends, which may take its time to save its work.

    The terminal sends Ctrl-C to the child too: twice would interrupt its tidying up. SIGTERM, which
    only this process gets, is handed on.
    """

    def hand_on(number: int, _: object) -> None:
        if number == signal.SIGTERM:
            child.terminate()

    with _handled(lambda before: before is not signal.SIG_IGN, hand_on):
        yield


class Interrupts:
    """Signals to end a command: held back, except within `let_through`."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._raise = False

    def take(self, *_: object) -> None:
        """Handle a signal.

        Raises:
            KeyboardInterrupt: Interrupts are let through, and this is not a repeated one.
        """
        now = time.monotonic()
        repeated = self._at is not None and now - self._at < _SAME_S
        if not repeated:
            self._at = now
            if self._raise:
                raise KeyboardInterrupt

    @contextlib.contextmanager
    def let_through(self) -> Iterator[None]:
        """Let interrupts raise KeyboardInterrupt in the block, one that came before at once."""
        self._raise = True
        try:
            if self._at is not None:
                raise KeyboardInterrupt
            yield
        finally:
            self._raise = False


@contextlib.contextmanager
def held_back() -> Iterator[Interrupts]:
    """Hold back interrupts until the block ends, except where it lets them through."""
    interrupts = Interrupts()
    with _handled(lambda before: before is signal.default_int_handler, interrupts.take):
        yield interrupts


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
