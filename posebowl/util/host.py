"""What this machine is, and who runs on it."""

from __future__ import annotations

import functools
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from posebowl import __version__

_PROGRAM: Final = "def f(a, b):\n    return [c for c in a if c in b]\n" * 40
_USUAL_S: Final = 0.0015
"""What an old laptop takes to compile it, in processor seconds."""
_CPUINFO: Final = Path("/proc/cpuinfo")
_FAR: Final = 3.0
_SLOWEST: Final = 50.0


def describe() -> dict[str, str]:
    """Return what a result records of the machine and of this tool."""
    return {"cpu": cpu_model(), "system": platform.platform(), "posebowl": __version__}


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def restricted_cores() -> frozenset[int]:
    """Return the cores that this thread is held to; empty where it may use all of the machine."""
    if not hasattr(os, "sched_getaffinity"):
        return frozenset()
    mine = os.sched_getaffinity(0)
    return frozenset(mine) if len(mine) < (os.cpu_count() or 1) else frozenset()


@functools.cache
def slowness() -> float:
    """Return by what factor this machine is slower than an old laptop: 1 if not by far, at most 50.

    An emulated machine takes ten to fifty times as long, so what is usual elsewhere is no sign of
    a fault there. Processor time is measured: other programs' load does not count.
    """
    factor = min(_compile_s() for _ in range(3)) / _USUAL_S
    return min(factor, _SLOWEST) if factor > _FAR else 1.0


def _compile_s() -> float:
    before = time.process_time()
    compile(_PROGRAM, "measured", "exec")
    return time.process_time() - before


def is_root() -> bool:
    """Return whether this process runs as root; on Windows none does."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def cpu_model() -> str:
    """Return the processor's name, or its architecture where the system does not name it."""
    return _of_first_core("model name") or platform.processor() or platform.machine()


def lacks(instructions: str) -> bool:
    """Return whether the processor is known to lack an instruction set, such as avx2."""
    flags = _of_first_core("flags").split()
    return bool(flags) and instructions not in flags


def _of_first_core(name: str) -> str:
    """Return what the kernel says about the first core; empty where it does not."""
    with suppress(OSError), _CPUINFO.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return ""
