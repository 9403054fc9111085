"""Processor cores of a machine, each held by one run at a time."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from posebowl.util.files import make_folder

_PAUSE_S: Final = 0.2


@contextlib.contextmanager
def pinned(count: int, locks_folder: Path) -> Iterator[frozenset[int]]:
    """Keep this process, and all that it starts, on cores that no other run has.

    Ray counts cores without choosing them. The kernel releases them should this process die.
    On a machine with fewer cores, runs take turns with all of them.

    Args:
        count: How many cores.
        locks_folder: The folder of locks that all runs on this machine share.
    """
    if not hasattr(os, "sched_setaffinity"):  # macOS and Windows cannot pin a process
        yield frozenset(range(count))
        return
    before = os.sched_getaffinity(0)
    make_folder(locks_folder)
    locks = {core: FileLock(locks_folder / str(core)) for core in before}
    try:
        held = _take(locks, min(count, len(before)))
        os.sched_setaffinity(0, held)
        yield held
    finally:
        os.sched_setaffinity(0, before)
        for lock in locks.values():
            lock.release()


def _take(locks: dict[int, FileLock], count: int) -> frozenset[int]:
    """Hold `count` locks, all or none, so that two runs cannot wait for each other."""
    while True:
        taken: list[int] = []
        # At random: pods that do not see each other's locks hardly ever choose the same cores.
        for core in random.sample(sorted(locks), len(locks)):
            with contextlib.suppress(Timeout):
                locks[core].acquire(timeout=0)
                taken.append(core)
            if len(taken) == count:
                return frozenset(taken)
        for core in taken:
            locks[core].release()
        time.sleep(_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
