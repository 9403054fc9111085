"""The number of cores that this process may use.

os.cpu_count() returns those of the machine. A container may have fewer: by its affinity mask
(`docker run --cpuset-cpus`) or by the quota of its cgroup (`docker run --cpus`). More threads
or processes than that only wait for each other.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable(root: Path = Path("/")) -> int:
    """Return the usable cores: those of the affinity mask, or of the quota if fewer."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    limit = quota(root)
    return count if limit is None else max(1, min(count, math.ceil(limit)))


def quota(root: Path = Path("/")) -> float | None:
    """Read the lowest CPU quota of this process's cgroup and those above it.

    Args:
        root: The parent of proc and sys; another folder in tests.

    Returns:
        Cores, such as 2.5; None without a quota.
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
    """Yield the folders of this process's cgroup and of all above it, in both versions.

    Inside a container /proc/self/cgroup may name a path of the host that is not mounted, or
    just "/"; then the mount's own root is the container's cgroup.
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
