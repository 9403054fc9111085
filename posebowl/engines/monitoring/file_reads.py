"""Which images a run has read, seen from outside: the kernel tells when a file is closed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CLOSE_NOWRITE: Final = 0x10
_ONLY_FOLDER: Final = 0x01000000
_IS_FOLDER: Final = 0x40000000
_HEAD: Final = struct.Struct("iIII")
_CHUNK: Final = 256 << 10
_MOST_CHUNKS: Final = 64
"""A look never takes longer, however fast a program opens files."""


class ImageReads:
    """Counts the files of a folder that were opened and closed again since the start.

    It is Linux's inotify(7), which works through the bind mounts of all engines, as the kernel
    tells of the files themselves, wherever a program sees them. The run is neither touched nor
    asked. A file that is read many times counts once. Two things it cannot know: who read a
    file, so that another program at work on the same folder counts too; and what happened while
    a program opened more than some 30,000 files a second, when the kernel drops events.

    Args:
        descriptor: Of inotify, or None where there is none: then nothing is ever counted.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._names: set[bytes] = set()
        self.last = ""
        """The name of the file that was read last, as far as `count` has taken it in."""

    def count(self) -> int:
        """Take in what happened since the last call, and return how many files were read."""
        if self._descriptor is not None:
            for _ in range(_MOST_CHUNKS):
                try:
                    data = os.read(self._descriptor, _CHUNK)
                except OSError:  # nothing more to tell
                    break
                self._take(data)
        return len(self._names)

    def _take(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            _, mask, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            if mask & _CLOSE_NOWRITE and not mask & _IS_FOLDER:
                name = data[at : at + length].rstrip(b"\0")
                self._names.add(name)
                self.last = os.fsdecode(name)
            at += length


@contextlib.contextmanager
def watching(folder: Path) -> Iterator[ImageReads]:
    """Count the files of a folder that are read until the block ends; never an error."""
    descriptor = _open(folder)
    try:
        yield ImageReads(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(folder: Path) -> int | None:
    """Ask the kernel to tell of a folder; None where it cannot."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if descriptor < 0:
        return None
    mask = _CLOSE_NOWRITE | _ONLY_FOLDER
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), ctypes.c_uint32(mask)) < 0:
        os.close(descriptor)
        return None
    return descriptor
