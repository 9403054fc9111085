"""Whether a filter is in force, by what the kernel says of a process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_FILTERING: Final = "2"
"""SECCOMP_MODE_FILTER of linux/seccomp.h."""


def missing(status: str, *, outside: str = "") -> str:
    """Return why no filter of the run's own is in force; empty if one is.

    Args:
        status: /proc/PID/status of a process of the run.
        outside: That of a process outside, whose filters the run has too; newer kernels count.
    """
    if _field(status, "Seccomp") != _FILTERING:
        return "the kernel filters no system calls of the run"
    counts = [_field(text, "Seccomp_filters") for text in (status, outside)]
    if all(counts) and int(counts[0]) <= int(counts[1]):
        return "the run has no more filters of system calls than what started it"
    return ""


def status(pid: int | str) -> str:
    """Return what the kernel says of a process; empty if there is none."""
    try:
        return Path("/proc", str(pid), "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(\d+)$", text, flags=re.MULTILINE)
    return found[1] if found else ""
