"""Unpack the competition's image archives: flat, safely, and resumable."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

import psutil
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from posebowl.challenge import GIB, IMAGES_DIR, MIB
from posebowl.errors import BadDataError, PoseBowlError
from posebowl.util import os_errors
from posebowl.util.console import err
from posebowl.util.files import file_kind
from posebowl.util.text import counted, show
from posebowl.util.units import human_bytes

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\.(png|csv)")
_PART: Final = re.compile(r"\..+\.(png|csv)\.([0-9]+)\.part")
_FIX_NAME: Final = "Name the archives as they were downloaded: invoke data.unpack FILE.tar ..."
_FIX_DOWNLOAD: Final = "Download that archive again, and name no other one."
_LARGEST: Final = {".png": 64 * MIB, ".csv": GIB}
"""An uncompressed photo takes 4 MiB: what is far larger is no photo but a trap for the disk."""
_RESERVE: Final = 64 * MIB
"""Disk space that is left free."""
_CHUNK: Final = MIB
_BLOCK: Final = 512
_DAMAGE: Final = (
    tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError,
    NotImplementedError, RuntimeError, OSError, ValueError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What became of the members of the archives."""

    folder: Path
    """The data folder that they are in now."""
    written: int
    kept: int
    """Already there, with the same size."""
    left_out: int
    """Neither photos nor tables at the top, or links, devices, names that lead outside."""


@dataclass(frozen=True, kw_only=True)
class _Member:
    """An entry of an archive, of whatever kind."""

    path: str
    size: int
    regular: bool
    folder: bool
    open: Callable[[], IO[bytes]]


@dataclass(kw_only=True)
class _Job:
    """One call of `unpack`, and how far it is."""

    target: Path
    force: bool
    written: int = 0
    kept: int = 0
    left_out: int = 0
    seen: dict[Path, int] = field(default_factory=dict)


def unpack(archives: Sequence[Path], target: Path, *, force: bool = False) -> Unpacked:
    """Extract the photos of archives (tar, also compressed, or zip) into a data folder.

    Photos go to `target`/images whatever folder they are in, CSV files at the top of an archive
    to `target`; all else is left out. Each file appears whole or not at all. A file that is
    there with the same size is skipped, so that the same command goes on after a break.

    Args:
        archives: As downloaded.
        target: The data folder, made if need be.
        force: Write every file anew, over the ones that are there.

    Raises:
        BadDataError: An archive is missing, damaged or cut off, or a file of another size is
            there; what was extracted until then stays.
        PoseBowlError: The disk is full or may not be written.
    """
    total = sum(_size(archive) for archive in archives)
    job = _Job(target=target, force=force)
    try:
        (target / IMAGES_DIR).mkdir(parents=True, exist_ok=True)
        _remove_remains(target)
    except OSError as error:
        raise _cannot_write(target, error) from None
    _check_room(archives, job)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, TransferSpeedColumn(), TimeRemainingColumn(), console=err,
        disable=not err.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("unpacking", total=total)
        done = 0
        for archive in archives:
            progress.update(task, description=f"unpacking {archive.name}".replace("[", r"\["))
            _unpack_one(archive, job, partial(_show_progress, progress, task, done))
            done += _size(archive)
            progress.update(task, completed=done)
    return Unpacked(folder=target, written=job.written, kept=job.kept, left_out=job.left_out)


def _show_progress(progress: Progress, task: TaskID, base: int, at: int) -> None:
    progress.update(task, completed=base + at)


def _size(archive: Path) -> int:
    """Give the size of an archive in bytes."""
    try:
        status = archive.stat()
    except OSError as error:
        what = f"{archive} cannot be read: {error.strerror or error}."
        raise BadDataError(what, fix=_FIX_NAME) from None
    if not stat.S_ISREG(status.st_mode):
        what = f"{archive} is {file_kind(status.st_mode)}, not an archive."
        raise BadDataError(what, fix=_FIX_NAME)
    return status.st_size


