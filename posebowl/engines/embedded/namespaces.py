"""Linux namespaces by util-linux `unshare`: how they are made, and what forbids them here."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from posebowl.util import process

_NAMESPACES: Final = ("--mount", "--pid", "--fork", "--net", "--ipc", "--uts")


def unshare() -> list[str]:
    """Return the command that makes the namespaces; root needs none for the user."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, *_NAMESPACES]


@functools.cache
def problem() -> str | None:
    """Say why namespaces cannot be used here and what to switch on, or None if they can."""
    if sys.platform != "linux":
        return "The embedded engine needs Linux; install Docker or Podman."
    if shutil.which("unshare") is None:
        return "util-linux's `unshare` is not installed: apt-get install util-linux"
    try:
        process.run([*unshare(), "--mount-proc", "true"], timeout_s=30)
    except process.ProcessError as error:
        return f"Namespaces are forbidden here ({_last_line(error.why)}). {_how_to_allow()}"
    return None


def _how_to_allow() -> str:
    """Name the switch that forbids namespaces to ordinary users here."""
    switches = {
        "kernel/unprivileged_userns_clone": ("0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        "kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        "user/max_user_namespaces": ("0", "sudo sysctl user.max_user_namespaces=10000"),
    }
    for name, (forbidden, command) in switches.items():
        with contextlib.suppress(OSError):
            if Path("/proc/sys", name).read_text().strip() == forbidden:
                return f"Type: {command}; or use Docker or Podman."
    return "Inside a container, give it --privileged or use the host; or use Docker or Podman."


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
