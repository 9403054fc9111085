"""The number of processors that this process may use.

os.cpu_count() names those of the machine. A container may have fewer: by its affinity mask
(`docker run --cpuset-cpus`) or by the quota of its cgroup (`docker run --cpus`). More threads
or processes than that only wait for each other.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable(root: Path = Path("/")) -> int:
    """Return the usable processors: those of the affinity mask, or of the quota if fewer."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    limit = quota(root)
    return count if limit is None else max(1, min(count, math.ceil(limit)))


def quota(root: Path = Path("/")) -> float | None:
    """Read the tightest processor quota of this process's cgroup and those above it.

    Args:
        root: Where proc and sys are; another folder in tests.

    Returns:
        Processors, such as 2.5; None where there is no quota.
    """
    found = [limit for folder in _folders(root) if (limit := _limit(folder)) is not None]
    return min(found, default=None)


def _limit(folder: Path) -> float | None:
    """Read one cgroup's quota: cpu.max of version 2, or the two files of version 1."""
    if text := _read(folder / "cpu.max"):
        words = [*text.split(), "100000"]
        allowed, period = words[0], words[1]
    else:
        allowed = _read(folder / "cpu.cfs_quota_us")
        period = _read(folder / "cpu.cfs_period_us")
    try:
        limit = float(allowed) / float(period)
    except (ValueError, ZeroDivisionError):  # "max", or no such file
        return None
    return limit if 0 < limit < math.inf else None


def _folders(root: Path) -> Iterator[Path]:
    """List the folders of this process's cgroup and of all above it, in both versions.

    Inside a container /proc/self/cgroup may name a path of the host that is not mounted, or
    just "/"; the mount's own root then is the container's cgroup.
    """
    mounts = {"": "sys/fs/cgroup", "cpu": "sys/fs/cgroup/cpu"}
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        kind = "cpu" if "cpu" in controllers.split(",") else controllers
        if kind in mounts:
            mount = root / mounts[kind]
            inner = mount / path.lstrip("/")
            while inner != mount and mount in inner.parents:
                yield inner
                inner = inner.parent
    for folder in mounts.values():
        yield root / folder


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
