"""The system's errors in words: why, and what to type."""

from __future__ import annotations

import errno
import shlex
from pathlib import Path
from typing import Final

from posebowl.errors import PoseBowlError

_WHY: Final = {
    errno.ENOSPC: "The disk is full.",
    errno.EDQUOT: "Your disk quota is used up.",
    errno.EFBIG: "A file may not grow that large there.",
    errno.EACCES: "You do not have permission to do that there.",
    errno.EPERM: "You do not have permission to do that there.",
    errno.EROFS: "That disk is read-only.",
    errno.ENOENT: "Nothing has that name.",
    errno.EEXIST: "Something else has that name.",
    errno.ENOTDIR: "A part of the path is not a folder.",
    errno.EISDIR: "It is a folder.",
    errno.ENAMETOOLONG: "The name is longer than the disk allows.",
    errno.EMFILE: "This process may not open more files.",
    errno.EIO: "The disk failed to read or write.",
}
_ANY: Final = "Check the path, its permissions and the disk."


def as_error(error: OSError) -> PoseBowlError:
    """Return an error of the system as a PoseBowlError: what, why, fix."""
    if error.errno == errno.ENOENT and not error.filename and _is_lost():
        return PoseBowlError(
            "The working directory no longer exists.",
            why="Relative paths such as submission/ begin there.",
            fix="Type: cd; then enter the folder again, and type the same command.",
        )
    place = f"{error.filename}: " if error.filename else ""
    why, fix = explain(error)
    return PoseBowlError(f"{place}{error.strerror or error}.", why=why, fix=fix)


def explain(error: OSError, place: Path | None = None) -> tuple[str, str]:
    """Return why something failed, and what to do.

    Args:
        error: What the system said.
        place: Where it happened, if the error does not name a file.
    """
    path = Path(str(error.filename)) if error.filename else place
    why = _WHY.get(error.errno or 0, "")
    if path is None:
        return why, _ANY
    near = shlex.quote(str(_existing(path)))
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            fix = f"Make room (type: df -h {near}), then type the same command again."
        case errno.EACCES | errno.EPERM:
            fix = f"Use a folder of yours, or check who may (type: ls -ld {near})."
        case errno.EROFS:
            fix = "Use a folder on another disk."
        case errno.ENOENT:
            fix = f"Check the spelling (type: ls {near})."
        case errno.EEXIST | errno.ENOTDIR | errno.EISDIR | errno.ENAMETOOLONG:
            fix = f"Use another name (type: ls -ld {near})."
        case _:
            fix = _ANY
    return why, fix


def _is_lost() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _existing(path: Path) -> Path:
    """Return the nearest existing one of a path and its parents, as far as this user may see."""
    for place in (path, *path.parents):
        try:
            place.lstat()
        except OSError:
            continue
        return place
    return path
