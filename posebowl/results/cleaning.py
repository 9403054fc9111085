"""Remove what runs left in a folder of results, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.engines.monitoring import folder_bytes
from posebowl.errors import PoseBowlError
from posebowl.results import history
from posebowl.results.folder import HISTORY_DIR, LOCK_FILE, RESULT_FILES, is_of_results, is_scratch
from posebowl.util import os_errors
from posebowl.util.files import open_up, remove_tree

_PART: Final = re.compile(r"\.(.+)\.[^.]+\.part")
"""What a killed process leaves of a file that it was writing: see files.atomic_write."""
_QUIET: Final = frozenset({"README.md", ".gitignore", ".gitkeep", LOCK_FILE})
"""Part of the repository; not worth a word."""


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What happened to the submission folder."""

    removed: tuple[Path, ...]
    kept: tuple[Path, ...]
    """What else is there: it belongs to the user."""
    freed_bytes: int


def clean(folder: Path, *, with_history: bool = False) -> Cleaned:
    """Remove results, logs, reports and the remains of killed runs.

    The history stays unless asked for: it is what earlier results are compared with. A run in
    it that the user gave another name stays in any case.

    A submission.zip stays, whoever made it: the folder that it was packed from may have changed
    since, so that it cannot be made again. Links are never followed, and never removed.

    Raises:
        PoseBowlError: Something could not be removed.
    """
    removed: list[Path] = []
    kept: list[Path] = []
    freed = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _is_results_folder(path):
            inner = clean(path, with_history=with_history)
            removed += inner.removed
            kept += inner.kept
            freed += inner.freed_bytes
            _remove_if_empty(path)
            continue
        made = [path] if _is_made(path) else []
        if with_history and path.name == HISTORY_DIR and not path.is_symlink():
            made = sorted(history.kept(path))
        stays = not made or (made != [path] and not _is_emptied_by(path, made))
        if stays and path.name not in _QUIET:
            kept.append(path)
        for one in made:
            freed += _remove(one)
            removed.append(one)
        if made and _is_emptied_by(path, []):
            path.rmdir()
    return Cleaned(removed=tuple(removed), kept=tuple(kept), freed_bytes=freed)


def _remove(path: Path) -> int:
    """Remove a file or a folder, and return how many bytes that gives back."""
    try:
        if path.is_dir():
            open_up(path)
            size = folder_bytes(path)
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


def _is_results_folder(path: Path) -> bool:
    """Return whether a run was given this folder for its results."""
    return path.is_dir() and not path.is_symlink() and is_of_results(path)


def _remove_if_empty(folder: Path) -> None:
    if [path.name for path in folder.iterdir()] == [LOCK_FILE]:
        (folder / LOCK_FILE).unlink()
        folder.rmdir()


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
