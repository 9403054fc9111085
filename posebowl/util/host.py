"""What this machine is, for the record of a run."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

from posebowl import __version__


def describe() -> dict[str, str]:
    """Return what a result says of the machine and of this tool."""
    return {"cpu": cpu_model(), "system": platform.platform(), "posebowl": __version__}


def cpu_model() -> str:
    """Return the processor's name, or its architecture where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
