"""How much of this machine other programs took while main.sh ran: it shows in every time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.util.units import rate

_DISTURBING: Final = 0.25
"""Share of its cores from which on a run that lacks them is called disturbed."""


@dataclass(frozen=True, kw_only=True)
class CpuTimes:
    """Processor time at one moment, of the cores that this process may use."""

    at_s: float
    busy_s: float
    """All that they did not idle, what a hypervisor stole included."""
    own_s: float
    """Of this process."""
    cores: int


@dataclass(frozen=True, kw_only=True)
class Load:
    """What other programs took of this machine between two moments."""

    cores: float
    """That they used, on average."""
    of: int
    """Cores that there are."""

    def disturbance(self, limit: int) -> str:
        """Return a sentence where a run that may use `limit` cores lacked some, else nothing."""
        entitled = min(self.of, limit)
        if entitled - (self.of - self.cores) <= _DISTURBING * entitled:
            return ""
        return (
            f"This machine was busy: other programs took {self.cores:.1f} of its {self.of} cores "
            "while main.sh ran. Its time was disturbed; on a quiet machine it can be faster."
        )


def read(stat: Path = Path("/proc/stat")) -> CpuTimes | None:
    """Read how long the cores have been busy; None where the system does not tell."""
    try:
        usable = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        rows = [
            line.split()
            for line in stat.read_text(encoding="utf-8").splitlines()
            if line.startswith("cpu")
        ]
        # user nice system idle iowait irq softirq steal
        ticks = [[int(word) for word in row[1:9]] for row in rows if row[0] in usable]
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
    """Return what others took between two moments; None if unknown, or for too short a time.

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
