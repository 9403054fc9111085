"""What kept a run from its cores: other programs, other machines, quotas, heat, lack of memory."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from posebowl.util.units import rate

_DISTURBING: Final = 0.25
"""A run that lacks more than this share of its cores is called disturbed."""
_HELD_BACK: Final = 0.05
"""So is one that was held back for more than this share of its time."""

BUSY: Final = "This machine was busy"
"""How the warning of a run begins whose time was disturbed."""


@dataclass(frozen=True, kw_only=True)
class CpuTimes:
    """Processor time at one moment, of the cores that this process may use."""

    at_s: float
    busy_s: float
    """All time that was not idle, including what a hypervisor stole."""
    own_s: float
    """Of this process."""
    cores: int
    stolen_s: float = 0.0
    """That a hypervisor gave to other machines."""
    stalls: Mapping[str, float] = field(default_factory=dict)
    """See `_stalls`."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What kept a run from its cores between two moments."""

    cores: float
    """That other programs used, on average."""
    of: int
    """Cores of the machine."""
    stolen: float = 0.0
    """Cores that a hypervisor gave to other machines, on average."""
    stalls: Mapping[str, float] = field(default_factory=dict)
    """Shares of the time, and a count of `thermal` events; those that the system reports."""

    def disturbance(self, limit: int) -> str:
        """Return a sentence if a run that may use `limit` cores was held back; empty otherwise."""
        entitled = min(self.of, limit)
        causes = []
        if entitled - (self.of - self.cores) > _DISTURBING * entitled:
            causes.append(f"other programs took {self.cores:.1f} of its {self.of} cores")
        if self.stolen > _HELD_BACK * entitled:
            causes.append(f"its hypervisor gave {self.stolen:.1f} cores to other machines")
        if (share := self.stalls.get("throttled", 0.0)) > _HELD_BACK:
            causes.append(f"a limit on this tool's own cores held it back {share:.0%} of the time")
        if count := self.stalls.get("thermal", 0.0):
            causes.append(f"its processor was slowed {count:.0f} times for its heat")
        if (share := self.stalls.get("memory", 0.0)) > _HELD_BACK:
            causes.append(f"all programs waited for memory {share:.0%} of the time")
        if not causes:
            return ""
        return (
            f"{BUSY}: {', '.join(causes)} while main.sh ran. Its time was "
            "disturbed; on a quiet machine it can be faster. Repeat it: invoke run --repeat 3"
        )

    def figures(self) -> dict[str, float]:
        """Return all that is known besides the cores of other programs."""
        return {"stolen_cores": self.stolen, **self.stalls}


def read(stat: Path = Path("/proc/stat"), *, root: Path = Path("/")) -> CpuTimes | None:
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
        stolen_s=sum(sum(row[7:8]) for row in ticks) / second,
        stalls=_stalls(root),
    )


def _stalls(root: Path) -> dict[str, float]:
    """Read what else holds programs back, as far as the system reports it.

    `cpu`: seconds in which some program waited for a core; `io` and `memory`: in which all of them
    did for these (Linux, Documentation/accounting/psi.rst); `throttled`: in which a quota held
    back this tool's own control groups (cpu.stat); `thermal`: how often heat slowed a core.
    """
    found: dict[str, float] = {}
    for name, row in (("cpu", 0), ("memory", 1), ("io", 1)):
        with contextlib.suppress(OSError, ValueError, IndexError):
            line = (root / "proc/pressure" / name).read_text().splitlines()[row]
            found[name] = int(line.rpartition("total=")[2]) / 1e6
    with contextlib.suppress(OSError, ValueError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        found["throttled"] = sum(_throttled(root / "sys/fs/cgroup", line) for line in lines)
    counters = (root / "sys/devices/system/cpu").glob("cpu*/thermal_throttle/*_throttle_count")
    with contextlib.suppress(OSError, ValueError):
        found["thermal"] = float(sum(int(file.read_text()) for file in counters))
    return found


def _throttled(mount: Path, line: str) -> float:
    """Return for how many seconds a group of /proc/self/cgroup, and those above it, were held."""
    _, controllers, path = line.split(":", 2)
    if controllers and "cpu" not in controllers.split(","):
        return 0.0
    top = mount / controllers
    group = top / path.lstrip("/")
    nanoseconds = 0
    for folder in (group, *group.parents):
        if not folder.is_relative_to(top):
            break
        with contextlib.suppress(OSError):
            for name, _, value in (row.partition(" ") for row in _rows(folder / "cpu.stat")):
                scale = {"throttled_usec": 1000, "throttled_time": 1}.get(name, 0)
                nanoseconds += scale * int(value)
    return nanoseconds / 1e9


def _rows(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def between(before: CpuTimes | None, after: CpuTimes | None, run_s: float) -> Load | None:
    """Return what others used between two moments; None if unknown, or if the time is too short.

    Args:
        before: When main.sh started.
        after: When it had ended.
        run_s: Processor time that the run used.
    """
    if before is None or after is None:
        return None
    stolen_s = max(0.0, after.stolen_s - before.stolen_s)
    others = after.busy_s - before.busy_s - (after.own_s - before.own_s) - run_s - stolen_s
    took = after.at_s - before.at_s
    cores, stolen = rate(max(0.0, others), took), rate(stolen_s, took)
    if cores is None or stolen is None:
        return None
    grown = {
        name: max(0.0, value - before.stalls.get(name, value))
        for name, value in after.stalls.items()
    }
    stalls = {name: value if name == "thermal" else value / took for name, value in grown.items()}
    return Load(cores=cores, of=after.cores, stolen=stolen, stalls=stalls)
