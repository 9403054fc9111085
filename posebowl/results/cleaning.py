"""Remove what runs left in a folder of results, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.engines.monitoring import folder_usage
from posebowl.errors import PoseBowlError
from posebowl.results import history
from posebowl.results.folder import HISTORY_DIR, LOCK_FILE, RESULT_FILES, is_of_results, is_scratch
from posebowl.submission import is_record
from posebowl.util import os_errors
from posebowl.util.files import open_up, remove_tree

_PART: Final = re.compile(r"\.(.+)\.[^.]+\.part")
"""What a killed process leaves of a file that it was writing; see files.atomic_write."""
_QUIET: Final = frozenset({"README.md", ".gitignore", ".gitkeep", ".tested", LOCK_FILE})
"""Part of the repository, or a note of this tool; not worth mentioning."""


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What was done to a folder of results."""

    removed: tuple[Path, ...]
    kept: tuple[Path, ...]
    """All else that it holds, which belongs to the user."""
    freed_bytes: int


def clean(folder: Path, *, with_history: bool = False) -> Cleaned:
    """Remove results, logs, reports and the remains of killed runs.

    The history is kept unless asked for: earlier results are compared with it. A run in it that
    the user renamed is kept in any case.

    A submission.zip is kept, whoever made it: the folder that it was packed from may have changed
    since, so that it cannot be made again. Links are never followed, and never removed.

    Raises:
        PoseBowlError: Something could not be removed.
    """
    removed: list[Path] = []
    kept: list[Path] = []
    freed = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink() and is_of_results(path):
            done = clean(path, with_history=with_history)
            if [left.name for left in path.iterdir()] == [LOCK_FILE]:
                (path / LOCK_FILE).unlink()
                path.rmdir()
        else:
            done = _clean_one(path, with_history=with_history)
        removed += done.removed
        kept += done.kept
        freed += done.freed_bytes
    return Cleaned(removed=tuple(removed), kept=tuple(kept), freed_bytes=freed)


def _clean_one(path: Path, *, with_history: bool) -> Cleaned:
    """Remove a file or folder of the results, or what is not the user's of a history."""
    made = [path] if _is_made(path) else []
    if with_history and path.name == HISTORY_DIR and not path.is_symlink():
        made = sorted(history.kept(path))
    stays = not made or (made != [path] and not _is_emptied_by(path, made))
    freed = sum(_remove(one) for one in made)
    if made and _is_emptied_by(path, []):
        path.rmdir()
    quiet = path.name in _QUIET or is_record(path)
    kept = (path,) if stays and not quiet else ()
    return Cleaned(removed=tuple(made), kept=kept, freed_bytes=freed)


def _remove(path: Path) -> int:
    """Remove a file or a folder, and return how many bytes that frees."""
    try:
        if path.is_dir():
            open_up(path)
            size = folder_usage(path).bytes
            remove_tree(path)
        else:
            size = path.lstat().st_size
            path.unlink()
    except OSError as error:
        why, fix = os_errors.explain(error, path)
        what = f"{error.filename or path} could not be removed: {error.strerror}."
        raise PoseBowlError(what, why=why, fix=fix) from None
    return size


def _is_emptied_by(folder: Path, removed: list[Path]) -> bool:
    """Return whether a folder holds nothing but what is removed."""
    return folder.is_dir() and not folder.is_symlink() and set(folder.iterdir()) == set(removed)


def _is_made(path: Path) -> bool:
    if path.is_symlink():
        return False
    if path.is_dir():
        return is_scratch(path)
    if not path.is_file():
        return False
    part = _PART.fullmatch(path.name)
    if part:
        return part[1] in {*RESULT_FILES, "submission.zip"}
    return path.name in RESULT_FILES
