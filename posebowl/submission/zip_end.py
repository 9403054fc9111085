"""Find the end record of a zip, which leads to everything else, and make sure no other one does."""

from __future__ import annotations

import functools
import os
import re
import struct
from pathlib import Path
from typing import IO, Final, NamedTuple

from posebowl.errors import BadArchiveError
from posebowl.util.text import show

REMAKE: Final = "Make the archive again with `invoke pack`."
quoted = functools.partial(show, limit=120)
"""Quote a name of the archive for a message."""

_FIX_AGAIN: Final = "Copy or download it again, or make it again with `invoke pack`."
_KINDS: Final = {
    b"\x1f\x8b": "a gzip file",
    b"7z\xbc\xaf": "a 7z file",
    b"Rar!": "a RAR file",
    b"\xfd7zXZ": "an xz file",
    b"BZh": "a bzip2 file",
    b"<": "a web page, such as one that asks for a login",
}
_MARK: Final = re.compile(rb"PK\x05\x06")
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64: Final = struct.Struct("<4sLQL")
_MAX16: Final = 0xFFFF
_MAX32: Final = 0xFFFFFFFF


class End(NamedTuple):
    """What the end record says."""

    total: int
    """Entries."""
    size: int
    """Bytes of the central directory."""
    offset: int
    position: int
    """Where the record is, or the one of zip64 before it."""
    behind: int
    """Bytes behind the end, which unzip does not mind."""


def find_end(file: IO[bytes], path: Path) -> End:
    """Find the end record, and make sure that no unpacker can take another one.

    unzip takes the last one, whatever stands behind it within 64 KiB.

    Raises:
        BadArchiveError: There is none, there are two, or it contradicts the file.
    """
    length = file.seek(0, os.SEEK_END)
    start = max(0, length - _END.size - _MAX16)
    file.seek(start)
    tail = file.read(length - start)
    places = [match.start() for match in _MARK.finditer(tail)]
    if not places or (stop := _stop(tail, places[-1])) > len(tail):
        raise _no_end(file, path, length, found=bool(places))
    *others, at = places
    _, disk, first_disk, here, count, size, offset, _ = _END.unpack_from(tail, at)
    if (disk, first_disk) not in {(0, 0), (_MAX16, _MAX16)} or here != count:
        raise BadArchiveError(f"{path} is one part of a split archive.", fix=REMAKE)
    end = _zip64_end(file, End(count, size, offset, start + at, len(tail) - stop), path)
    # That of another zip which lies in this one is in front of the table of contents.
    if any(_is_end(tail, other, start) or start + other >= end.offset for other in others):
        raise BadArchiveError(f"{path} has two ends: it can be read as two zips.", fix=REMAKE)
    if end.offset + end.size != end.position:
        raise BadArchiveError(
            f"The table of contents of {path} is not where the archive says.",
            why="Bytes were put in front of it or cut out of it.",
            fix=REMAKE,
        )
    return end


def _stop(tail: bytes, at: int) -> int:
    """Return where an end record and its comment stop: beyond the end if they are cut off."""
    if at + _END.size > len(tail):
        return len(tail) + 1
    return int(at + _END.size + _END.unpack_from(tail, at)[7])


def _is_end(tail: bytes, at: int, start: int) -> bool:
    """Check whether a record can be taken for the end of the zip.

    That of another zip that lies in this one counts from the start of that zip.
    """
    stop = _stop(tail, at)
    if stop >= len(tail):
        return stop == len(tail)
    size, offset = _END.unpack_from(tail, at)[5:7]
    return bool(size + offset == start + at)


def _no_end(file: IO[bytes], path: Path, length: int, *, found: bool) -> BadArchiveError:
    """Return why a file without a proper end record is not a usable zip."""
    file.seek(0)
    head = file.read(512)
    if length == 0:
        return BadArchiveError(f"{path} is empty.", fix="Make it with `invoke pack`.")
    if found:
        return BadArchiveError(
            f"{path} does not end where a zip ends.",
            why="Bytes were cut off or changed at its end.",
            fix=_FIX_AGAIN,
        )
    if head.startswith(b"PK\3\4"):
        return BadArchiveError(
            f"{path} is cut short: the table of contents at its end is missing.",
            fix=_FIX_AGAIN,
        )
    if head.startswith(b"version https://git-lfs"):
        what = f"{path} is not a zip but a pointer to it, which Git LFS has not fetched."
        return BadArchiveError(what, fix="Type: git lfs pull")
    kind = next((name for magic, name in _KINDS.items() if head.lstrip().startswith(magic)), "")
    kind = "a tar file" if head[257:262] == b"ustar" else kind
    why = f"It is {kind}." if kind else ""
    return BadArchiveError(f"{path} is not a zip.", why=why, fix="Make it with `invoke pack`.")


def _zip64_end(file: IO[bytes], end: End, path: Path) -> End:
    """Return the counts of the zip64 record, if there is one; they must agree with the others."""
    at = end.position - _LOCATOR64.size
    file.seek(max(0, at))
    locator = file.read(_LOCATOR64.size)
    if at < 0 or not locator.startswith(b"PK\6\7"):
        return end
    position = _LOCATOR64.unpack(locator)[2]
    record = b""
    if position + _END64.size <= at:
        file.seek(position)
        record = file.read(_END64.size)
    if not record.startswith(b"PK\6\6"):
        raise BadArchiveError(f"{path} has a broken zip64 end record.", fix=REMAKE)
    _, length, _, _, disk, first_disk, here, count, size, offset = _END64.unpack(record)
    pairs = ((end.total, count, _MAX16), (end.size, size, _MAX32), (end.offset, offset, _MAX32))
    agree = all(small in (large, unset) for small, large, unset in pairs)
    # Some unpackers take what the locator names, others what stands right before it.
    nearest = length == _END64.size - 12 and position + _END64.size == at
    if not agree or not nearest or here != count or disk or first_disk:
        raise BadArchiveError(f"The two end records of {path} contradict each other.", fix=REMAKE)
    return end._replace(total=count, size=size, offset=offset, position=position)
