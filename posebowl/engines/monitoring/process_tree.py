"""What the processes of a run use, seen from the host."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable

import psutil

from posebowl.challenge import Limit, Limits
from posebowl.engines.base import Usage
from posebowl.engines.cgroups.manager import OwnCgroup
from posebowl.engines.monitoring.held_memory import HeldMemory
from posebowl.engines.monitoring.proc_io import ProcIo, family
from posebowl.engines.monitoring.watchdog import SAMPLE_INTERVAL_S


class ProcessTree:
    """Reads what all processes that came from one use.

    Counters of processes that have ended are gone with them, so processor time is kept as the
    highest sum seen; where a control group counts, its figures are used. Where a group
    does not limit memory, the processes' own is summed up too: it may not count what is swapped.
    """

    def __init__(
        self,
        pid: int,
        limits: Limits,
        cgroup: OwnCgroup | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        buffers: Callable[[], int] = lambda: 0,
    ) -> None:
        self._clock = clock
        self._root = psutil.Process(pid)
        self._held = HeldMemory(limits.memory_bytes, clock, buffers=buffers)
        self._cgroup = cgroup
        self._limits_memory = cgroup is not None and Limit.MEMORY in cgroup.enforces
        self._cpu: dict[tuple[int, float], float] = {}
        self._io = ProcIo(pid)
        self._last = Usage(memory_bytes=0, cpu_s=0.0)
        self._next_walk_at = 0.0
        self._peak_before = cgroup.usage().peak_bytes if cgroup else 0

    def processes(self) -> list[psutil.Process]:
        """List all processes below the root one."""
        with contextlib.suppress(psutil.Error):
            return self._root.children(recursive=True)
        return []

    def _alive(self) -> list[psutil.Process]:
        """List them as the kernel does, in a tenth of the time; all are asked where it cannot."""
        found = []
        for pid in family(self._root.pid)[1:]:
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(pid))
        return found or self.processes()

    def usage(self, *, fresh: bool = False) -> Usage:
        """Return what the tree uses now.

        Where a control group limits memory, it is asked each time and the processes, which take
        longer to look at, only as often as samples are kept.
        """
        now = self._clock()
        if self._limits_memory and now < self._next_walk_at:
            return self._merged(0, fresh=fresh)
        self._next_walk_at = now + SAMPLE_INTERVAL_S * 0.9
        resident = 0
        alive = self._alive()
        for process in alive:
            with contextlib.suppress(psutil.Error), process.oneshot():
                key = (process.pid, process.create_time())
                times = process.cpu_times()
                self._cpu[key] = times.user + times.system
                resident += process.memory_info().rss
        if not alive:
            return self._merged(self._last.memory_bytes, fresh=fresh)
        if not self._limits_memory:
            resident = self._held.bytes([process.pid for process in alive], resident)
        return self._merged(resident, fresh=fresh)

    def _merged(self, memory_bytes: int, *, fresh: bool) -> Usage:
        group = self._cgroup.usage() if self._cgroup else None
        read, written = self._io.bytes(fresh=fresh)
        peak, counted = (group.peak_bytes, group.memory_bytes) if group else (0, 0)
        self._last = Usage(
            memory_bytes=counted if self._limits_memory else max(memory_bytes, counted),
            cpu_s=max(group.cpu_s if group else 0.0, sum(self._cpu.values())),
            read_bytes=read,
            write_bytes=written,
            oom_kills=group.oom_kills if group else 0,
            # A peak while the archive was unpacked is not one of main.sh.
            peak_bytes=peak if peak > self._peak_before else 0,
            cache_bytes=group.cache_bytes if group else 0,
        )
        return self._last


def kill(pid: int) -> None:
    """End a process and all below it at once; nothing happens to those that have ended."""
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [*root.children(recursive=True), root]:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
