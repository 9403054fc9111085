"""Archives as Info-ZIP sees them: what is accepted here is what the platform's unzip unpacks."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl.errors import BadArchiveError, Verdict
from posebowl.paths import RUNTIME
from posebowl.submission.archive import inspect
from tests.hostile import archives
from tests.hostile.archives import Case
from tests.hostile.fuzz import LARGEST, mutated

pytestmark = pytest.mark.skipif(
    not shutil.which("unzip") or not shutil.which("zip"), reason="needs Info-ZIP"
)
LISTED = (
    "control characters", "backslash", "drive letter", "version number",
    "twice", "both a file", "device", "a folder", "for some unpackers", "is too long",
    "leads", "lead to", "goes down", "two ends", "overlaps", "described twice", "when unpacked",
    "CRLF", "is empty", "UTF-16", "a program", "no main.sh", "not at the root", "method",
)  # fmt: skip
"""Why archives are refused that unzip unpacks; docs/platform.md has them in words."""


HARMLESS = [case for case in archives.CASES if "bomb" not in case.name]


def by_unzip(archive: Path, target: Path) -> dict[str, str] | None:
    """Unpack as the platform does; return what lies on disk, or None if it did not end with 0."""
    for argv in (["zip", "-sf", archive], ["unzip", archive, "-d", target]):
        try:
            # `zip -sf` of a damaged archive can list without end.
            done = subprocess.run(
                argv,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=20,
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0:
            return None
    return tree(target)


def by_us(archive: Path, target: Path) -> dict[str, str] | None:
    """Unpack as a run does."""
    argv = [sys.executable, "-I", RUNTIME / "unpack.py", archive, target]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60)
    return tree(target) if done.returncode == 0 else None


def tree(folder: Path) -> dict[str, str]:
    """Return what each path is: a folder, a link with its target, or a file with its digest."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            kind = f"link to {path.readlink()}"
        elif path.is_dir():
            kind = "folder"
        else:
            kind = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.relative_to(folder).as_posix()] = kind
    return found


def compare(archive: Path) -> str:
    """Return how an archive ended; what is accepted must lie on disk as unzip puts it there."""
    theirs = by_unzip(archive, archive.parent / "theirs")
    try:
        found = inspect(archive)
    except BadArchiveError as error:
        return f"refused: {error}" if theirs is not None else "refused by both"
    ours = by_us(archive, archive.parent / "ours")
    if ours is None:
        return "refused when unpacked" if theirs is not None else "refused by both"
    assert theirs is not None
    if any("outside ASCII" in warning for warning in found.warnings):
        # The warning says that the names may differ there.
        assert sorted(ours.values()) == sorted(theirs.values())
    else:
        assert ours == theirs
    return "accepted"


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_each_case_ends_as_with_unzip(case: Case, tmp_path: Path):
    ended = compare(case.write(tmp_path / "submission.zip"))
    if case.verdict is Verdict.OK:
        assert ended == "accepted"
    else:
        assert ended == "refused by both" or any(reason in ended for reason in LISTED)


def test_what_is_accepted_lies_on_disk_as_unzip_puts_it(tmp_path: Path):
    rng, accepted = random.Random(1), 0
    inputs = [data for case in archives.OK_CASES if len(data := case.build()) < LARGEST]
    for number in range(150):
        folder = tmp_path / str(number)
        folder.mkdir()
        archive = folder / "submission.zip"
        archive.write_bytes(mutated(rng, inputs))
        accepted += compare(archive) == "accepted"
        shutil.rmtree(folder)
    assert accepted
