"""Who a container runs as, so that its results belong to the host's user, and what it may use."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from posebowl.challenge import EngineName
from posebowl.engines.oci.argv import User
from posebowl.engines.oci.client import Client
from posebowl.util import process
from posebowl.util.interrupts import undisturbed


def run_user(client: Client) -> User:
    """Choose who a container runs as.

    Root's runs are the image's own user, never root: their results change hands afterwards.
    """
    if sys.platform != "linux":
        return User()
    if client.engine == EngineName.PODMAN and client.rootless:
        return User(keep_id=True)
    if client.mapped_to_me:
        return User(uid=0, gid=0)
    if os.geteuid() == 0:
        return User(host_ids=client.remapped)
    return User(uid=os.geteuid(), gid=os.getegid(), host_ids=client.remapped)


@contextlib.contextmanager
def handed_over(folder: Path, user: User) -> Iterator[None]:
    """Let a run write to a folder, and give all that it made there to the host's user."""
    if sys.platform != "linux" or os.geteuid() != 0 or user.uid == 0 or user.keep_id:
        yield
        return
    os.chown(folder, user.uid, user.gid)
    try:
        yield
    finally:
        # Links are changed themselves, never followed.
        mine = f"{os.geteuid()}:{os.getegid()}"
        with undisturbed():
            process.run(["chown", "-R", "-h", "-P", mine, folder], check=False)


def rlimits() -> dict[str, int]:
    """Return how many files and processes this process may grant, where that is finite."""
    if sys.platform == "win32":
        return {}
    import resource  # noqa: PLC0415  # not there on Windows

    known = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    hard = {name: resource.getrlimit(which)[1] for name, which in known.items()}
    with contextlib.suppress(OSError, ValueError):
        # Podman lowers its own limit on processes to this number before it starts anything.
        most = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="utf-8"))
        hard["nproc"] = most if hard["nproc"] < 0 else min(most, hard["nproc"])
    return {
        name: min(value, 1 << 20) for name, value in hard.items() if value != resource.RLIM_INFINITY
    }
