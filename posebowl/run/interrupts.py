"""Ctrl-C in a run: it ends main.sh, but never the writing of what came of it."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Final

_SAME_S: Final = 10.0
"""Interrupts that follow another within this time mean the same: `uv run` passes on a Ctrl-C that
the process group has had already, and an engine needs its time to end main.sh."""


class Interrupts:
    """Signals to end the run: held back, except within `let_through`."""

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
    """Hold back what would raise KeyboardInterrupt, until the block ends."""
    interrupts = Interrupts()
    numbers = [
        number
        for name in ("SIGINT", "SIGTERM", "SIGHUP")
        if (number := getattr(signal, name, None)) is not None
        and signal.getsignal(number) is signal.default_int_handler
    ]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # only the main thread hears signals
    for number in numbers:
        signal.signal(number, interrupts.take)
    try:
        yield interrupts
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)
