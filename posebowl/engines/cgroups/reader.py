"""Control groups of a container, read from the host: what it uses, and what holds it back.

The files are those of Linux, Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst. A machine
may have version 1, version 2, or version 1 with an empty tree of version 2 beside it (hybrid).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from posebowl.challenge import Limit, Limits
from posebowl.engines.base import Usage

MOUNT: Final = Path("/sys/fs/cgroup")
PROC: Final = Path("/proc")
MEMINFO: Final = PROC / "meminfo"

UNCOUNTED_SWAP: Final = "this kernel does not count swap"
SWAPOFF: Final = "sudo swapoff -a"

Files = Mapping[str, str]
"""Contents of a group's files by name, as far as they are there."""

V1_FILES: Final = {
    "memory": (
        "memory.stat",
        "memory.oom_control",
        "memory.limit_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.memsw.limit_in_bytes",
    ),
    "cpu": ("cpu.cfs_quota_us", "cpu.cfs_period_us"),
    "cpuacct": ("cpuacct.usage",),
    "pids": ("pids.max",),
    "blkio": ("blkio.throttle.io_service_bytes",),
}
V2_FILES: Final = (
    "memory.stat",
    "memory.events",
    "memory.max",
    "memory.peak",
    "memory.swap.max",
    "cpu.stat",
    "cpu.max",
    "pids.max",
    "io.stat",
)
_PAGE: Final = 64 << 10
"""The largest page of any supported machine: limits are rounded to whole pages."""
_UNLIMITED: Final = 1 << 60
"""Version 1 writes "no limit" as a number near 2**63, rounded down to a page."""


@dataclass(frozen=True, kw_only=True)
class Enforced:
    """The limits that the kernel enforces on a group; None where there is none."""

    memory_bytes: int | None
    memory_and_swap_bytes: int | None
    """Of memory and swap together; also None where swap is not accounted for."""
    cpus: float | None
    processes: int | None


@dataclass(frozen=True, kw_only=True)
class Cgroup:
    """The groups of one container: where its files are, and of which version."""

    version: Literal[1, 2]
    folders: Mapping[str, Path]
    """By controller in version 1; the single key "" in version 2."""

    @property
    def place(self) -> Path:
        """Where memory is counted."""
        return self.folders["memory" if self.version == 1 else ""]

    def read(self) -> dict[str, str]:
        """Return all files that are there now; empty when the container has ended."""
        wanted = V1_FILES if self.version == 1 else {"": V2_FILES}
        files: dict[str, str] = {}
        for controller, folder in self.folders.items():
            for name in wanted.get(controller, ()):
                try:
                    files[name] = (folder / name).read_text()
                except OSError:
                    continue
        return files


