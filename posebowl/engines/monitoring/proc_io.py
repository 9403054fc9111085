"""What the processes of a run have read and written, by the system calls that they made."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Final

_SHARE: Final = 0.01
"""Of the time, at most, that looking may take."""


class ProcIo:
    """Counts the bytes that a process and all below it read and write by system calls.

    These are `rchar` and `wchar` of /proc/PID/io (proc(5)), from the page cache or not, while a
    control group counts what reaches a disk, which is nothing for photos read before. The kernel
    adds what a process did to its parent when that waits for it, so the sum over those alive,
    the root among them, leaves out and counts twice only what a parent does not wait for.

    Args:
        pid: Of the root process; what was read and written before now does not count.
        share: Of the time, at most, that looking may take.
    """

    def __init__(self, pid: int, *, share: float = _SHARE) -> None:
        self._share = share
        self._pid = pid
        self._next_at = 0.0
        self._before = self._sum()
        self._last = (0, 0)

    def bytes(self, *, fresh: bool = False) -> tuple[int, int]:
        """Return how much was read and written since the start; never less than before."""
        now = time.monotonic()
        if fresh or now >= self._next_at:
            sums = self._sum()
            self._last = (
                max(self._last[0], sums[0] - self._before[0]),
                max(self._last[1], sums[1] - self._before[1]),
            )
            self._next_at = now + (time.monotonic() - now) / self._share
        return self._last

    def _sum(self) -> tuple[int, int]:
        read = written = 0
        for pid in family(self._pid):
            try:
                lines = Path(f"/proc/{pid}/io").read_text().splitlines()
            except OSError:
                continue
            counts = dict(line.split(": ") for line in lines)
            read += int(counts.get("rchar", 0))
            written += int(counts.get("wchar", 0))
        return read, written


def family(pid: int) -> list[int]:
    """Return a process and all below it, as far as they are alive."""
    found, pending = [], [pid]
    while pending:
        parent = pending.pop()
        found.append(parent)
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
        except OSError:
            continue
        for task in tasks:
            # It may end under way, and some kernels are built without this file.
            with contextlib.suppress(OSError):
                pending += map(int, (task / "children").read_text().split())
    return found
