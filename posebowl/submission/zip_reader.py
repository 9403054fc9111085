"""Read the structure of a stranger's zip: what two unpackers might see differently is refused.

Python's zipfile is lenient on purpose (it cuts names at NUL, skips bytes in front, believes the
central directory), and it would read a directory of any size; so the structure is read here,
and the sizes are checked before anything is read. Numbers and layouts are those of PKWARE's
APPNOTE.TXT, sections 4.3 to 4.6.
"""

from __future__ import annotations

import functools
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Final, NamedTuple

from posebowl.errors import BadArchiveError
from posebowl.util.text import show

STORED: Final = 0
DEFLATED: Final = 8
DIRECTORY_BYTES: Final = 64 << 20
"""Largest central directory that is read: 100 000 entries with names of 500 bytes fit."""

quoted = functools.partial(show, limit=120)
"""Quote a name of the archive for a message."""
REMAKE: Final = "Make the archive anew with `invoke pack`."

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s2B5H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64: Final = struct.Struct("<4sLQL")
_UNICODE_PATH: Final = 0x7075
_ZIP64: Final = 0x0001
_MAX16: Final = 0xFFFF
_MAX32: Final = 0xFFFFFFFF
_MAX_OFFSET: Final = 1 << 62
_UNSET: Final = b"\xff\xff\xff\xff"
_ENCRYPTED: Final = 1 << 0 | 1 << 6 | 1 << 13
_STREAMED: Final = 1 << 3
_UNUSUAL: Final = _ENCRYPTED | 1 << 5
"""Encrypted, or patches to another file."""
_UTF8: Final = 1 << 11
_AES: Final = 99
_DESCRIPTOR_BYTES: Final = 24
_HARMLESS: Final = 0b110 | _STREAMED
"""Flags in which the two headers of one file may honestly differ."""


