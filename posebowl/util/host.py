"""What this machine is, and who runs on it."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

from posebowl import __version__


def describe() -> dict[str, str]:
    """Return what a result records of the machine and of this tool."""
    return {"cpu": cpu_model(), "system": platform.platform(), "posebowl": __version__}


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_root() -> bool:
    """Return whether this process runs as root; on Windows none does."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def cpu_model() -> str:
    """Return the processor's name, or its architecture where the system does not name it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