def of_process(pid: int, *, mount: Path = MOUNT, proc: Path = PROC) -> Cgroup | None:
    """Find the groups of a process, or None where they cannot be seen from here."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    first: dict[str, Path] = {}
    second: Path | None = None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            place = mount / "unified" if (mount / "unified").is_dir() else mount
            second = place / path.lstrip("/")
        for controller in V1_FILES.keys() & set(controllers.split(",")):
            joint = mount / controllers
            place = joint if joint.is_dir() else mount / controller
            first[controller] = place / path.lstrip("/")
    if "memory" in first:
        return Cgroup(version=1, folders=first) if first["memory"].is_dir() else None
    if second is not None and (second / "cgroup.procs").exists():
        return Cgroup(version=2, folders={"": second})
    return None


def usage(files: Files) -> Usage:
    """Return what a group uses: memory in bytes without the page cache, processor seconds."""
    stat = table(files.get("memory.stat", ""))
    if not _is_v1(files):
        events = table(files.get("memory.events", ""))
        read, written = _io_v2(files.get("io.stat", ""))
        return Usage(
            memory_bytes=stat.get("anon", 0) + stat.get("shmem", 0) + stat.get("kernel", 0),
            cpu_s=table(files.get("cpu.stat", "")).get("usage_usec", 0) / 1e6,
            read_bytes=read,
            write_bytes=written,
            oom_kills=events.get("oom_kill", 0),
            peak_bytes=number(files.get("memory.peak", "")) or 0,
            cache_bytes=stat.get("file", 0) - stat.get("shmem", 0),
        )
    read, written = _io_v1(files.get("blkio.throttle.io_service_bytes", ""))
    return Usage(
        memory_bytes=stat.get("total_rss", 0) + stat.get("total_shmem", 0),
        cpu_s=(number(files.get("cpuacct.usage", "")) or 0) / 1e9,
        read_bytes=read,
        write_bytes=written,
        oom_kills=table(files.get("memory.oom_control", "")).get("oom_kill", 0),
        peak_bytes=number(files.get("memory.max_usage_in_bytes", "")) or 0,
        cache_bytes=stat.get("total_cache", 0) - stat.get("total_shmem", 0),
    )


def enforced(files: Files) -> Enforced:
    """Return the limits that the kernel enforces on a group."""
    if not _is_v1(files):
        memory = number(files.get("memory.max", ""))
        swap = number(files.get("memory.swap.max", ""))
        quota, _, period = files.get("cpu.max", "max 100000").partition(" ")
        both = None if memory is None or swap is None else memory + swap
    else:
        memory = number(files.get("memory.limit_in_bytes", ""))
        both = number(files.get("memory.memsw.limit_in_bytes", ""))
        quota = files.get("cpu.cfs_quota_us", "-1")
        period = files.get("cpu.cfs_period_us", "100000")
    limit = number(quota)
    return Enforced(
        memory_bytes=memory,
        memory_and_swap_bytes=both,
        cpus=None if limit is None or limit < 0 else limit / int(period),
        processes=number(files.get("pids.max", "")),
    )


def exceeded(files: Files, limits: Limits, *, cpus: int) -> dict[Limit, str]:
    """Return the limits that a group may exceed, each with the reason in one sentence.

    Args:
        files: Of the group.
        limits: What it must be held to.
        cpus: The cores that it was to get; a machine may have fewer than the limit.
    """
    have = enforced(files)
    found: dict[Limit, str] = {}
    if have.memory_bytes is None or have.memory_bytes > limits.memory_bytes + _PAGE:
        found[Limit.MEMORY] = _differs("memory", have.memory_bytes, limits.memory_bytes)
    elif why := _swaps(files, have, limits):
        found[Limit.MEMORY] = f"{why}, so the run can use more than its memory"
    if have.cpus is None or have.cpus > cpus + 0.01:
        found[Limit.CPUS] = _differs("cores", have.cpus, cpus)
    if have.processes is None or have.processes > limits.processes:
        found[Limit.PROCESSES] = _differs("processes", have.processes, limits.processes)
    return found


def _swaps(files: Files, have: Enforced, limits: Limits) -> str:
    """Return why a group may swap, in a clause; empty if it may not."""
    if have.memory_and_swap_bytes is not None:
        more = have.memory_and_swap_bytes > limits.memory_bytes + _PAGE
        return "some swap is allowed" if more else ""
    if "memory.swap.max" not in files and not _machine_has_swap():
        return ""
    if files.keys() & {"memory.swap.max", "memory.memsw.limit_in_bytes"}:
        return "swap is not limited"
    return f"{UNCOUNTED_SWAP} (`{SWAPOFF}` switches it off)"


def has_uncounted_swap(*, mount: Path = MOUNT) -> bool:
    """Return whether this machine has swap that its kernel does not count."""

    def some(*names: str) -> bool:
        return any(next(mount.glob(f"*/{name}"), None) for name in names)

    limits = some("memory.limit_in_bytes", "memory.max")
    counts = some("memory.memsw.limit_in_bytes", "memory.swap.max")
    return limits and not counts and _machine_has_swap()


def _machine_has_swap() -> bool:
    """Return whether this machine has swap; also where that cannot be seen."""
    said = MEMINFO.read_text(encoding="utf-8") if MEMINFO.exists() else ""
    total = re.search(r"^SwapTotal:\s+(\d+)", said, flags=re.MULTILINE)
    return total is None or int(total[1]) > 0


def _differs(what: str, have: float | None, wanted: float) -> str:
    if have is None:
        return f"the kernel sets the run no limit on {what}"
    return f"the kernel's limit on {what} is {have:.15g} instead of {wanted:.15g}"


def table(text: str) -> dict[str, int]:
    """Read lines of a name and a number."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def number(text: str) -> int | None:
    """Read a number; None for "max", for what stands for it, and for nothing at all."""
    try:
        value = int(text)
    except ValueError:
        return None
    return None if value >= _UNLIMITED else value


def _is_v1(files: Files) -> bool:
    return "memory.limit_in_bytes" in files or "memory.oom_control" in files


def _io_v1(text: str) -> tuple[int, int]:
    """Sum lines such as "8:0 Read 4096" over all devices."""
    sums = {"Read": 0, "Write": 0}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in sums:
            sums[words[1]] += int(words[2])
    return sums["Read"], sums["Write"]


def _io_v2(text: str) -> tuple[int, int]:
    """Sum lines such as "8:0 rbytes=4096 wbytes=0 ..." over all devices."""
    sums = {"rbytes": 0, "wbytes": 0}
    for line in text.splitlines():
        for word in line.split()[1:]:
            name, _, value = word.partition("=")
            if name in sums and value.isdecimal():
                sums[name] += int(value)
    return sums["rbytes"], sums["wbytes"]