class Entry(NamedTuple):
    """One file or folder of the archive (a tuple because there may be a hundred thousand)."""

    name: str
    """As the archive has it; folders end with a slash."""
    method: int
    crc: int
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes once unpacked, as declared."""
    mode: int
    """st_mode as Unix tools record it, 0 where none is recorded."""
    header: int
    """Offset of the local header."""
    data: int
    """Offset of the first byte of data."""
    plain_name: bool
    """The name is ASCII, or marked as UTF-8, so that all unpackers agree on it."""


class Directory(NamedTuple):
    """The table of contents."""

    entries: list[Entry]
    comment: bytes
    gap_bytes: int
    """Bytes between the entries that belong to none of them."""


class _End(NamedTuple):
    total: int
    """Entries."""
    size: int
    """Bytes of the central directory."""
    offset: int
    position: int
    comment: bytes


def read_directory(file: IO[bytes], path: Path, *, max_entries: int) -> Directory:
    """Read and cross-check the central directory and every local header.

    Args:
        file: The archive.
        path: How messages call it.
        max_entries: More entries than this are refused before they are read.

    Raises:
        BadArchiveError: It is no zip, is cut short, encrypted, or says two things at once.
    """
    end = _find_end(file, path)
    if end.total > max_entries:
        raise BadArchiveError(
            f"{path} holds {end.total:,} entries; at most {max_entries:,} are allowed.",
            fix="Leave out what main.sh does not need, or pack small files into one.",
        )
    if end.size > DIRECTORY_BYTES:
        raise BadArchiveError(
            f"The table of contents of {path} takes {end.size:,} bytes.",
            why=f"At most {DIRECTORY_BYTES:,} are read.",
            fix=REMAKE,
        )
    file.seek(end.offset)
    entries = _central(file, file.read(end.size), end.total, path)
    return Directory(entries, end.comment, _check_layout(entries, end.offset, path))


def read_member(file: IO[bytes], entry: Entry, path: Path, *, limit: int) -> bytes:
    """Inflate one file, whole if it is no longer than `limit` bytes, else its beginning.

    Raises:
        BadArchiveError: Its data are damaged, or unpack to another size than declared.
    """
    file.seek(entry.data)
    wanted = min(entry.size, limit)
    # Deflate may swell data a little, but never to this: longer input hides something.
    room = 2 * wanted + (64 << 10)
    content, ended = file.read(min(entry.packed, room)), True
    if entry.method == DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(content, wanted + 1)
        except zlib.error as error:
            raise _damaged(path, entry.name, str(error)) from None
        ended = inflater.eof and not inflater.unused_data
    if wanted < entry.size:
        return content[:wanted]
    if len(content) != entry.size or not ended:
        raise _damaged(path, entry.name, "it unpacks to another size than declared")
    if zlib.crc32(content) != entry.crc:
        raise _damaged(path, entry.name, "the checksum differs")
    return content


def _damaged(path: Path, name: str, why: str) -> BadArchiveError:
    return BadArchiveError(f"{quoted(name)} in {path} is damaged: {why}.", fix=REMAKE)


def _find_end(file: IO[bytes], path: Path) -> _End:
    """Find the end record; its place must be certain, or two unpackers could find two."""
    length = file.seek(0, os.SEEK_END)
    start = max(0, length - _END.size - _MAX16)
    file.seek(start)
    tail = file.read(length - start)
    places = [at for at in _occurrences(tail, b"PK\5\6") if at + _END.size <= len(tail)]
    exact = [at for at in places if at + _END.size + _END.unpack_from(tail, at)[7] == len(tail)]
    if not exact:
        raise _no_end(file, path, length, found=bool(places))
    at = exact[0]
    if len(exact) > 1:
        raise BadArchiveError(f"{path} has two ends: it can be read as two zips.", fix=REMAKE)
    _, disk, first_disk, here, count, size, offset, _ = _END.unpack_from(tail, at)
    if (disk, first_disk) not in {(0, 0), (_MAX16, _MAX16)} or here != count:
        raise BadArchiveError(f"{path} is one part of a split archive.", fix=REMAKE)
    end = _End(count, size, offset, start + at, tail[at + _END.size :])
    end = _zip64_end(file, end, path)
    if end.offset + end.size != end.position:
        raise BadArchiveError(
            f"The table of contents of {path} is not where the archive says.",
            why="Bytes were put in front of it or cut out of it.",
            fix=REMAKE,
        )
    return end


def _no_end(file: IO[bytes], path: Path, length: int, *, found: bool) -> BadArchiveError:
    """Say why a file without a proper end record is no usable zip."""
    file.seek(0)
    head = file.read(6)
    if length == 0:
        return BadArchiveError(f"{path} is empty.", fix="Make it with `invoke pack`.")
    if found:
        return BadArchiveError(
            f"{path} does not end where a zip ends.",
            why="Bytes were cut off or added at its end.",
            fix="Copy or download it again, or make it anew with `invoke pack`.",
        )
    if head.startswith(b"PK\3\4"):
        return BadArchiveError(
            f"{path} is cut short: the table of contents at its end is missing.",
            fix="Copy or download it again, or make it anew with `invoke pack`.",
        )
    kinds = {b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "RAR", b"\xfd7zXZ": "xz"}
    kind = next((name for magic, name in kinds.items() if head.startswith(magic)), "")
    why = f"It is a {kind} file." if kind else ""
    return BadArchiveError(f"{path} is not a zip.", why=why, fix="Make it with `invoke pack`.")


def _zip64_end(file: IO[bytes], end: _End, path: Path) -> _End:
    """Take the large counts where there are any; they may not contradict the small ones."""
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
    if not agree or here != count or disk or first_disk or position + 12 + length != at:
        raise BadArchiveError(f"The two end records of {path} contradict each other.", fix=REMAKE)
    return end._replace(total=count, size=size, offset=offset, position=position)


def _occurrences(text: bytes, needle: bytes) -> list[int]:
    found = []
    at = text.find(needle)
    while at >= 0:
        found.append(at)
        at = text.find(needle, at + 1)
    return found


def _central(file: IO[bytes], directory: bytes, count: int, path: Path) -> list[Entry]:
    entries = []
    at = 0
    for number in range(count):
        if at + _CENTRAL.size > len(directory) or directory[at : at + 4] != b"PK\1\2":
            raise BadArchiveError(
                f"The table of contents of {path} breaks off after {number} of {count} entries.",
                fix=REMAKE,
            )
        entry, at = _central_entry(file, directory, at, path)
        entries.append(entry)
    if at != len(directory):
        raise BadArchiveError(
            f"The table of contents of {path} holds more than the {count} entries it counts.",
            fix=REMAKE,
        )
    return entries


def _central_entry(file: IO[bytes], directory: bytes, at: int, path: Path) -> tuple[Entry, int]:
    """Read one entry and its local header; give it with where the next entry starts."""
    fields = _CENTRAL.unpack_from(directory, at)
    flags, method = fields[4:6]
    crc, packed, size, name_length, extra_length, comment_length, disk, _, attributes, header = (
        fields[8:]
    )
    name_end = at + _CENTRAL.size + name_length
    raw = directory[at + _CENTRAL.size : name_end]
    blocks = _extra(directory[name_end : name_end + extra_length])
    stop = name_end + extra_length + comment_length
    name = _decode(raw, blocks, path)
    if stop > len(directory) or blocks is None or disk not in {0, _MAX16}:
        raise BadArchiveError(f"The entry {quoted(name)} of {path} is broken.", fix=REMAKE)
    if flags & _UNUSUAL or method not in {STORED, DEFLATED}:
        raise _unreadable(name, flags, method, path)
    size, packed, header = _wide(blocks.get(_ZIP64, b""), size, packed, header)
    if method == STORED and packed != size:
        raise _damaged(path, name, "stored data have two sizes")
    plain = bool(flags & _UTF8) or raw.isascii()
    entry = Entry(name, method, crc, packed, size, attributes >> 16, header, 0, plain)
    data = _data_offset(file, entry, directory[at + 8 : at + 30], raw, path)
    return Entry(name, method, crc, packed, size, attributes >> 16, header, data, plain), stop


def _unreadable(name: str, flags: int, method: int, path: Path) -> BadArchiveError:
    if flags & _ENCRYPTED or method == _AES:
        return BadArchiveError(
            f"{quoted(name)} in {path} is encrypted.",
            why="Nobody is there to type the password.",
            fix="Zip it again without one.",
        )
    return BadArchiveError(
        f"{quoted(name)} in {path} is packed by method {method}.",
        why="Only stored (0) and deflated (8) data are what every unpacker knows.",
        fix=REMAKE,
    )


def _extra(extra: bytes) -> dict[int, bytes] | None:
    """Split the extra field into its blocks; None if their lengths do not fit."""
    blocks: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if at + 4 + length > len(extra) or (kind in blocks and kind in {_ZIP64, _UNICODE_PATH}):
            return None
        blocks[kind] = extra[at + 4 : at + 4 + length]
        at += 4 + length
    return blocks


def _wide(block: bytes, *values: int) -> list[int]:
    """Replace the values that did not fit into 32 bits by those of the zip64 block."""
    if not block:
        return [*values]
    numbers = iter(struct.unpack(f"<{len(block) // 8}Q", block[: len(block) // 8 * 8]))
    return [next(numbers, value) if value == _MAX32 else value for value in values]


def _decode(raw: bytes, blocks: dict[int, bytes] | None, path: Path) -> str:
    """Decode a name; a second name in the extra field must be the same one."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadArchiveError(
            f"A name in {path} is not UTF-8: {quoted(raw)}.",
            fix="Rename the file to plain letters, or make the archive with `invoke pack`.",
        ) from None
    second = (blocks or {}).get(_UNICODE_PATH)
    if second is not None and second[5:] != raw:
        raise BadArchiveError(
            f"{quoted(name)} in {path} has two different names.",
            why="Which of the two counts depends on the unpacker.",
            fix=REMAKE,
        )
    return name


