"""Files that are written whole or not at all, and files of strangers that are opened with care."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from posebowl.errors import EngineError
from posebowl.util import process


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`, and rename it to `path` when the block succeeds.

    The content is on the disk before the name is, so that a crash leaves the old file or the
    new one. An existing file is replaced: whether it may be is the caller's to decide.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    r"""Write a text file whole or not at all, in UTF-8 with LF line ends.

    What UTF-8 cannot hold, a byte of an odd file name, is written as ``\udcNN``.
    """
    with atomic_write(path) as file:
        file.write(text.encode(errors="backslashreplace"))


def open_regular(path: Path) -> IO[bytes]:
    """Open a file that a stranger may have made, never through a link and never waiting.

    Raises:
        FileNotFoundError: Nothing has that name.
        ValueError: It is no regular file; the message says what it is.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    kind = file_kind(path.lstat().st_mode)
    if kind != "a regular file":
        raise ValueError(kind)
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    kind = file_kind(os.fstat(descriptor).st_mode)
    if kind != "a regular file":
        os.close(descriptor)
        raise ValueError(kind)
    return os.fdopen(descriptor, "rb")


def file_kind(mode: int) -> str:
    """Say in words what an st_mode stands for: "a link", "a folder", ..."""
    kinds = {
        stat.S_IFREG: "a regular file",
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")


def open_up(*folders: Path) -> None:
    """Take back the right to look into what a stranger closed to its owner, links not followed."""
    process.run(["chmod", "-R", "u+rwX", *folders], check=False)


def remove_tree(folder: Path) -> None:
    """Remove a folder that a stranger filled: any depth, any modes, links not followed."""
    open_up(folder)
    done = process.run(["rm", "-rf", "--", folder], check=False)
    if os.path.lexists(folder):
        raise EngineError(
            f"{folder} could not be removed.",
            why=done.stderr.strip().partition("\n")[0],
            fix=f"Remove it by hand: rm -rf {shlex.quote(str(folder))}",
        )
