"""What main.sh prints: drained without end, kept within bounds, safe to show."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from posebowl.util.text import redrawn, visible

_LONGEST_LINE: Final = 2000
_QUIET_S: Final = 0.1
_BURST: Final = 1000
"""Lines that are passed on at once; as many more every second."""


class LogCapture:
    """Keeps the head and the tail of a stream in a file, and passes its lines on as they come.

    The head goes to the file at once, so that it can be read while the run goes on; the tail is
    kept in memory until `close`. What lies between is counted and thrown away, as fast as it
    comes: a run that prints without end is never blocked, not even by a listener that has gone.

    Args:
        path: The log file; it must not exist.
        max_bytes: How much of the stream is kept at most, half from the head and half from the
            tail; in the file, what is escaped takes up to four times as much.
        on_line: Called with complete lines, escaped: a thousand at once and a thousand every
            second, with a line that says how many were left out; once the head is full, with one
            line every tenth of a second at most. Of a line that was redrawn after carriage returns,
            such as a progress bar, it gets what is left; while such a line is not complete, its
            state now and then, with a carriage return behind it. Not called again after it failed
            to write.
    """

    def __init__(self, path: Path, *, max_bytes: int, on_line: Callable[[str], None]) -> None:
        self._half = max_bytes // 2
        self._on_line = on_line
        self._file: IO[bytes] = path.open("xb", buffering=0)
        self._decoder = _decoder()
        self._tail = bytearray()
        self._partial = b""
        self._last_line_at = -_QUIET_S
        self._room = float(_BURST)
        self._room_at = time.monotonic()
        self._failure: OSError | None = None
        self._left_out = 0
        self.total_bytes = 0
        self._head_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Read a piece of the stream."""
        self.total_bytes += len(chunk)
        head = chunk[: self._half - self._head_bytes]
        if head:
            self._head_bytes += len(head)
            self._write(self._decoder.decode(head))
        self._keep_tail(chunk[len(head) :])
        self._pass_on(chunk)

    def close(self) -> None:
        """Write the tail, after a line that says how much is left out before it.

        Raises:
            OSError: Something could not be written, now or earlier, such as on a full disk.
        """
        if self._partial:
            self._emit(redrawn(self._partial.decode(errors="replace")))
            self._partial = b""
        tail = bytes(self._tail[-self._half :]) if self._half else b""
        missing = self.total_bytes - self._head_bytes - len(tail)
        if missing > 0:
            self._write(self._decoder.decode(b"", final=True))
            self._write(f"\n[... {missing} bytes left out here ...]\n")
            self._decoder.reset()
        self._write(self._decoder.decode(tail, final=True))
        self._file.close()
        if self._failure is not None:
            raise self._failure

    def _write(self, text: str) -> None:
        # A full disk must not stop the draining; the failure is raised at the end. A disk that
        # is nearly full takes a part without any error.
        left = memoryview("\r".join(map(visible, text.split("\r"))).encode())
        try:
            while left and self._failure is None:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._failure = error

    def _keep_tail(self, chunk: bytes) -> None:
        self._tail += chunk[-self._half :] if self._half else b""
        if len(self._tail) > 2 * self._half:
            del self._tail[: -self._half]

    def _pass_on(self, chunk: bytes) -> None:
        flooding = self._head_bytes >= self._half
        if flooding and not self._due():
            self._partial = b""
            return
        text = self._partial + (chunk[-_LONGEST_LINE:] if flooding else chunk)
        cut = text.rfind(b"\n") + 1
        rest = text[cut:]
        # Of a line that is redrawn, what it was before is over.
        self._partial = rest[max(0, rest.rstrip(b"\r").rfind(b"\r")) :][-_LONGEST_LINE:]
        lines = text[:cut].decode(errors="replace").split("\n")[:-1]
        for line in lines[-1:] if flooding else self._within_room(lines):
            self._emit(redrawn(line)[:_LONGEST_LINE])
        if b"\r" in rest.rstrip(b"\r") and (flooding or self._due()):
            self._emit(redrawn(self._partial.decode(errors="replace")), end="\r")

    def _within_room(self, lines: list[str]) -> list[str]:
        """Return the last of the lines, as many as may be passed on now."""
        now = time.monotonic()
        self._room = min(_BURST, self._room + (now - self._room_at) * _BURST)
        self._room_at = now
        kept = lines[max(0, len(lines) - int(self._room)) :]
        self._room -= len(kept)
        self._left_out += len(lines) - len(kept)
        if self._left_out and kept:
            kept = [f"[... {self._left_out} lines are only in the log ...]", *kept]
            self._left_out = 0
        return kept

    def _emit(self, line: str, end: str = "") -> None:
        try:
            self._on_line(visible(line) + end)
        except (OSError, SystemExit):  # rich ends a program whose terminal or pipe has gone
            self._on_line = lambda _: None

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._last_line_at < _QUIET_S:
            return False
        self._last_line_at = now
        return True


def _decoder() -> codecs.IncrementalDecoder:
    """Decode pieces of UTF-8, cut anywhere."""
    return codecs.getincrementaldecoder("utf-8")("backslashreplace")
