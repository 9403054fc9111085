"""A file that one process holds at a time, without loading a library for what cannot wait."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def held_alone(path: Path) -> Iterator[None]:
    """Hold a lock file until the block ends; the kernel releases it should this process die.

    It is the lock that filelock takes, which loads for 0.03 CPU seconds: longer than a check of a
    small zip.

    Raises:
        BlockingIOError: Another process holds it.
    """
    with contextlib.ExitStack() as release:
        if sys.platform == "win32":
            _hold_on_windows(path, release)
        else:
            import fcntl

            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o644)
            release.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _hold_on_windows(path: Path, release: contextlib.ExitStack) -> None:
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BlockingIOError(str(path)) from None
    release.callback(lock.release)
