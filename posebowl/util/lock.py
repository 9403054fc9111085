"""A file that one process holds at a time, without loading a library for what cannot wait."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 1.0
"""A child that a killed process had just forked holds the lock until it has ended too."""


@contextlib.contextmanager
def held_alone(path: Path) -> Iterator[None]:
    """Hold a lock file until the block ends; the kernel releases it should this process die.

    It is the lock that filelock takes, which loads for 0.03 CPU seconds: longer than a check of a
    small zip.

    Raises:
        BlockingIOError: Another process holds it, and still does a second later.
    """
    with contextlib.ExitStack() as release:
        if sys.platform == "win32":
            _hold_on_windows(path, release)
        else:
            _hold_on_unix(path, release)
        yield


def _hold_on_unix(path: Path, release: contextlib.ExitStack) -> None:
    import fcntl

    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    release.callback(os.close, descriptor)
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
        time.sleep(0.02)


def _hold_on_windows(path: Path, release: contextlib.ExitStack) -> None:
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=PATIENCE_S)
    except Timeout:
        raise BlockingIOError(str(path)) from None
    release.callback(lock.release)
