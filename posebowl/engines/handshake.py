"""The host's side of the handshake with runtime/entrypoint.sh.

A run's output stream carries two marks: "ready" with a nonce that the host made, before
main.sh runs, and "end" with a second secret, after all of it has ended. The nonce is useless
once main.sh runs. The token is read by process 1 alone, from a pipe that its children do not
inherit; where the kernel lets a process read the memory of others of its user, a submission can
find it in process 1. So the mark is no more than a request to read the last counters: the run is
watched, and its clock runs, until process 1 is dead, and with it all others.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import IO, Final

_MARK: Final = b"\x1e"
_LONGEST_EARLY: Final = 64 << 10


class Handshake:
    """Takes the marks out of a run's output, and answers them.

    Args:
        holds_end: Keep process 1 alive after main.sh has ended, until it is released, so that
            counters that vanish with it can be read.
    """

    def __init__(self, *, holds_end: bool = False) -> None:
        self.nonce: Final = secrets.token_hex(16)
        self.early = b""
        """What came before the first mark: why the submission could not be unpacked."""
        self._token = secrets.token_hex(16) if holds_end else ""
        self._ready_mark = _MARK + f"ready {self.nonce}\n".encode()
        self._end_mark = _MARK + f"end {self._token}\n".encode()
        self._pending = b""
        self._is_ready = False
        self._moved = threading.Condition()
        self._ended = False
        self._answered = False
        self._closed = False

    def feed(self, chunk: bytes) -> bytes:
        """Read a piece of the stream, and return the part that belongs in the log."""
        if not self._is_ready:
            return self._await_ready(chunk)
        if not self._token or self._ended:
            return chunk
        text = self._pending + chunk
        before, found, after = text.partition(self._end_mark)
        if found:
            self._pending = b""
            self._move(ended=True)
            return before + after
        # A mark may have been cut by the end of the chunk: wait for the rest of it.
        cut = text.rfind(_MARK, max(0, len(text) - len(self._end_mark)))
        keep = cut if cut >= 0 and self._end_mark.startswith(text[cut:]) else len(text)
        self._pending = text[keep:]
        return text[:keep]

    def finish(self) -> bytes:
        """Handle the end of the stream, and return what had been held back."""
        rest, self._pending = self._pending, b""
        self.died()
        return rest

    def died(self) -> None:
        """Learn that process 1 is dead: its stream has ended, or the kernel says so."""
        self._move(closed=True)

    def wait_ready(self) -> bool:
        """Wait for the first mark; return False if the stream ended before it."""
        with self._moved:
            self._moved.wait_for(lambda: self._is_ready or self._closed)
            return self._is_ready

    def wait_dead(self, timeout_s: float, stdin: IO[bytes], *, count: Callable[[], object]) -> bool:
        """Wait until process 1 is dead, and release it at its mark; return whether it is.

        Args:
            timeout_s: How long to wait at most.
            stdin: Of process 1.
            count: Called at the mark: reads what can no longer be read of the dead.
        """
        end = time.monotonic() + timeout_s
        with self._moved:
            self._moved.wait_for(lambda: self._closed or self._asks, timeout_s)
            if not self._asks:
                return self._closed
            self._answered = True
        count()
        _send(stdin, "\n")
        with self._moved:
            return self._moved.wait_for(lambda: self._closed, max(0.0, end - time.monotonic()))

    @property
    def _asks(self) -> bool:
        """Whether process 1 waits to be released."""
        return self._ended and not (self._answered or self._closed)

    def open(self, stdin: IO[bytes]) -> None:
        """Let main.sh start."""
        _send(stdin, f"go {self._token}".rstrip() + "\n")

    def _await_ready(self, chunk: bytes) -> bytes:
        self.early += chunk
        early, found, after = self.early.partition(self._ready_mark)
        if not found:
            self.early = self.early[-_LONGEST_EARLY:]
            return b""
        self.early = early
        self._move(ready=True)
        return early + (self.feed(after) if after else b"")

    def _move(self, *, ready: bool = False, ended: bool = False, closed: bool = False) -> None:
        with self._moved:
            self._is_ready |= ready
            self._ended |= ended
            self._closed |= closed
            self._moved.notify_all()


def _send(stdin: IO[bytes], line: str) -> None:
    # Process 1 may be dead already; how it died is determined elsewhere.
    with contextlib.suppress(OSError):
        stdin.write(line.encode())
        stdin.flush()
