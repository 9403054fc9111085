"""What a run has written, summed up beside the watchdog.

The tree is the run's own, and changes while it is summed up: folders are opened one below the
other by their descriptors, never through a link and never by a path, which the kernel refuses
when it grows longer than PATH_MAX.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PATIENCE_S: Final = 0.02
"""Most sums are there sooner, and so belong to the look that asked for them."""
_LAST_PATIENCE_S: Final = 1.0
"""A run that is to be stopped goes on until its last sum is there."""

_MOST_BLIND: Final = 3
"""Sums in a row that do not see all before one of them counts: folders move while a run writes."""
_MOST_OPEN: Final = 32
"""Folders that a walk holds open at once; above them it goes back by their names for each other."""
_FOLDER: Final = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_GONE: Final = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What lies in folders."""

    bytes: int = 0
    files: int = 0
    """Files, folders and all else that has a name."""
    whole: bool = True
    """Whether all of it could be seen."""

    def __add__(self, other: Written) -> Written:
        return Written(
            bytes=self.bytes + other.bytes,
            files=self.files + other.files,
            whole=self.whole and other.whole,
        )

    def since(self, before: Written) -> Written:
        """Return what was added; less than nothing counts as nothing."""
        return Written(
            bytes=max(0, self.bytes - before.bytes),
            files=max(0, self.files - before.files),
            whole=self.whole,
        )


class DiskUsage:
    """Sums what a run has written, so rarely that it takes less than a tenth of the time.

    The sum is made in a thread of its own: neither a tree of a million files nor a slow engine
    delays the looks at memory and at the clock.

    Args:
        measure: Returns what lies there.
        interval_s: Between two sums, at least.
        clock: The time, in seconds.
    """

    def __init__(
        self,
        measure: Callable[[], Written],
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._measure = measure
        self._interval_s = interval_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="written")
        self._sum: Future[Written] | None = None
        self._begun_at = self._next_at = 0.0
        self._last = Written()
        self._blind = 0

    def close(self) -> None:
        """Wait for the sum that is in progress, if any, and begin no more."""
        self._thread.shutdown(cancel_futures=True)

    def written(self) -> Written:
        """Return the last sum that saw all, or the last one if several in a row did not."""
        if self._sum is None and self._clock() >= self._next_at:
            self._begin()
        return self._collect(_PATIENCE_S)

    def latest(self) -> Written:
        """Return a sum that is begun now, or the last one if it is not there in a moment."""
        self._collect(_LAST_PATIENCE_S)
        if self._sum is None:
            self._begin()
        return self._collect(_LAST_PATIENCE_S)

    def _begin(self) -> None:
        self._begun_at = self._clock()
        self._sum = self._thread.submit(self._measure)

    def _collect(self, patience_s: float) -> Written:
        if self._sum is not None:
            with contextlib.suppress(TimeoutError):
                found = self._sum.result(patience_s)
                self._sum = None
                self._blind = 0 if found.whole else self._blind + 1
                if found.whole or self._blind >= _MOST_BLIND:
                    self._last = found
                took = self._clock() - self._begun_at
                self._next_at = self._begun_at + max(self._interval_s, 10 * took)
        return self._last


def folder_usage(folder: Path) -> Written:
    """Sum what lies in a folder, which may be missing: blocks on disk, and names.

    Links are not followed. What vanishes meanwhile is left out: the run is still writing. A file
    with several names takes its blocks once. Folders that are closed to their owner are opened.
    """
    if os.scandir not in os.supports_fd:  # Windows
        return _by_paths(folder)
    walk = _Walk()
    try:
        walk.enter(os.fspath(folder), None)
        return walk.run()
    finally:
        walk.close()


@dataclass
class _Folder:
    """A folder on the way down."""

    descriptor: int
    """-1 once it is closed, until the walk is back."""
    identity: tuple[int, int]
    folders: list[str] = field(default_factory=list)
    """Names of those in it that are still to be looked into."""

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class _Walk:
    """Goes through a tree of any depth with a bounded number of open folders."""

    def __init__(self) -> None:
        self._bytes = self._files = 0
        self._whole = True
        self._way: list[_Folder] = []
        self._linked: set[tuple[int, int]] = set()

    def run(self) -> Written:
        """Go through all folders below the one that was entered, and return what they hold."""
        while self._way:
            here = self._way[-1]
            if here.folders:
                self.enter(here.folders.pop(), here.descriptor)
            else:
                self._leave()
        return Written(bytes=self._bytes, files=self._files, whole=self._whole)

    def enter(self, name: str, above: int | None) -> None:
        """Open a folder, and sum up what it holds directly."""
        try:
            descriptor = _open(name, above)
        except _GONE:
            return
        except OSError:
            self._whole = False
            return
        status = os.fstat(descriptor)
        here = _Folder(descriptor, (status.st_dev, status.st_ino))
        self._way.append(here)
        if len(self._way) > _MOST_OPEN:
            self._way[-_MOST_OPEN - 1].close()
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    self._add(entry, here)
        except OSError:
            self._whole = False

    def _add(self, entry: os.DirEntry[str], here: _Folder) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except _GONE:
            return
        size = status.st_blocks * 512
        if entry.is_dir(follow_symlinks=False):
            here.folders.append(entry.name)
        elif status.st_nlink > 1:
            identity = status.st_dev, status.st_ino
            size = 0 if identity in self._linked else size
            self._linked.add(identity)
        self._bytes += size
        self._files += 1

    def _leave(self) -> None:
        """Go back up one folder; if it is another one now, the walk is over."""
        left = self._way.pop()
        if self._way and self._way[-1].descriptor < 0:
            above = self._way[-1]
            with contextlib.suppress(OSError):
                above.descriptor = os.open("..", _FOLDER, dir_fd=left.descriptor)
            status = os.fstat(above.descriptor) if above.descriptor >= 0 else None
            if status is None or (status.st_dev, status.st_ino) != above.identity:
                self._whole = False
                self.close()
        left.close()

    def close(self) -> None:
        """Close all folders, and end the walk."""
        for folder in self._way:
            folder.close()
        self._way.clear()


def _open(name: str, above: int | None) -> int:
    """Open a folder to look into it, even if its owner closed it; the caller is its owner or root.

    Its mode is changed through its descriptor: by now a link may have its name.
    """
    try:
        descriptor = os.open(name, _FOLDER, dir_fd=above)
    except PermissionError:
        place = os.open(name, _FOLDER | getattr(os, "O_PATH", 0), dir_fd=above)
        try:
            path = f"/proc/self/fd/{place}"
            os.chmod(path, 0o700)  # noqa: PTH101
            return os.open(path, _FOLDER & ~os.O_NOFOLLOW)
        finally:
            os.close(place)
    mode = os.fstat(descriptor).st_mode
    if not mode & stat.S_IXUSR and os.geteuid() != 0:
        os.fchmod(descriptor, stat.S_IMODE(mode) | stat.S_IRWXU)
    return descriptor


def _by_paths(folder: Path) -> Written:
    found = Written()
    for place, folders, files in os.walk(folder):
        found += Written(files=len(folders))
        for name in files:
            with contextlib.suppress(OSError):
                found += Written(bytes=Path(place, name).lstat().st_size, files=1)
    return found
