"""Files and folders written whole or not at all, and untrusted ones opened with care."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from posebowl.errors import EngineError, UsageError
from posebowl.util import process


def require_folder(folder: Path, flag: str) -> None:
    """Check that an option names a folder that exists.

    Raises:
        UsageError: It does not.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", fix=f"Check the path behind {flag}.")


def refuse_existing(path: Path, *, force: bool) -> None:
    """Check that nothing has a name that is to be written to.

    Raises:
        UsageError: Something has, and `force` does not say that it may be overwritten.
    """
    if not force and os.path.lexists(path):
        raise UsageError(f"{path} already exists.", fix="Use --force to overwrite it.")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`, and rename it to `path` when the block succeeds.

    The content is on the disk before the name is, so that a crash leaves the old file or the
    new one. An existing file is replaced: see `refuse_existing`. All users may read the new one.
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


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder beside `path`, and rename it to `path` when the block succeeds.

    What the block puts into it is on the disk before the name is. A folder of that name is
    replaced. What an earlier process left unfinished is removed, so only one may be at work.
    """
    partial = path.with_name(f".{path.name}.part")
    _discard(partial)
    make_folder(partial)
    try:
        yield partial
        for file in partial.iterdir():
            if file.is_file() and not file.is_symlink():
                with file.open("r+b") as written:
                    os.fsync(written.fileno())
        _discard(path)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _discard(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def make_folder(path: Path) -> Path:
    """Make a folder, and those above it, for every user to look into whatever the umask."""
    missing = [place for place in (path, *path.parents) if not place.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for place in missing:
        place.chmod(0o755)
    return path


def digest_file(file: IO[bytes]) -> str:
    """Return the SHA-256 of an open file, from its start, as 64 hexadecimal digits."""
    file.seek(0)
    hasher = hashlib.sha256()
    while block := file.read(1 << 20):
        hasher.update(block)
    return hasher.hexdigest()


def open_regular(path: Path) -> IO[bytes]:
    """Open an untrusted file, never through a link and never waiting.

    Raises:
        FileNotFoundError: Nothing has that name.
        ValueError: It is not a regular file; the message says what it is.
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


def closed_to_runs(status: os.stat_result) -> bool:
    """Check whether root may read a file or folder and the user of root's runs may not.

    Whoever else starts a run is its user as well.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    wanted = 0o005 if stat.S_ISDIR(status.st_mode) else 0o004
    return status.st_mode & wanted != wanted


def file_kind(mode: int) -> str:
    """Return what an st_mode stands for, in words: "a link", "a folder", ..."""
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
    """Take back the right to read what a submission closed to its owner, links not followed."""
    if sys.platform != "win32":  # where a run belongs to a user of the engine's own machine
        process.run(["chmod", "-R", "u+rwX", *folders], check=False)


def remove_tree(folder: Path) -> None:
    """Remove a folder that a submission filled: any depth, any modes, links not followed."""
    open_up(folder)
    if sys.platform == "win32":
        shutil.rmtree(folder, ignore_errors=True)
        why = "A program has a file in it open."
    else:  # rm goes as deep as folders are nested; Python's own stack does not
        done = process.run(["rm", "-rf", "--", folder], check=False)
        why = done.stderr.strip().partition("\n")[0]
    if os.path.lexists(folder):
        remove = f"rm -rf {shlex.quote(str(folder))}"
        raise EngineError(
            f"{folder} could not be removed.", why=why, fix=f"Remove it by hand: {remove}"
        )
