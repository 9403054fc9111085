"""How much of this machine other programs used while main.sh ran, which distorts its times."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.util.units import rate

_DISTURBING: Final = 0.25
"""A run that lacks more than this share of its cores is called disturbed."""


@dataclass(frozen=True, kw_only=True)
class CpuTimes:
    """Processor time at one moment, of the cores that this process may use."""

    at_s: float
    busy_s: float
    """All time that was not idle, including what a hypervisor stole."""
    own_s: float
    """Of this process."""
    cores: int


@dataclass(frozen=True, kw_only=True)
class Load:
    """What other programs used of this machine between two moments."""

    cores: float
    """That they used, on average."""
    of: int
    """Cores of the machine."""

    def disturbance(self, limit: int) -> str:
        """Return a sentence if a run that may use `limit` cores lacked some; empty otherwise."""
        entitled = min(self.of, limit)
        if entitled - (self.of - self.cores) <= _DISTURBING * entitled:
            return ""
        return (
            f"This machine was busy: other programs took {self.cores:.1f} of its {self.of} cores "
            "while main.sh ran. Its time was disturbed; on a quiet machine it can be faster."
        )


def read(stat: Path = Path("/proc/stat")) -> CpuTimes | None:
    """Read how long the cores have been busy; None if the system does not report it."""
    try:
        usable = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        rows = [line.split() for line in stat.read_text(encoding="utf-8").splitlines()]
        # user nice system idle iowait irq softirq steal
        ticks = [[int(word) for word in row[1:9]] for row in rows if row and row[0] in usable]
        second = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    return CpuTimes(
        at_s=time.monotonic(),
        busy_s=sum(sum(row) - sum(row[3:5]) for row in ticks) / second,
        own_s=time.process_time(),
        cores=len(ticks),
    )


def between(before: CpuTimes | None, after: CpuTimes | None, run_s: float) -> Load | None:
    """Return what others used between two moments; None if unknown, or if the time is too short.

    Args:
        before: When main.sh started.
        after: When it had ended.
        run_s: Processor time that the run used.
    """
    if before is None or after is None:
        return None
    others = after.busy_s - before.busy_s - (after.own_s - before.own_s) - run_s
    cores = rate(max(0.0, others), after.at_s - before.at_s)
    return None if cores is None else Load(cores=cores, of=after.cores)
