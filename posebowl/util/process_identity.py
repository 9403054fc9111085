"""The name of a process among all processes of all machines, and what a dead one left behind."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from posebowl.util.files import make_folder, remove_tree


def space() -> str:
    """Return the number of the namespace in which process ids mean what they mean here.

    Pods and containers have namespaces of their own, and may share a machine's name and folders.
    """
    try:
        return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return "0"


def owner() -> str:
    """Return the name of this process: machine and namespace, process id, and start time."""
    started = psutil.Process().create_time()
    return f"{_here()}:{os.getpid()}:{started:.2f}"


def is_orphan(name: str) -> bool:
    """Return whether the named process ran on this machine and is no longer alive."""
    host, _, rest = name.rpartition(":")[0].rpartition(":")
    started = name.rpartition(":")[2]
    if host != _here() or not rest.isdecimal():
        return False
    try:
        return f"{psutil.Process(int(rest)).create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def owned_folder(parent: Path) -> Iterator[Path]:
    """Make a folder that exists while the block runs; remove those of processes that were killed.

    Args:
        parent: Holds nothing but such folders; it is made.
    """
    for left in make_folder(parent).iterdir():
        if is_orphan(left.name.rpartition("+")[0].replace("+", ":")):
            remove_tree(left)
    # A colon cannot be in a path that is given to an engine.
    name = tempfile.mkdtemp(prefix=f"{owner()}:".replace(":", "+"), dir=parent)
    try:
        yield Path(name)
    finally:
        remove_tree(Path(name))


def _here() -> str:
    return f"{socket.gethostname()}.{space()}"
