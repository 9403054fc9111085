"""What a run holds in memory, where no control group counts it: each page once.

Beside the memory of its processes (proc(5), smaps_rollup) that is what lies in its /dev/shm, and in
files without a name that memfd_create(2) makes: both take memory whether or not a process has them
mapped; and what lies in buffers of sockets, if the caller can see it. Buffers of pipes, and files
that are on their way through a socket, cannot be seen from outside.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_EVERY_S: Final = 0.45
"""Between two exact sums while the memory is far from its limit."""
_COST: Final = 5
"""Times that an exact sum takes, until the next one."""
_NEWS: Final = 1.05
"""Times the highest exact sum, above which an estimate calls for another one."""
_MAPPING: Final = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) ([0-9]+)")

_File = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, kw_only=True)
class _Held:
    """What a number of processes hold, in bytes."""

    private: int
    shared: int
    """Mapped, and shared between processes or with a file in memory."""


class HeldMemory:
    """Sums up what processes hold: exactly now and then, and whenever it may exceed the limit.

    Between exact sums the growth of the resident sizes is added. It counts a shared page for each
    process that maps it, and so never makes a new peak by itself.

    Args:
        limit_bytes: What they may hold.
        buffers: Returns what their sockets hold.
    """

    def __init__(
        self,
        limit_bytes: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        buffers: Callable[[], int] = lambda: 0,
    ) -> None:
        self._limit = limit_bytes
        self._buffers = buffers
        self._clock = clock
        self._next_at = self._rested_at = 0.0
        self._exact = self._peak = 0
        self._resident = 0

    def bytes(self, pids: Sequence[int], resident: int) -> int:
        """Return what they hold now.

        Args:
            pids: The processes.
            resident: The sum of their resident sizes, which counts a shared page for each.
        """
        buffers = self._buffers()
        return buffers + self._pages(pids, resident, self._limit - buffers)

    def _pages(self, pids: Sequence[int], resident: int, limit: int) -> int:
        """Return what they hold but for buffers, exactly if it may exceed the limit."""
        now = self._clock()
        estimate = self._exact + max(0, resident - self._resident)
        due = self._rested_at if estimate > _NEWS * self._peak else self._next_at
        if now < due and estimate <= limit:
            return min(estimate, self._peak)
        self._exact, self._resident = _sum(pids, limit), resident
        self._peak = max(self._peak, self._exact)
        self._rested_at = now + _COST * (self._clock() - now)
        self._next_at = max(now + _EVERY_S, self._rested_at)
        return self._exact


def _sum(pids: Sequence[int], limit: int) -> int:
    held = [_held(pid) for pid in pids]
    private, shared = sum(one.private for one in held), sum(one.shared for one in held)
    unnamed, device = _unnamed_files(pids), _shm_device(pids)
    files = sum(unnamed.values()) + (_used(device[1]) if device else 0)
    least, most = private + max(shared, files), private + shared + files
    if least > limit or most <= limit:
        return least
    # Only now is it worth the time to find what is counted twice: files that are mapped.
    shm = device[0] if device else -1
    return most - sum(_mapped(pid, unnamed, shm) for pid in pids)


def _held(pid: int) -> _Held:
    """Read what a process holds, its part of what it shares; nothing once it has ended."""
    table: dict[str, int] = {}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, rest = line.partition(":")
            table[name] = int(rest.split()[0]) * 1024
    private = table.get("Pss_Anon", table.get("Pss", 0)) + table.get("SwapPss", 0)
    return _Held(private=private, shared=table.get("Pss_Shmem", 0))


def _unnamed_files(pids: Sequence[int]) -> dict[_File, int]:
    """Return the size of each file of memfd_create that the processes hold open."""
    found: dict[_File, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if os.readlink(entry.path).startswith("/memfd:"):  # noqa: PTH115  # many
                        status = entry.stat()
                        found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return found


def _shm_device(pids: Sequence[int]) -> tuple[int, str] | None:
    """Return the device of the processes' own /dev/shm, and its path; None if it is the host's."""
    with contextlib.suppress(OSError):
        host = os.stat("/dev/shm").st_dev  # noqa: PTH116, S108
        for pid in pids:
            path = f"/proc/{pid}/root/dev/shm"
            with contextlib.suppress(OSError):
                device = os.stat(path).st_dev  # noqa: PTH116
                return None if device == host else (device, path)
    return None


def _used(path: str) -> int:
    with contextlib.suppress(OSError):
        room = os.statvfs(path)
        return (room.f_blocks - room.f_bfree) * room.f_frsize
    return 0


def _mapped(pid: int, unnamed: dict[_File, int], shm: int) -> int:
    """Sum a process's part of all files in memory that it has mapped."""
    total, counts = 0, False
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if mapping := _MAPPING.match(line):
                device = os.makedev(int(mapping[1], 16), int(mapping[2], 16))
                counts = device == shm or (device, int(mapping[3])) in unnamed
            elif counts and line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total
