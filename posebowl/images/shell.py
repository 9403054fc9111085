"""Look into an image: a shell with a run's mounts, and the tests of its packages."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from posebowl import paths
from posebowl.challenge import CODE_EXECUTION, LIMITS, Limits, Variant
from posebowl.engines.oci import (
    Client,
    ContainerSpec,
    Mount,
    argv as oci_argv,
    client as oci_client,
    host_user,
    image as identity,
)
from posebowl.errors import EngineError, UsageError
from posebowl.util import process
from posebowl.util.process_identity import owner
from posebowl.util.text import show

TESTS: Final = PurePosixPath("/opt/posebowl-tests")
_TEST_MEMORY: Final = 8 << 30
_RESULT: Final = "packages.json"
_NO_TEST: Final = (4, 5)
"""Exit codes of pytest where it could not read what to run, or found nothing to run."""

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
            why="There is none behind stdin.",
            fix="Give it something to run: --command 'python -V'",
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
            spec = _spec(client, image.id, LIMITS[variant])
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


@dataclass(frozen=True, kw_only=True)
class Packages:
    """What is installed in an image, and whether it works there."""

    image: str
    """Its id."""
    exit_code: int
    """Of pytest: 0 where all tests passed or were skipped."""
    packages: dict[str, str]
    """The version of each that is installed."""
    tests: dict[str, str]
    """How each ended: passed, failed or skipped."""


def check_packages(
    client: Client, variant: Variant, *, select: str = "", to_stderr: bool = False
) -> Packages:
    """Run runtime/tests inside the image of a variant, without network, for all to see.

    Args:
        client: Of docker or podman.
        variant: Which image.
        select: Only tests with this in their names; empty: all.
        to_stderr: Stdout is for something else.

    Raises:
        EngineError: The image is missing or stale, or the tests could not be begun.
        UsageError: No test is selected.
    """
    image = identity.current(client, variant)
    user = host_user.run_user(client)
    with tempfile.TemporaryDirectory(prefix="posebowl-packages-") as name:
        output = Path(name)
        with host_user.handed_over(output, user):
            spec = _testing(client, image.id, variant, output, select)
            argv = [*client.argv, *oci_argv.run(client.engine, spec)]
            done = process.run(argv, capture=False, check=False, to_stderr=to_stderr)
        if select and done.returncode in _NO_TEST:
            raise UsageError(
                f"--select {show(select)} finds no test.",
                why="It is a part of a test's name, or several with `or` between them.",
                fix="Type: --select torch",
            )
        if not (output / _RESULT).is_file():
            raise EngineError(
                f"The tests of the packages ended at once, with exit code {done.returncode}.",
                why="What they said is above.",
                fix="Type: invoke doctor",
            )
        found = json.loads((output / _RESULT).read_text())
    return Packages(image=image.id, exit_code=done.returncode, **found)


def _testing(
    client: Client, image: str, variant: Variant, output: Path, select: str
) -> ContainerSpec:
    results = CODE_EXECUTION / "submission"
    return replace(
        _spec(client, image, replace(LIMITS[variant], memory_bytes=_TEST_MEMORY)),
        mounts=(
            Mount(source=paths.RUNTIME / "tests", target=TESTS),
            Mount(source=output, target=results, writable=True),
        ),
        gpu=variant is Variant.GPU and oci_client.host_has_gpu(),
        entrypoint="python",
        command=(
            *("-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(TESTS)),
            *(str(TESTS), "--variant", str(variant), "--result", str(results / _RESULT)),
            *(("-k", select) if select else ()),
        ),
    )


def _spec(client: Client, image: str, limits: Limits) -> ContainerSpec:
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
