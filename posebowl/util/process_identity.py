"""The name of a process among all processes of all machines, and whether it is still alive."""

from __future__ import annotations

import os
import socket

import psutil


def owner() -> str:
    """Return the name of this process: machine, process id, and start time."""
    started = psutil.Process().create_time()
    return f"{socket.gethostname()}:{os.getpid()}:{started:.2f}"


def is_orphan(name: str) -> bool:
    """Return whether the named process ran on this machine and is no longer alive."""
    host, _, rest = name.rpartition(":")[0].rpartition(":")
    started = name.rpartition(":")[2]
    if host != socket.gethostname() or not rest.isdecimal():
        return False
    try:
        return f"{psutil.Process(int(rest)).create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True
