"""What a container uses, by its control groups."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from posebowl.engines.base import Usage
from posebowl.engines.cgroups.reader import Files, usage
from posebowl.engines.monitoring.proc_io import ProcIo


class CgroupProbe:
    """Reads what a container uses, and remembers the last values that could be read.

    Args:
        read: Returns a group's files; nothing once the container has ended.
        io: What its processes have read and written, where that can be seen: a group counts only
            what reached a disk.
    """

    def __init__(self, read: Callable[[], Files], io: ProcIo | None = None) -> None:
        self._read = read
        self._io = io
        self._last = Usage(memory_bytes=0, cpu_s=0.0)
        # A peak while the archive was unpacked is not one of main.sh.
        self._peak_before = usage(read()).peak_bytes if io is not None else sys.maxsize

    def usage(self, *, fresh: bool = False) -> Usage:
        """Return what the container uses now, or used when last seen."""
        files = self._read()
        found = usage(files) if files.get("memory.stat") else self._last
        # Processor time never falls: a group that vanishes loses some of its files before others.
        if found.cpu_s >= self._last.cpu_s:
            self._last = found
            if self._last.peak_bytes <= self._peak_before:
                self._last = replace(self._last, peak_bytes=0)
        if self._io is not None:
            read, written = self._io.bytes(fresh=fresh)
            self._last = replace(self._last, read_bytes=read, write_bytes=written)
        return self._last
