"""Linux namespaces by util-linux `unshare`: how to make them, and what forbids them here."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from posebowl.util import process

_NAMESPACES: Final = ("--mount", "--pid", "--fork", "--ipc", "--uts")


def unshare(*, network: bool = False) -> list[str]:
    """Return the command that makes the namespaces; root needs none for the user.

    Args:
        network: Keep the host's network, in place of one that has only itself.
    """
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, *_NAMESPACES, *([] if network else ["--net"])]


@functools.cache
def problem() -> str | None:
    """Return why namespaces cannot be used here and how to allow them, or None if they can."""
    if sys.platform != "linux":
        return "The embedded engine needs Linux; install Docker or Podman."
    if shutil.which("unshare") is None:
        return "util-linux's `unshare` is not installed: apt-get install util-linux"
    try:
        process.run([*unshare(), "--mount-proc", "true"], timeout_s=30)
    except process.ProcessError as error:
        last = error.why.strip().rpartition("\n")[2] or "no reason given"
        return f"Namespaces are forbidden here ({last}). {how_to_allow()}"
    return None


def how_to_allow(settings: Path = Path("/proc/sys")) -> str:
    """Return how to allow namespaces: the first kernel setting that forbids them to users."""
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
            if (settings / name).read_text().strip() == forbidden:
                return f"Type: {command}; or use Docker or Podman."
    return "In a container, start that with --privileged, or use the host; or use Docker or Podman."
