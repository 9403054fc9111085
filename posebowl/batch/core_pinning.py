"""Processor cores of a machine, each held by one run at a time."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from posebowl.challenge import EngineName
from posebowl.util.files import make_folder
from posebowl.util.host import restricted_cores

SHARED: Final = Path("/run/posebowl")
"""Where a machine's pods share their locks: a folder of the machine that is mounted into each."""

_PAUSE_S: Final = 0.2
_LOOK_S: Final = 0.1
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_STAT: Final = Path("/proc/stat")
_POD_MARKS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))


def locks_of_this_machine(cache: Path, shared: Path = SHARED) -> Path:
    """Return the folder of the locks that all runs on this machine share.

    It is named after the machine's start, as a cache may be shared by several machines, whose
    cores have the same numbers.

    Args:
        cache: What this machine keeps for evaluations.
        shared: Used instead if it is there: pods have caches of their own.
    """
    boot = _BOOT_ID.read_text(encoding="utf-8").strip() if _BOOT_ID.exists() else "unknown"
    return (shared if os.access(shared, os.W_OK) else cache) / "cores" / boot


def of_run(
    engine: EngineName | None, count: int, cache: Path
) -> AbstractContextManager[frozenset[int]]:
    """Give a run cores of its own, as long as the block lasts.

    Where another run may choose the same ones, containers are limited in processor time only, and
    may move between all cores. The embedded engine needs to be given some anyway.

    Args:
        engine: What will run it; None: the first that works.
        count: How many cores.
        cache: What this machine keeps for evaluations.
    """
    in_container = engine not in {None, EngineName.EMBEDDED}
    if in_container and not are_exclusive():
        return contextlib.nullcontext(frozenset())
    return pinned(count, locks_of_this_machine(cache))


def are_exclusive(shared: Path = SHARED, marks: Iterable[Path] = _POD_MARKS) -> bool:
    """Return whether no run elsewhere on this machine can be given the cores that locks hold.

    A pod has a view of all cores of its machine, unless it has a set of its own; it knows of the
    runs in other pods only through `shared`.
    """
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ or any(mark.exists() for mark in marks)
    return not in_pod or os.access(shared, os.W_OK) or bool(restricted_cores())


@contextlib.contextmanager
def pinned(count: int, locks_folder: Path) -> Iterator[frozenset[int]]:
    """Keep this process, and all that it starts, on cores that no other run has.

    Embedded runs inherit it, and engines are told. The kernel releases the locks should this
    process die.
    On a machine with fewer cores, runs take turns with all of them. The idlest come first:
    programs that know nothing of the locks are at work too.

    Args:
        count: How many cores.
        locks_folder: See `locks_of_this_machine`.
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
        for core in idlest(locks) if count < len(locks) else locks:
            with contextlib.suppress(Timeout):
                locks[core].acquire(timeout=0)
                taken.append(core)
            if len(taken) == count:
                return frozenset(taken)
        for core in taken:
            locks[core].release()
        time.sleep(_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311  # no secret


def idlest(cores: Iterable[int], stat: Path = _STAT, look_s: float = _LOOK_S) -> list[int]:
    """Sort cores by how busy they are at present, equal ones at random.

    The busy time of a core is that of the machine, in a pod too.
    """
    before = _busy(stat)
    time.sleep(look_s)
    after = _busy(stat)
    # At random: runs that begin at the same moment find the same cores idle.
    mixed = random.sample(sorted(cores), len(set(cores)))
    return sorted(mixed, key=lambda core: after.get(core, 0) - before.get(core, 0))


def _busy(stat: Path) -> dict[int, int]:
    """Return for how long each core has been busy, in ticks; nothing if the system hides it."""
    with contextlib.suppress(OSError, ValueError):
        rows = [line.split() for line in stat.read_text(encoding="utf-8").splitlines()]
        cores = {row[0][3:]: [int(word) for word in row[1:9]] for row in rows if row}
        return {
            int(core): sum(ticks) - sum(ticks[3:5])  # without idle and iowait
            for core, ticks in cores.items()
            if core.isdigit()
        }
    return {}
