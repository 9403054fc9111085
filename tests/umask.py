"""The umasks that machines are set up with, and what they close to other users."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

UMASKS: Final = (0o000, 0o022, 0o027, 0o077)


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    """Create files and folders under a umask; the one before is restored at the end."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def closed(root: Path) -> list[str]:
    """Return what other users cannot read in a folder, or in a file, relative to it.

    A file needs r for others, a folder r and x; where links lead is not looked at.
    """
    found = [root, *root.rglob("*")]
    return sorted(str(path.relative_to(root)) for path in found if not _open_to_others(path))


def _open_to_others(path: Path) -> bool:
    status = path.lstat()
    needed = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else 0)
    return stat.S_ISLNK(status.st_mode) or status.st_mode & needed == needed
