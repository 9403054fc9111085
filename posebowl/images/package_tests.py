"""Test the packages of an image, inside it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from posebowl import paths
from posebowl.challenge import CODE_EXECUTION, LIMITS, Variant
from posebowl.engines import host_has_gpu
from posebowl.engines.oci import (
    Client,
    ContainerSpec,
    Mount,
    attached,
    host_user,
    image as identity,
    look_spec,
)
from posebowl.errors import EngineError, UsageError
from posebowl.images.context import copy_for_all
from posebowl.util import process
from posebowl.util.text import show

TESTS: Final = PurePosixPath("/opt/posebowl-tests")
_TEST_MEMORY: Final = 8 << 30
_OUTPUT: Final = CODE_EXECUTION / "submission"
_RESULT: Final = "packages.json"
_NO_TEST: Final = (4, 5)
"""Exit codes of pytest where it cannot read what to run, or finds nothing to run."""


@dataclass(frozen=True, kw_only=True)
class Packages:
    """What is installed in an image, and whether it works."""

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
    """Run runtime/tests inside the image of a variant, without network, on the terminal.

    Args:
        client: Of docker or podman.
        variant: Which image.
        select: Only tests with this in their names; empty: all.
        to_stderr: Print on stderr, since stdout is for something else.

    Raises:
        EngineError: The image is missing or stale, or the tests could not be started.
        UsageError: No test is selected.
    """
    image = identity.current(client, variant).id
    tests = ("-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(TESTS), str(TESTS))
    options = ("--variant", str(variant), "--result", str(_OUTPUT / _RESULT))
    command = (*tests, *options, *(("-k", select) if select else ()))
    with _container(client, variant, image, command) as (output, argv):
        done = process.run(argv, capture=False, check=False, to_stderr=to_stderr)
        found = _read(output / _RESULT, done.returncode, select)
    return Packages(image=image, exit_code=done.returncode, **found)


def survey(client: Client, variant: Variant, names: Iterable[str]) -> dict[str, Any]:
    """Read licence and size of each package inside the image of a variant.

    Args:
        client: Of docker or podman.
        variant: Which image.
        names: Normalized names of packages whose import is timed, too, where they are installed.

    Returns:
        What runtime/tests/survey.py writes, by the package's normalized name.

    Raises:
        EngineError: The image is missing or stale, or the script fails.
    """
    image = identity.current(client, variant).id
    command = (str(TESTS / "survey.py"), str(_OUTPUT / _RESULT), *sorted(names))
    with _container(client, variant, image, command) as (output, argv):
        try:
            process.run(argv)
        except process.ProcessError as error:
            raise EngineError(error.what, why=error.why, fix="Type: invoke doctor") from error
        found: dict[str, Any] = json.loads((output / _RESULT).read_text(encoding="utf-8"))
    return found


@contextmanager
def _container(
    client: Client, variant: Variant, image: str, command: tuple[str, ...]
) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folder that a container can write to, and the arguments that start it."""
    with tempfile.TemporaryDirectory(prefix="posebowl-packages-") as name:
        folder, output = Path(name), Path(name, "output")
        output.mkdir()
        for file in (paths.RUNTIME / "tests").glob("*.py"):
            # The user of a run may be unable to read the checkout's own files.
            copy_for_all(file, folder / "tests" / file.name)
        with host_user.handed_over(output, host_user.run_user(client)):
            spec = _spec(client, image, variant, folder, command)
            with attached(client, spec) as argv:
                yield output, argv


def _read(result: Path, exit_code: int, select: str) -> dict[str, dict[str, str]]:
    """Read what the tests report.

    Raises:
        EngineError: They did not start.
        UsageError: No test is selected.
    """
    if select and exit_code in _NO_TEST:
        raise UsageError(
            f"--select {show(select)} matches no test.",
            why="It takes a part of a test's name, or several with `or` between them.",
            fix="Type: --select torch",
        )
    if not result.is_file():
        raise EngineError(
            f"The tests of the packages did not start: exit code {exit_code}.",
            why="The container's output is above.",
            fix="Type: invoke doctor",
        )
    found: dict[str, dict[str, str]] = json.loads(result.read_text(encoding="utf-8"))
    return found


def _spec(
    client: Client, image: str, variant: Variant, folder: Path, command: tuple[str, ...]
) -> ContainerSpec:
    return replace(
        look_spec(client, image, replace(LIMITS[variant], memory_bytes=_TEST_MEMORY), folder),
        mounts=(
            Mount(source=folder / "tests", target=TESTS),
            Mount(source=folder / "output", target=_OUTPUT, writable=True),
        ),
        gpu=variant is Variant.GPU and host_has_gpu(),
        entrypoint="python",
        command=command,
    )
