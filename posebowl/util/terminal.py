"""A program on a terminal of its own, whose other end is this terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import IO, Final

_BLOCK: Final = 1 << 16


def run(argv: Sequence[str], *, errors: IO[bytes]) -> int:
    """Run a program on a new terminal, connected with that of stdin, and return its exit code.

    The program's session is its own: Ctrl-C and Ctrl-Z are keys for what runs there, and nothing
    that it does to its terminal stays on this one.

    Args:
        argv: The program; stdin and stdout are the new terminal.
        errors: What it prints to stderr.
    """
    ours, theirs = os.openpty()
    _copy_size(ours)
    try:
        with subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=errors, cwd="/", start_new_session=True
        ) as child:
            os.close(theirs)
            try:
                with _raw(), _following_size(ours):
                    _relay(ours)
            except BaseException:
                child.kill()
                raise
    finally:
        os.close(ours)
    return child.returncode


def _relay(ours: int) -> None:
    """Copy both ways until the program and all that it started have left their terminal."""
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    sources = [ours, keyboard]
    while True:
        ready = select.select(sources, [], [])[0]
        if keyboard in ready:
            keys = os.read(keyboard, _BLOCK)
            if not keys:
                sources.remove(keyboard)
            _write(ours, keys)
        if ours in ready:
            try:
                shown = os.read(ours, _BLOCK)
            except OSError:  # EIO: nobody has the other end open any more
                return
            if not shown:
                return
            _write(screen, shown)


def _write(to: int, data: bytes) -> None:
    while data:
        data = data[os.write(to, data) :]


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Pass each key on as it is; restore the terminal afterwards."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setraw(keyboard)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _following_size(ours: int) -> Iterator[None]:
    before = signal.signal(signal.SIGWINCH, lambda *_: _copy_size(ours))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _copy_size(ours: int) -> None:
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(sys.stdin.fileno(), termios.TIOCGWINSZ, bytes(8))
        fcntl.ioctl(ours, termios.TIOCSWINSZ, size)
