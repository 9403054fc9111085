"""The zips of the runs in a history: each is stored once, and together they have a limit.

A run's folder holds its zip under the name of its hash. Runs of the same zip share one file by
hard links, where the file system has them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

from posebowl.errors import PoseBowlError, UsageError
from posebowl.results.folder import HISTORY_DIR
from posebowl.results.history import Run, kept
from posebowl.submission import ZipRecord, is_as_packed, write_record
from posebowl.util.files import atomic_write, open_regular, refuse_existing
from posebowl.util.text import show

_BLOCK: Final = 1 << 20


def keep(out: Path, run_id: str, zipped: Path, sha256: str, *, most_bytes: int) -> None:
    """Keep the zip of a run that is in the history, and drop those of older runs.

    Args:
        out: The results folder.
        run_id: Of the run; nothing is done if it is not kept.
        zipped: What was run.
        sha256: Its hash; a file that has been changed since is not kept.
        most_bytes: How many bytes all zips may take together; 0 keeps none.

    Raises:
        OSError: It cannot be written.
    """
    place = out / HISTORY_DIR
    folder = place / run_id
    if folder.is_dir() and zipped.stat().st_size <= most_bytes:
        target = folder / f"{sha256}.zip"
        earlier = next(place.glob(f"*/{sha256}.zip"), None)
        # What `pack` makes is never changed in place, so that a link to it stays as it is.
        linked = earlier or (zipped if is_as_packed(zipped) else None)
        if linked is None or not _link(linked, target):
            _copy(zipped, target, sha256)
    _drop(kept(place), most_bytes)


def _link(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:
        return False
    return True


def _copy(source: Path, target: Path, sha256: str) -> bool:
    """Copy a file if it has a hash; return whether it has."""
    with contextlib.suppress(_ChangedError):
        with atomic_write(target) as file, open_regular(source.resolve()) as original:
            _copy_checked(original, file, sha256)
        return True
    return False


class _ChangedError(Exception):
    """A file no longer has the hash that it had."""


def _copy_checked(source: IO[bytes], target: IO[bytes], sha256: str) -> None:
    hasher = hashlib.sha256()
    while block := source.read(_BLOCK):
        hasher.update(block)
        target.write(block)
    if hasher.hexdigest() != sha256:
        raise _ChangedError


def _drop(folders: Iterable[Path], most_bytes: int) -> None:
    """Drop the zips of the oldest runs, as many as are too much."""
    counted: set[tuple[int, int]] = set()
    total = 0
    for folder in sorted(folders, key=lambda path: path.name, reverse=True):
        for zipped in folder.glob("*.zip"):
            seen = zipped.lstat()
            if (key := (seen.st_dev, seen.st_ino)) not in counted:
                counted.add(key)
                total += seen.st_size
            if total > most_bytes:
                zipped.unlink()


def find(run: Run) -> Path | None:
    """Return the zip that was kept with a run, if any."""
    sha256 = str(run.result.archive.get("sha256") or "none")
    path = run.folder / f"{sha256}.zip"
    return path if path.is_file() and not path.is_symlink() else None


def restore(run: Run, target: Path, *, force: bool = False) -> ZipRecord:
    """Copy the zip of a run to another place, with the record of where it comes from.

    Args:
        run: In a history.
        target: The zip to write.
        force: Overwrite what is there.

    Raises:
        UsageError: The run kept no zip, or there is a file already.
        PoseBowlError: What was kept is no longer what was run.
        OSError: It cannot be written.
    """
    source, archive = find(run), run.result.archive
    if source is None:
        raise UsageError(
            f"{show(run.name)} kept no zip.",
            why="It was too large for the setting history_zips, or other runs came since.",
            fix="Raise history_zips for later runs; `invoke config` shows it.",
        )
    refuse_existing(target, force=force)
    if not _copy(source, target, str(archive["sha256"])):
        raise PoseBowlError(
            f"{source} is no longer the zip that was run.",
            why="Its hash is another one: something wrote to it.",
            fix=f"Remove it, and pack {show(run.result.submission)} again.",
        )
    return write_record(
        target, archive["sha256"], solution=run.result.submission, note=run.result.note
    )
