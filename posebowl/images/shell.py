"""Open a shell in an image, with a run's mounts."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from posebowl import paths
from posebowl.challenge import LIMITS, Limits, Variant
from posebowl.engines import host_has_gpu
from posebowl.engines.oci import (
    Client,
    Mount,
    argv as oci_argv,
    attached,
    host_user,
    image as identity,
    look_spec,
)
from posebowl.util import process

ENTER: Final = r"""
if [ -e /code_execution/submission.zip ]; then
    python -I /opt/posebowl/unpack.py /code_execution/submission.zip /code_execution/workdir
fi
cd /code_execution/workdir
"""
INTERACTIVE: Final = "command -v bash >/dev/null && exec bash; exec sh"


def shell(
    client: Client,
    variant: Variant,
    *,
    images: Path,
    submission_format: Path,
    archive: Path | None = None,
    command: str = "",
    terminal: bool = False,
    limits: Limits | None = None,
    variables: Mapping[str, str] | None = None,
    tools: Mapping[str, Path] | None = None,
) -> int:
    """Open a shell where main.sh would run: same mounts, user, limits, and no network.

    Args:
        client: Of docker or podman.
        variant: Which image.
        images: Folder of photos, mounted read-only.
        submission_format: The table of ids, mounted read-only.
        archive: A submission to unpack first.
        command: Run this instead of an interactive shell.
        terminal: Give the command this terminal; a shell has it anyway.
        limits: What it may use; by default what the platform allows.
        variables: Of its environment, beside those of the image.
        tools: Path inside -> file of the host, mounted read-only.

    Returns:
        The exit code of the shell.

    Raises:
        EngineError: The image is missing or stale.
    """
    terminal = terminal or not command
    image = identity.current(client, variant)
    with tempfile.TemporaryDirectory(prefix="posebowl-shell-", ignore_cleanup_errors=True) as name:
        folder, output = Path(name), Path(name, "output")
        output.mkdir()
        mounts = oci_argv.run_mounts(
            archive=(archive or paths.LOCK).resolve(),
            images=images.resolve(),
            submission_format=submission_format.resolve(),
            output=output,
        )
        if archive is None:
            mounts = tuple(mount for mount in mounts if mount.target.suffix != ".zip")
        added = (
            Mount(source=source, target=PurePosixPath(inside))
            for inside, source in (tools or {}).items()
        )
        spec = replace(
            look_spec(client, image.id, limits or LIMITS[variant], folder),
            mounts=(*mounts, *added),
            tty=terminal,
            gpu=variant is Variant.GPU and host_has_gpu(),
            variables=variables or {},
            command=("-c", ENTER + (command or INTERACTIVE)),
        )
        keyboard = sys.stdin.buffer if terminal else None
        with host_user.handed_over(output, spec.user), attached(client, spec) as argv:
            return process.run(argv, capture=False, check=False, stdin=keyboard).returncode
