"""What the system refuses, in words: why, and what to type."""

from __future__ import annotations

import errno
import shlex
from pathlib import Path
from typing import Final

from posebowl.errors import PoseBowlError

_WHY: Final = {
    errno.ENOSPC: "The disk is full.",
    errno.EDQUOT: "Your share of the disk is used up.",
    errno.EFBIG: "A file may not grow as large as that there.",
    errno.EACCES: "You have no right to do that there.",
    errno.EPERM: "You have no right to do that there.",
    errno.EROFS: "That disk can only be read.",
    errno.ENOENT: "There is nothing of that name.",
    errno.EEXIST: "There is something else of that name.",
    errno.ENOTDIR: "A part of the path is no folder.",
    errno.EISDIR: "It is a folder.",
    errno.ENAMETOOLONG: "The name is longer than the disk allows.",
    errno.EMFILE: "This process has as many files open as it may.",
    errno.EIO: "The disk does not answer as it should.",
}
_ANY: Final = "Check the path, its permissions and the disk."


def as_error(error: OSError) -> PoseBowlError:
    """Say in our own words what the system refused."""
    place = f"{error.filename}: " if error.filename else ""
    why, fix = explain(error)
    return PoseBowlError(f"{place}{error.strerror or error}.", why=why, fix=fix)


def explain(error: OSError, place: Path | None = None) -> tuple[str, str]:
    """Return why something failed, and what to do.

    Args:
        error: What the system said.
        place: Where it was, if the error does not tell.
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
            fix = f"Take a folder of yours, or see who may (type: ls -ld {near})."
        case errno.EROFS:
            fix = "Take a folder on another disk."
        case errno.ENOENT:
            fix = f"Check how it is written (type: ls {near})."
        case errno.EEXIST | errno.ENOTDIR | errno.EISDIR | errno.ENAMETOOLONG:
            fix = f"Take another name (type: ls -ld {near})."
        case _:
            fix = _ANY
    return why, fix


def _existing(path: Path) -> Path:
    """Return the nearest of a path and those above it that is there, for all that one may see."""
    for place in (path, *path.parents):
        try:
            place.lstat()
        except OSError:
            continue
        return place
    return path