def _unpack_one(archive: Path, job: _Job, at: Callable[[int], object]) -> None:
    """Extract one archive, telling how many of its bytes are behind."""
    before = job.written + job.kept
    try:
        with archive.open("rb") as file:
            for member in _members(file):
                place = _place(member, job.target)
                if place is not None:
                    _extract(member, place, job)
                elif not member.folder:
                    job.left_out += 1
                at(file.tell())
    except _DAMAGE as error:
        ready = job.written + job.kept - before
        raise BadDataError(
            f"{archive} is cut off, damaged, or no archive of a known kind: "
            f"{counted(ready, 'file')} of it could be read, and stay.",
            why=f"{type(error).__name__}: {show(str(error), 120)}.",
            fix="Download it again, then repeat the command: what is there will be skipped.",
        ) from None


def _place(member: _Member, target: Path) -> Path | None:
    """Say where a member belongs, or None if it is left out."""
    path = PurePosixPath(member.path.replace("\\", "/"))
    parts = [part for part in path.parts if part != "."]
    outside = path.is_absolute() or ".." in parts
    if not member.regular or outside or "__MACOSX" in parts or not _PLAIN.fullmatch(path.name):
        return None
    if path.suffix == ".png":
        return target / IMAGES_DIR / path.name
    return target / path.name if len(parts) == 1 else None


def _extract(member: _Member, place: Path, job: _Job) -> None:
    """Write one member to its place, unless it is there."""
    if member.size > _LARGEST[place.suffix]:
        size = human_bytes(member.size)
        what = f"{show(member.path, 120)} takes {size}: that is no {place.suffix[1:]}."
        raise BadDataError(what, fix=_FIX_DOWNLOAD)
    if job.seen.setdefault(place, member.size) != member.size:
        raise BadDataError(
            f"{place.name} occurs twice, with {job.seen[place]:,} and {member.size:,} bytes.",
            fix=_FIX_DOWNLOAD,
        )
    try:
        status = place.lstat()
    except FileNotFoundError:
        status = None
    if status is not None and not job.force:
        if stat.S_ISREG(status.st_mode) and status.st_size == member.size:
            job.kept += 1
            return
        raise BadDataError(
            f"{place} already exists, and differs.",
            why=f"It is {file_kind(status.st_mode)} of {status.st_size:,} bytes; in the archive "
            f"it has {member.size:,}.",
            fix="Use --force to overwrite it, or move it away.",
        )
    if member.size + _RESERVE > shutil.disk_usage(place.parent).free:
        raise _disk_full(place, member.size)
    _write(member, place)
    job.written += 1


def _write(member: _Member, place: Path) -> None:
    """Write a file whole or not at all.

    There is no fsync for each of a hundred thousand files: a file that a crash of the machine
    leaves without its content is found by `data.check`, and its archive is still there.
    """
    part = place.parent / f".{place.name}.{os.getpid()}.part"
    left = member.size
    try:
        with member.open() as source, _opened(part) as sink:
            while left:
                chunk = source.read(min(left, _CHUNK))
                if not chunk:
                    raise EOFError(f"{member.path} ends {left} bytes too early")
                left -= len(chunk)
                _put(sink, chunk, place)
            # Reading the end makes zip compare its checksum.
            if source.read(1):
                raise ValueError(f"{member.path} is longer than it says")
        try:
            part.replace(place)
        except OSError as error:
            raise _cannot_write(place, error) from None
    finally:
        part.unlink(missing_ok=True)


def _opened(part: Path) -> FileIO:
    """Make a file that was not there, never through a link; unbuffered: a write fails at once."""
    try:
        return FileIO(part, "xb")
    except OSError as error:
        raise _cannot_write(part, error) from None


def _put(sink: FileIO, chunk: bytes, place: Path) -> None:
    """Write all of a chunk; on a full disk a first call may take a part of it."""
    view = memoryview(chunk)
    try:
        while view:
            view = view[sink.write(view) :]
    except OSError as error:
        raise _cannot_write(place, error) from None


