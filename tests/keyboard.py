"""Somebody at a keyboard: a program on a terminal of its own, typed to and listened to."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

PATIENCE_S: Final = 60
"""Far more than anything takes, on a machine however busy."""
_ON_THIS_TERMINAL: Final = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


class Keyboard:
    """A program that believes in somebody at a keyboard; it is killed when the block ends."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self._end, theirs = pty.openpty()
        self.resize(24, 80)
        self._program = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _ON_THIS_TERMINAL, *argv],
            cwd=cwd,
            env={**os.environ, **(variables or {})},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._heard = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.kill()
        self._program.wait()
        if self._end >= 0:
            os.close(self._end)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def hear(self, text: str) -> str:
        """Listen until a text is there; return what came before it."""
        while text not in self._heard:
            ready, _, _ = select.select([self._end], [], [], PATIENCE_S)
            assert ready, f"waited for {text!r}, heard only {self._heard!r}"
            try:
                self._heard += os.read(self._end, 4096).decode(errors="replace")
            except OSError:  # the other end is closed
                raise AssertionError(f"waited for {text!r}, heard {self._heard!r}") from None
        before, _, self._heard = self._heard.partition(text)
        return before

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._end, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal, as a window that is closed does."""
        os.close(self._end)
        self._end = -1

    def wait(self) -> int:
        """Return the exit code of a program whose terminal is closed."""
        return self._program.wait(PATIENCE_S)

    @property
    def pid(self) -> int:
        """Return the id of the program."""
        return self._program.pid

    def end(self) -> int:
        """Listen until the program ends, and return its exit code."""
        while True:
            ready, _, _ = select.select([self._end], [], [], PATIENCE_S)
            assert ready, f"it does not end; heard {self._heard!r}"
            try:
                self._heard += os.read(self._end, 4096).decode(errors="replace")
            except OSError:
                return self._program.wait(PATIENCE_S)
