"""Unpack the competition's image archives: flat, safely, and resumable."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Final

import psutil
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from posebowl.challenge import GIB, IMAGES_DIR, MIB
from posebowl.data.members import DAMAGE, Member, members, opener, other_tool
from posebowl.errors import BadDataError, PoseBowlError
from posebowl.util import os_errors
from posebowl.util.console import err
from posebowl.util.files import file_kind
from posebowl.util.text import counted, show
from posebowl.util.units import human_bytes

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\.(png|csv)")
_PART: Final = re.compile(r"\..+\.(png|csv)\.([0-9]+)\.part")
_FIX_NAME: Final = "Name the archives as they were downloaded: invoke data.unpack FILE.tar ..."
_FIX_DOWNLOAD: Final = "Download that archive again, and name only archives of the competition."
LARGEST: Final = {".png": 64 * MIB, ".csv": GIB}
"""An uncompressed photo takes 4 MiB: what is far larger is not a photo but a trap for the disk."""
_INNER: Final = re.compile(r"\.(tar|tar\.\w+|tgz|tbz2?|txz|zip|7z|rar)$", re.IGNORECASE)
_RESERVE: Final = 64 * MIB
"""Disk space that is left free."""
_CHUNK: Final = MIB


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


@dataclass(kw_only=True)
class _Job:
    """One call of `unpack`, and how far it has come."""

    target: Path
    force: bool
    largest: Mapping[str, int]
    written: int = 0
    kept: int = 0
    left_out: int = 0
    seen: dict[Path, int] = field(default_factory=dict)


def unpack(
    archives: Sequence[Path],
    target: Path,
    *,
    force: bool = False,
    largest: Mapping[str, int] = LARGEST,
) -> Unpacked:
    """Extract the photos of archives (tar, also compressed, or zip) into a data folder.

    Photos go to `target`/images whatever folder they are in, CSV files at the top of an archive
    to `target`; all else is left out. Each file appears whole or not at all. A file that is
    there with the same size is skipped, so that the same command continues after a break.

    Args:
        archives: As downloaded.
        target: The data folder, made if need be.
        force: Write every file again, over those that exist.
        largest: Bytes of a file by its suffix, above which it is refused.

    Raises:
        BadDataError: An archive is missing, damaged or cut off, or a file of another size is
            there; what was extracted until then stays.
        PoseBowlError: The disk is full or may not be written.
    """
    total = sum(_size(archive) for archive in archives)
    job = _Job(target=target, force=force, largest=largest)
    try:
        (target / IMAGES_DIR).mkdir(parents=True, exist_ok=True)
        _remove_remains(target)
    except OSError as error:
        raise _cannot_write(target, error) from None
    _check_room(archives, job)
    with _progress(total) as show_progress:
        done = 0
        for archive in archives:
            _unpack_one(archive, job, partial(show_progress, archive.name, done))
            done += _size(archive)
            show_progress(archive.name, 0, done)
    return Unpacked(folder=target, written=job.written, kept=job.kept, left_out=job.left_out)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str, int, int], object]]:
    """Show a bar; what is yielded takes an archive's name, the bytes before it and those read."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    speed = (TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, *speed, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("unpacking", total=total)
        yield lambda name, before, at: progress.update(
            task, description=f"unpacking {name}".replace("[", r"\["), completed=before + at
        )


def _size(archive: Path) -> int:
    """Return the size of an archive in bytes."""
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
    """Extract one archive, and report how many of its bytes have been read."""
    before = job.written + job.kept
    inner = ""
    try:
        with archive.open("rb") as file:
            if tool := other_tool(file):
                raise _by_other_tool(archive, *tool)
            for member in members(file):
                place = _place(member, job.target)
                if place is not None:
                    _extract(member, place, job)
                elif not member.folder:
                    job.left_out += 1
                    inner = inner or (member.path if _INNER.search(member.path) else "")
                at(file.tell())
    except DAMAGE as error:
        ready = job.written + job.kept - before
        raise BadDataError(
            f"{archive} is cut off, damaged, or not an archive of a known kind: "
            f"{counted(ready, 'file')} of it could be read and are kept.",
            why=f"{type(error).__name__}: {show(str(error), 120)}.",
            fix="Download it again, then repeat the command: what is there will be skipped.",
        ) from None
    if job.written + job.kept == before:
        raise _no_photos(archive, inner)


