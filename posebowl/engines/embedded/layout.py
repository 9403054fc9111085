"""The folders of an embedded run: what it sees of the host, where it writes, and its own root."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from posebowl import paths
from posebowl.challenge import CODE_EXECUTION
from posebowl.engines.base import RunSpec
from posebowl.engines.gpu import Driver
from posebowl.errors import EngineError
from posebowl.util import process

TOOLS: Final = "/opt/posebowl"
ENTRYPOINT: Final = f"{TOOLS}/entrypoint.sh"
TOOL_FILES: Final = ("entrypoint.sh", "unpack.py")

SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
"""Folders of the host that each run sees, with all that is not hidden in them."""

_DRIVER: Final = "/opt/nvidia"
_ENVIRONMENT: Final = "/opt/env"
_INSIDE: Final = str(CODE_EXECUTION)

Bind = tuple[str, str, bool]
"""A file or folder of the host, its path inside, and whether it is writable there."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The folders of one run, all of them below the spec's scratch and output folders."""

    spec: RunSpec
    environment: Path
    copies: bool = False
    """Copy the environment rather than put a layer over it."""
    driver: Driver | None = None
    """Of the GPU; None if the run gets none."""

    @property
    def writable(self) -> tuple[Path, ...]:
        """The folders that the run may write to."""
        layer = "layer/copy" if self.copies else "layer/upper"
        inner = (self.spec.scratch / name for name in ("code_execution", "tmp", "home", layer))
        return (*inner, self.spec.output)

    @property
    def workdir(self) -> Path:
        """The working directory of main.sh."""
        return self.spec.scratch / "code_execution" / "workdir"

    def make(self, uid: int | None) -> dict[str, Any]:
        """Make the folders, and return the part of sandbox.py's description that names them.

        Args:
            uid: Who is to own what the run may write to; None: whoever runs this.
        """
        scratch = self.spec.scratch
        upper, work, copy = (scratch / "layer" / name for name in ("upper", "work", "copy"))
        data = scratch / "data"
        mine = [scratch / "layer", *self.writable, self.workdir, upper, work]
        made = [folder for folder in mine if folder != copy]  # which `cp` makes
        for folder in (scratch / "root", data, data / "images", *made):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)  # whatever the umask
        (data / "submission_format.csv").touch()
        overlay = None
        if self.copies:
            process.run(["cp", "-a", "--reflink=auto", f"{self.environment}/.", copy])
        else:
            overlay = {"target": _ENVIRONMENT, "lower": str(self.environment)}
            overlay |= {"upper": str(upper), "work": str(work)}
        if uid is not None:
            for folder in made:
                os.chown(folder, uid, uid)
        return {
            "root": str(scratch / "root"),
            "binds": self.binds(),
            "tools": [(str(paths.RUNTIME / name), f"{TOOLS}/{name}") for name in TOOL_FILES],
            "devices": [str(path) for path in self.driver.devices] if self.driver else [],
            "system": SYSTEM,
            "hidden": to_cover(self._hidden()),
            "overlay": overlay,
            "uid": uid,
        }

    def binds(self) -> list[Bind]:
        """List all that the run sees beside system folders, outer folders before inner ones."""
        spec, scratch = self.spec, self.spec.scratch
        copy = [(str(scratch / "layer" / "copy"), _ENVIRONMENT, True)] if self.copies else []
        prefixes = interpreter(self.environment, [Path.home(), *self._hidden()])
        return [
            (str(scratch / "code_execution"), _INSIDE, True),
            (str(scratch / "data"), f"{_INSIDE}/data", False),
            (str(spec.images.resolve()), f"{_INSIDE}/data/images", False),
            (str(spec.submission_format.resolve()), f"{_INSIDE}/data/submission_format.csv", False),
            (str(spec.archive.resolve()), f"{_INSIDE}/submission.zip", False),
            (str(spec.output), f"{_INSIDE}/submission", True),
            (str(scratch / "tmp"), "/tmp", True),  # noqa: S108
            (str(scratch / "home"), "/home/runner", True),
            *copy,
            *((str(path), f"{_DRIVER}/{name}", False) for name, path in self._libraries.items()),
            *((prefix, prefix, False) for prefix in prefixes),
        ]

    @property
    def _libraries(self) -> dict[str, Path]:
        """The driver's libraries that the run does not see anyway, in /usr or /lib."""
        found = self.driver.libraries if self.driver else {}
        return {name: path for name, path in found.items() if path.parts[1] not in {"usr", "lib"}}

    @property
    def variables(self) -> dict[str, str]:
        """The variables that the run needs to find its libraries."""
        return {"LD_LIBRARY_PATH": _DRIVER} if self._libraries else {}

    def _hidden(self) -> list[Path]:
        """List the folders that no run may see, wherever they lie.

        These are the checkout, those of the labels and of other submissions, the results with
        their history, and the cache.
        """
        spec = self.spec
        files = (spec.images, spec.submission_format, spec.archive, spec.log)
        parents = (path.resolve().parent for path in files)
        return [paths.ROOT, *parents, *(path.resolve() for path in (*spec.hidden, spec.cache))]


def to_cover(hidden: Iterable[Path]) -> list[str]:
    """Return those of the hidden folders that a run would see, without those inside of others.

    Raises:
        EngineError: One of them is a system folder.
    """
    covered: list[Path] = []
    for folder in sorted(set(hidden)):
        if str(folder) in SYSTEM:
            raise EngineError(
                f"{folder} holds what no submission may see: data, results, zips or the cache.",
                why=f"Every program needs {folder}, and a submission that sees it sees all of it.",
                fix="Move them to a folder of their own.",
            )
        seen = any(folder.is_relative_to(place) for place in SYSTEM)
        if seen and not any(folder.is_relative_to(above) for above in covered):
            covered.append(folder)
    return list(map(str, covered))


def interpreter(environment: Path, hidden: Iterable[Path]) -> list[str]:
    """Return the folders of the Python that an environment is based on, unless all runs see them.

    Raises:
        EngineError: One of `hidden` lies in them.
    """
    settings = (environment / "pyvenv.cfg").read_text()
    home = next(
        line.partition("=")[2].strip() for line in settings.splitlines() if line.startswith("home")
    )
    places = {Path(home), Path(home).resolve()}
    places = {place for place in places if not any(map(place.is_relative_to, SYSTEM))}
    shown = sorted(str(place.parent) for place in places)
    for prefix, folder in itertools.product(shown, hidden):
        if folder.is_relative_to(prefix):
            raise EngineError(
                f"The Python of the embedded engine lies in {prefix}, which also holds {folder}.",
                why="A submission that can see one could read the other.",
                fix=f"Type `uv python install 3.11`, remove {environment}, and run it again.",
            )
    return shown