def _data_offset(file: IO[bytes], entry: Entry, fields: bytes, raw: bytes, path: Path) -> int:
    """Compare the local header with the central one, and find where the data start.

    Args:
        file: The archive.
        entry: What the central directory says.
        fields: Its bytes from the flags to the length of the name, which both headers have.
        raw: Its name.
        path: How messages call the archive.
    """
    head = b""
    if entry.header < _MAX_OFFSET:
        file.seek(entry.header)
        head = file.read(_LOCAL.size + len(raw))
    if len(head) < _LOCAL.size + len(raw) or not head.startswith(b"PK\3\4"):
        raise BadArchiveError(
            f"{quoted(entry.name)} is listed in {path} but not there.",
            why="The archive is damaged.",
            fix=REMAKE,
        )
    extra_length = int.from_bytes(head[28:30], "little")
    blocks = _extra(file.read(extra_length)) if extra_length else {}
    if (
        head[_LOCAL.size :] != raw
        or blocks is None
        or (blocks and blocks.get(_UNICODE_PATH, b"?????" + raw)[5:] != raw)
        # Equal bytes agree, unless they only say that the value is elsewhere.
        or ((head[6:28] != fields or _UNSET in fields) and not _agree(head, entry, fields, blocks))
    ):
        raise BadArchiveError(
            f"{quoted(entry.name)} in {path} is described twice, differently.",
            why="Its local header contradicts the table of contents, so unpackers would disagree.",
            fix=REMAKE,
        )
    return entry.header + len(head) + extra_length


def _agree(head: bytes, entry: Entry, fields: bytes, blocks: dict[int, bytes]) -> bool:
    """Compare two headers that are not the same bytes, as far as they must be the same."""
    flags, method, _, _, crc, packed, size, name_length, _ = _LOCAL.unpack_from(head)[2:]
    central_flags, name_end = int.from_bytes(fields[:2], "little"), len(head) - _LOCAL.size
    # Whether a name is marked as UTF-8 matters only where it is not ASCII.
    harmless = _HARMLESS | (_UTF8 if entry.name.isascii() else 0)
    if name_length != name_end or method != entry.method or (flags ^ central_flags) & ~harmless:
        return False
    size, packed = _wide(blocks.get(_ZIP64, b""), size, packed)
    pairs = ((crc, entry.crc), (packed, entry.packed), (size, entry.size))
    # Written as a stream, the header came before checksum and sizes were known.
    unknown = {0, _MAX32} if flags & _STREAMED else set()
    return all(local == central or local in unknown for local, central in pairs)


def _check_layout(entries: list[Entry], end: int, path: Path) -> int:
    """Check that no two entries share bytes; give the number of bytes that no entry owns."""
    gap = position = 0
    for entry in sorted(entries, key=lambda entry: entry.header):
        if entry.header < position:
            raise BadArchiveError(
                f"{quoted(entry.name)} overlaps another file in {path}.",
                why="Overlapping files are how zip bombs are built.",
                fix=REMAKE,
            )
        gap += max(0, entry.header - position - _DESCRIPTOR_BYTES)
        position = entry.data + entry.packed
        if position > end:
            raise _damaged(path, entry.name, "its data run past the end")
    return gap + max(0, end - position - _DESCRIPTOR_BYTES)
