"""Processor cores of a machine, each promised to one run at a time."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator
from typing import Final

from filelock import FileLock, Timeout

from posebowl.data import manifest

_PAUSE_S: Final = 0.2


@contextlib.contextmanager
def reserved(count: int) -> Iterator[frozenset[int]]:
    """Keep this process, and all that it starts, on cores that no other run has.

    Ray counts cores and does not say which. The kernel gives them back should this process die.
    A machine with fewer cores gives all it has, one run after the other.
    """
    before = os.sched_getaffinity(0)
    folder = manifest.cache_root() / "cores"
    folder.mkdir(parents=True, exist_ok=True)
    locks = {core: FileLock(folder / str(core)) for core in before}
    try:
        held = _take(locks, min(count, len(before)))
        os.sched_setaffinity(0, held)
        yield held
    finally:
        os.sched_setaffinity(0, before)
        for lock in locks.values():
            lock.release()


def _take(locks: dict[int, FileLock], count: int) -> frozenset[int]:
    """Hold `count` locks, all or none, so that two that wait cannot wait for each other."""
    while True:
        taken: list[int] = []
        # In any order: pods that do not see each other's locks hardly choose the same cores.
        for core in random.sample(sorted(locks), len(locks)):
            with contextlib.suppress(Timeout):
                locks[core].acquire(timeout=0)
                taken.append(core)
            if len(taken) == count:
                return frozenset(taken)
        for core in taken:
            locks[core].release()
        time.sleep(_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
