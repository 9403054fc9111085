"""What starts an engine's containers: the runtime that it has, or the one that a user asks for."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from posebowl.challenge import EngineName
from posebowl.errors import EngineError
from posebowl.util import process

if TYPE_CHECKING:
    from posebowl.engines.oci.client import Client

_PLACES: Final = "/usr/bin:/usr/sbin:/sbin:/usr/lib/podman"
"""Where podman finds its runtime, whatever the PATH says."""
_FLAGS: Final = {"runsc": ("--runtime-flag", "network=none")}
"""What podman must tell a runtime: gVisor would want a network to copy."""
_SHIM: Final = "io.containerd."
"""What the names of runtimes begin with that docker's daemon finds without knowing them."""


def of_podman(configured: str, cgroup_version: int) -> str:
    """Choose what starts podman's containers: crun fails on the hybrid tree of version 1.

    Raises:
        EngineError: None is installed.
    """
    wanted = ["runc", "crun"] if cgroup_version == 1 else [configured or "crun", "crun", "runc"]
    for name in wanted:
        if shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PLACES}"):
            return name
    raise EngineError(
        "Podman has no runtime to start containers with.",
        why="Neither runc nor crun is installed.",
        fix="Type: sudo apt-get install runc",
    )


def chosen(client: Client, name: str) -> Client:
    """Return a client that starts containers with the runtime that a user asks for.

    Args:
        client: Of docker or podman.
        name: The runtime's, as the engine knows it; empty leaves the choice as it is.

    Raises:
        EngineError: The engine does not know it.
    """
    if not name:
        return client
    if client.engine is EngineName.DOCKER:
        if name not in client.runtimes and not name.startswith(_SHIM):
            raise EngineError(
                f"Docker has no runtime {name}.",
                why=f"Its daemon knows: {', '.join(client.runtimes) or 'none'}.",
                fix="Add it to `runtimes` in /etc/docker/daemon.json and restart the daemon, "
                "or leave --runtime out.",
            )
        return dataclasses.replace(client, runtime=name)
    if "--runtime" not in client.argv:
        raise EngineError(
            f"This Podman cannot be asked for the runtime {name}.",
            why="It is the client of another machine, which chooses the runtime itself.",
            fix="Leave --runtime out, and set `runtime` in containers.conf on that machine.",
        )
    argv = (client.argv[0], "--runtime", name, *_FLAGS.get(PurePath(name).name, ()))
    done = process.run([*argv, "info"], check=False, timeout_s=60)
    if done.returncode != 0:
        raise EngineError(
            f"Podman has no runtime {name}.",
            why=done.stderr.strip().rpartition("\n")[2],
            fix=f"Install {name}, or leave --runtime out.",
        )
    return dataclasses.replace(client, runtime=name, argv=argv)
