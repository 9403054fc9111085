"""What a run has written, summed up beside the watchdog."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

_PATIENCE_S: Final = 0.02
"""Most sums are there sooner, and so belong to the look that asked for them."""


class DiskUsage:
    """Sums what a run has written, so rarely that it takes less than a tenth of the time.

    The sum is made in a thread of its own: neither a tree of a million files nor a slow engine
    delays the looks at memory and at the clock.

    Args:
        measure: Returns the bytes.
        interval_s: Between two sums, at least.
        clock: The time, in seconds.
    """

    def __init__(
        self,
        measure: Callable[[], int],
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._measure = measure
        self._interval_s = interval_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="written")
        self._sum: Future[int] | None = None
        self._begun_at = self._next_at = 0.0
        self._bytes = 0

    def close(self) -> None:
        """Wait for the sum that is in progress, if any, and begin no more."""
        self._thread.shutdown(cancel_futures=True)

    def bytes(self) -> int:
        """Return the last sum that was completed."""
        if self._sum is None and self._clock() >= self._next_at:
            self._begun_at = self._clock()
            self._sum = self._thread.submit(self._measure)
        if self._sum is not None:
            with contextlib.suppress(TimeoutError):
                self._bytes = self._sum.result(_PATIENCE_S)
                self._sum = None
                took = self._clock() - self._begun_at
                self._next_at = self._begun_at + max(self._interval_s, 10 * took)
        return self._bytes


def folder_bytes(folder: Path) -> int:
    """Sum the blocks that a folder takes on disk, in bytes, without following links.

    What vanishes or may not be read meanwhile is left out: the run is still writing. A file with
    several names counts once.
    """
    total = 0
    linked: set[tuple[int, int]] = set()
    pending = [os.fspath(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
                        elif status.st_nlink > 1:
                            if (status.st_dev, status.st_ino) in linked:
                                continue
                            linked.add((status.st_dev, status.st_ino))
                        total += getattr(status, "st_blocks", 0) * 512
                    except OSError:
                        continue
        except OSError:
            continue
    return total
