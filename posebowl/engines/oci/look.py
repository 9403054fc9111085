"""A container that looks into an image, outside of any run."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from posebowl.challenge import Limit, Limits
from posebowl.engines.oci import argv, client as oci_client, host_user
from posebowl.engines.oci.argv import ContainerSpec
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.container import Container
from posebowl.engines.seccomp import profile
from posebowl.util.process_identity import owner


def look_spec(client: Client, image: str, limits: Limits, folder: Path) -> ContainerSpec:
    """Return a container that looks into an image, as the user of a run and under its filter.

    Args:
        client: Of docker or podman.
        image: Its id.
        limits: Of the container.
        folder: Holds the file of the filter while the container runs.
    """
    seccomp = folder / profile.FILE
    seccomp.write_text(profile.profile(), encoding="utf-8")
    return ContainerSpec(
        name=f"posebowl-look-{secrets.token_hex(4)}",
        image=image,
        labels={argv.RUN_LABEL: "look", argv.OWNER_LABEL: owner()},
        limits=limits,
        cpus=min(limits.cpus, client.cpus),
        user=host_user.run_user(client),
        selinux=oci_client.selinux_enforces(),
        rlimits=host_user.rlimits(),
        seccomp=None if Limit.SYSTEM_CALLS in client.cannot_limit else seccomp,
        entrypoint="sh",
    )


@contextlib.contextmanager
def attached(client: Client, spec: ContainerSpec) -> Iterator[list[str]]:
    """Return the arguments that start a container and stay with it; Ctrl-C and TERM remove it.

    Ending the client, as they do, would leave the container alive.
    """
    try:
        yield [*client.argv, *argv.run(client.engine, spec)]
    except BaseException:
        Container(client=client, name=spec.name).remove()
        raise