def _by_other_tool(archive: Path, kind: str, command: str) -> BadDataError:
    return BadDataError(
        f"{archive} is {kind}, which Python cannot read.",
        fix=f"Unpack it by `{command} {shlex.quote(str(archive))}`, pack the photos into a plain "
        "tar (tar -cf images.tar FOLDER), and unpack that: invoke data.unpack images.tar",
    )


def _no_photos(archive: Path, inner: str) -> BadDataError:
    """Return the error for an archive of which nothing was taken."""
    what = f"{archive} holds no photos (*.png), and no tables at its top."
    if not inner:
        return BadDataError(what, fix=_FIX_NAME)
    return BadDataError(
        what,
        why=f"It holds another archive, {show(inner, 120)}.",
        fix=f"Unpack the outer one first (unzip or tar -xf), then: invoke data.unpack "
        f"{shlex.quote(PurePosixPath(inner).name)}",
    )


def _place(member: Member, target: Path) -> Path | None:
    """Return where a member belongs, or None if it is left out."""
    path = PurePosixPath(member.path.replace("\\", "/"))
    parts = [part for part in path.parts if part != "."]
    outside = path.is_absolute() or ".." in parts
    if not member.regular or outside or "__MACOSX" in parts or not _PLAIN.fullmatch(path.name):
        return None
    if path.suffix == ".png":
        return target / IMAGES_DIR / path.name
    return target / path.name if len(parts) == 1 else None


def _extract(member: Member, place: Path, job: _Job) -> None:
    """Write one member to its place, unless it is there."""
    _check_size(member, place, job)
    try:
        status = place.lstat()
    except FileNotFoundError:
        status = None
    if status is not None and not job.force:
        if stat.S_ISREG(status.st_mode) and status.st_size == member.size:
            job.kept += 1
            return
        raise BadDataError(
            f"{place} already exists and differs.",
            why=f"It is {file_kind(status.st_mode)} of {status.st_size:,} bytes; in the archive "
            f"it has {member.size:,}.",
            fix="Use --force to overwrite it, or move it away.",
        )
    if member.size + _RESERVE > shutil.disk_usage(place.parent).free:
        raise _disk_full(place, member.size)
    _write(member, place)
    job.written += 1


def _check_size(member: Member, place: Path, job: _Job) -> None:
    """Check that a member is not too large for what it is, nor there twice with two sizes."""
    if member.size > job.largest[place.suffix]:
        size = human_bytes(member.size)
        what = f"{show(member.path, 120)} takes {size}: that is not a {place.suffix[1:]}."
        raise BadDataError(what, fix=_FIX_DOWNLOAD)
    if job.seen.setdefault(place, member.size) != member.size:
        raise BadDataError(
            f"{place.name} occurs twice, with {job.seen[place]:,} and {member.size:,} bytes.",
            fix=_FIX_DOWNLOAD,
        )


def _write(member: Member, place: Path) -> None:
    """Write a file whole or not at all.

    A hundred thousand files are not synced one by one: `data.check` finds a file that a crash of
    the machine left without its content, and its archive is still there.
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
    """Check, before anything is written, that the photos fit on the disk."""
    need = 0
    for archive in archives:
        with archive.open("rb") as file:
            if opener(file) is not None:
                # The contents are known only when all is read; photos hardly shrink, and what
                # is there may be most of it: then the disk is checked before each file.
                fresh = not any((job.target / IMAGES_DIR).glob("*.png"))
                need += _size(archive) if fresh else 0
                continue
            # Damage is reported where it is met, after all that stands before it is out.
            with contextlib.suppress(*DAMAGE):
                for member in members(file):
                    place = _place(member, job.target)
                    if place is not None and (job.force or not place.exists()):
                        need += member.size
    if need and need + _RESERVE > shutil.disk_usage(job.target).free:
        raise _disk_full(job.target / IMAGES_DIR, need)
