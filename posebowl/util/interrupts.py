"""Ctrl-C, and other signals that are to end a command, at moments when they must wait."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any, Final

_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore interrupts in a block that cleans up, and in the programs that it starts."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other can
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if callable(found := signal.getsignal(number)):
                before[number] = found
                signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)