def _cannot_write(place: Path, error: OSError) -> PoseBowlError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _disk_full(place, 0)
    why, fix = os_errors.explain(error, place)
    return PoseBowlError(f"{place} cannot be written: {error.strerror or error}.", why=why, fix=fix)


def _disk_full(place: Path, need: int) -> PoseBowlError:
    free = human_bytes(shutil.disk_usage(place.parent).free)
    needs = f" of the {human_bytes(need)} needed" if need else ""
    return PoseBowlError(
        f"The disk that holds {place.parent} is full: {free} are free{needs}.",
        fix="Make room, then repeat the command: what is there will be skipped.",
    )


def _remove_remains(target: Path) -> None:
    """Remove the unfinished files of a call that was killed."""
    for folder in (target, target / IMAGES_DIR):
        for path in folder.glob(".*.part"):
            match = _PART.fullmatch(path.name)
            if match and not psutil.pid_exists(int(match[2])):
                path.unlink()


def _check_room(archives: Sequence[Path], job: _Job) -> None:
    """Refuse before anything is written what cannot fit on the disk."""
    need = 0
    for archive in archives:
        with archive.open("rb") as file:
            if _opener(file) is not None:
                # The contents are known only when all is read; photos hardly shrink, and what
                # is there may be most of it: then the disk is watched under way.
                fresh = not any((job.target / IMAGES_DIR).glob("*.png"))
                need += _size(archive) if fresh else 0
                continue
            # Damage is reported where it is met, after all that stands before it is out.
            with contextlib.suppress(*_DAMAGE):
                for member in _members(file):
                    place = _place(member, job.target)
                    if place is not None and (job.force or not place.exists()):
                        need += member.size
    if need and need + _RESERVE > shutil.disk_usage(job.target).free:
        raise _disk_full(job.target / IMAGES_DIR, need)


def _opener(file: IO[bytes]) -> Callable[[IO[bytes]], IO[bytes]] | None:
    """Tell how a tar is compressed by its first bytes, not by its name."""
    openers: dict[bytes, Callable[[IO[bytes]], object]] = {
        b"\x1f\x8b": gzip.open,
        b"BZh": bz2.open,
        b"\xfd7zXZ\0": lzma.open,
    }
    head = file.read(6)
    file.seek(0)
    found = next((opener for magic, opener in openers.items() if head.startswith(magic)), None)
    return cast("Callable[[IO[bytes]], IO[bytes]] | None", found)


def _members(file: IO[bytes]) -> Iterator[_Member]:
    """Yield the entries of an archive in their order; each must be read before the next."""
    head = file.read(4)
    file.seek(0)
    if head in {b"PK\x03\x04", b"PK\x05\x06"}:
        yield from _zip_members(file)
        return
    opener = _opener(file)
    yield from _tar_members(opener(file) if opener else file)


def _zip_members(file: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            yield _Member(
                path=info.filename,
                size=info.file_size,
                # Archives made on Windows carry no mode.
                regular=not info.is_dir() and stat.S_IFMT(mode) in {0, stat.S_IFREG},
                folder=info.is_dir(),
                open=partial(archive.open, info),
            )


class _LastRead:
    """A stream that remembers what was read last: tarfile does not tell an end from a cut."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.last = b""
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        self.last = self.stream.read(size)
        return self.last


def _member_of_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return cast("IO[bytes]", archive.extractfile(info))


def _tar_members(stream: IO[bytes]) -> Iterator[_Member]:
    """Yield the entries of a tar.

    tarfile ends quietly at a header that is damaged or missing; an archive that is whole ends
    with a block of zeros.
    """
    watched = _LastRead(stream)
    with tarfile.open(fileobj=cast("IO[bytes]", watched), mode="r:") as archive:
        while (info := archive.next()) is not None:
            yield _Member(
                path=info.name,
                size=info.size,
                regular=info.isreg() and not info.issparse(),
                folder=info.isdir(),
                open=partial(_member_of_tar, archive, info),
            )
    if watched.last != bytes(_BLOCK):
        raise tarfile.ReadError("it does not end as a tar does")
