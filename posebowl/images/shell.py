"""Open a shell in an image, with a run's mounts."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import LIMITS, Limits, Variant
from posebowl.engines.oci import (
    Client,
    ContainerSpec,
    argv as oci_argv,
    client as oci_client,
    host_user,
    image as identity,
)
from posebowl.errors import UsageError
from posebowl.util import process
from posebowl.util.process_identity import owner

_ENTER: Final = r"""
if [ -e /code_execution/submission.zip ]; then
    python -I /opt/posebowl/unpack.py /code_execution/submission.zip /code_execution/workdir
fi
cd /code_execution/workdir
"""
_INTERACTIVE: Final = "command -v bash >/dev/null && exec bash; exec sh"


def shell(
    client: Client,
    variant: Variant,
    *,
    images: Path,
    submission_format: Path,
    archive: Path | None = None,
    command: str = "",
) -> int:
    """Open a shell where main.sh would run: same mounts, user, limits, and no network.

    Args:
        client: Of docker or podman.
        variant: Which image.
        images: Folder of photos, mounted read-only.
        submission_format: The table of ids, mounted read-only.
        archive: A submission to unpack first.
        command: What to run instead of an interactive shell.

    Returns:
        The exit code of the shell.

    Raises:
        EngineError: The image is missing or stale.
        UsageError: An interactive shell is asked for where there is no terminal.
    """
    if not command and not sys.stdin.isatty():
        raise UsageError(
            "A shell needs a terminal.",
            why="Stdin is not one.",
            fix="Use --command to run something else, such as --command 'python -V'.",
        )
    image = identity.current(client, variant)
    user = host_user.run_user(client)
    output = Path(tempfile.mkdtemp(prefix="posebowl-shell-"))
    try:
        with host_user.handed_over(output, user):
            mounts = oci_argv.run_mounts(
                archive=(archive or paths.LOCK).resolve(),
                images=images.resolve(),
                submission_format=submission_format.resolve(),
                output=output,
            )
            spec = look_spec(client, image.id, LIMITS[variant])
            spec = replace(
                spec,
                mounts=mounts if archive else tuple(m for m in mounts if m.target.suffix != ".zip"),
                user=user,
                tty=not command,
                gpu=variant is Variant.GPU and oci_client.host_has_gpu(),
                command=("-c", _ENTER + (command or _INTERACTIVE)),
            )
            argv = [*client.argv, *oci_argv.run(client.engine, spec)]
            keyboard = None if command else sys.stdin.buffer
            return process.run(argv, capture=False, check=False, stdin=keyboard).returncode
    finally:
        shutil.rmtree(output, ignore_errors=True)


def look_spec(client: Client, image: str, limits: Limits) -> ContainerSpec:
    """Describe a container that looks into an image, as the user of a run."""
    return ContainerSpec(
        name=f"posebowl-look-{secrets.token_hex(4)}",
        image=image,
        labels={oci_argv.RUN_LABEL: "look", oci_argv.OWNER_LABEL: owner()},
        limits=limits,
        cpus=min(limits.cpus, client.cpus),
        user=host_user.run_user(client),
        selinux=oci_client.selinux_enforces(),
        rlimits=host_user.rlimits(),
        entrypoint="sh",
    )
