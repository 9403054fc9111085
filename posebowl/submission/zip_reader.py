"""Read the structure of an untrusted zip, and refuse what two unpackers might read differently.

Python's zipfile is lenient on purpose (it cuts names at NUL, skips bytes in front, believes the
central directory), and it would read a directory of any size; so the structure is read here,
and the sizes are checked before anything is read. Numbers and layouts are those of PKWARE's
APPNOTE.TXT, sections 4.3 to 4.6.
"""

from __future__ import annotations

import bz2
import stat
import struct
import zlib
from pathlib import Path
from typing import IO, Final, NamedTuple

from posebowl.errors import BadArchiveError
from posebowl.submission.zip_end import REMAKE, find_end, quoted

STORED: Final = 0
DEFLATED: Final = 8
DEFLATED64: Final = 9
"""Deflate with a larger window, which Windows uses above 2 GiB: unzip reads it, Python does not."""
BZIP2: Final = 12
DIRECTORY_BYTES: Final = 64 << 20
"""Largest central directory that is read: 100 000 entries with names of 500 bytes fit."""


_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s2B5H3L5H2L")
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
_DOS_FOLDER: Final = 0x10
_UNIX: Final = 3
"""Made by a system on which unzip takes names as they are; those of DOS it converts."""
_VERSION: Final = 46
"""The newest version of the format, times ten, that Info-ZIP's unzip 6.00 unpacks."""
_UTF8: Final = 1 << 11
_AES: Final = 99
_METHODS: Final = {14: "14 (LZMA)", 93: "93 (Zstandard)", 95: "95 (XZ)", 98: "98 (PPMd)"}
"""What newer zip programs offer, and unzip does not read."""
_DESCRIPTOR_BYTES: Final = 24
_SHORTEST_DESCRIPTOR: Final = 12
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
    unix: bool
    """Made by a Unix tool: only there unzip takes a mode for more than permissions."""
    header: int
    """Offset of the local header."""
    data: int
    """Offset of the first byte of data."""
    behind: int
    """Bytes that must follow the data: the shortest data descriptor, where one is announced."""
    plain_name: bool
    """All unpackers agree on the name: it is ASCII, or marked as UTF-8 in a way that they know."""


class Directory(NamedTuple):
    """The table of contents."""

    entries: list[Entry]
    gap_bytes: int
    """Bytes between the entries and behind the end, which belong to none of them."""


def read_directory(file: IO[bytes], path: Path, *, max_entries: int) -> Directory:
    """Read and cross-check the central directory and every local header.

    Args:
        file: The archive.
        path: How messages call it.
        max_entries: More entries than this are refused before they are read.

    Raises:
        BadArchiveError: It is not a zip, is cut short, encrypted, or contradicts itself.
    """
    end = find_end(file, path)
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
    gaps = _check_layout(entries, end.offset, path)
    return Directory(entries, gaps + end.behind)


def read_member(file: IO[bytes], entry: Entry, path: Path, *, limit: int) -> bytes:
    """Inflate one file, whole if it is no longer than `limit` bytes, else its beginning.

    Raises:
        BadArchiveError: Its data are damaged, or unpack to another size than declared.
    """
    file.seek(entry.data)
    wanted = min(entry.size, limit)
    # Both methods may swell data a little, but never to this: longer input hides something.
    room = 2 * wanted + (64 << 10)
    content, ended = file.read(min(entry.packed, room)), True
    if entry.method in {DEFLATED, BZIP2}:
        deflated = entry.method == DEFLATED
        inflater = zlib.decompressobj(-zlib.MAX_WBITS) if deflated else bz2.BZ2Decompressor()
        try:
            content = inflater.decompress(content, wanted + 1)
        except (zlib.error, OSError, EOFError) as error:
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
    """Read one entry and its local header; return it with where the next entry starts."""
    fields = _CENTRAL.unpack_from(directory, at)
    system, version, flags, method = fields[2:6]
    crc, packed, size, name_length, extra_length, comment_length, disk, _, attributes, header = (
        fields[8:]
    )
    name_end = at + _CENTRAL.size + name_length
    raw = directory[at + _CENTRAL.size : name_end]
    blocks = _extra(directory[name_end : name_end + extra_length])
    stop = name_end + extra_length + comment_length
    name = _decode(raw, flags, blocks or {}, path)
    if (
        stop > len(directory)
        or blocks is None
        or disk not in {0, _MAX16}
        or _of_future(raw, blocks)
    ):
        raise BadArchiveError(f"The entry {quoted(name)} of {path} is broken.", fix=REMAKE)
    if (
        version & 0xFF > _VERSION
        or flags & _UNUSUAL
        or method not in {STORED, DEFLATED, DEFLATED64, BZIP2}
    ):
        raise _unreadable(name, (version & 0xFF, flags, method), path)
    size, packed, header = _wide(blocks.get(_ZIP64, b""), size, packed, header)
    if method == STORED and packed != size:
        raise _damaged(path, name, "stored data have two sizes")
    unix, second = system == _UNIX, second_name(raw, blocks)
    plain = bool(unix and flags & _UTF8) or second is not None or raw.isascii()
    mode = attributes >> 16
    if not unix and attributes & _DOS_FOLDER and not raw.endswith(b"/"):
        mode = stat.S_IFDIR  # to 7z and libarchive, and a file to unzip
    entry = Entry(name, method, crc, packed, size, mode, unix, header, 0, 0, plain)
    central = _Central(directory[at + 8 : at + 30], raw, second)
    data, behind = _find_data(file, entry, central, path)
    return entry._replace(data=data, behind=behind), stop


def _unreadable(name: str, needs: tuple[int, int, int], path: Path) -> BadArchiveError:
    """Return the error for an entry that needs what unzip or this reader lacks."""
    version, flags, method = needs
    if version > _VERSION and method not in _METHODS.keys() | {_AES}:
        return BadArchiveError(
            f"{quoted(name)} in {path} needs version {version / 10} of the zip format.",
            why=f"The platform's unzip knows {_VERSION / 10}.",
            fix=REMAKE,
        )
    if flags & _ENCRYPTED or method == _AES:
        return BadArchiveError(
            f"{quoted(name)} in {path} is encrypted.",
            why="Nobody is there to type the password.",
            fix="Zip it again without one.",
        )
    return BadArchiveError(
        f"{quoted(name)} in {path} is packed by method {_METHODS.get(method, method)}.",
        why="Only stored (0), deflated (8 and 9) and bzip2 (12) files can be read.",
        fix="Choose Deflate in the zip program, or make the archive with `invoke pack`.",
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


def _of_future(raw: bytes, blocks: dict[int, bytes]) -> bool:
    """Check for a name in a version of the Unicode path field that only some unpackers ignore."""
    block = blocks.get(_UNICODE_PATH, b"")
    return block[:1] > b"\1" and block[1:5] == struct.pack("<L", zlib.crc32(raw))


def second_name(raw: bytes, blocks: dict[int, bytes]) -> bytes | None:
    """Return the name in UTF-8 that a Unicode path field brings, if it belongs to this name."""
    block = blocks.get(_UNICODE_PATH, b"")
    # Whoever renames an entry without knowing the field leaves it behind: then it is ignored.
    if block[:5] != struct.pack("<BL", 1, zlib.crc32(raw)):
        return None
    return block[5:]


def _decode(raw: bytes, flags: int, blocks: dict[int, bytes], path: Path) -> str:
    """Decode a name: UTF-8 where that fits, else the code page of DOS, which fits any bytes."""
    second = second_name(raw, blocks)
    try:
        return (raw if second is None else second).decode()
    except UnicodeDecodeError:
        if second is None and not flags & _UTF8:
            return raw.decode("cp437")
    raise BadArchiveError(
        f"A name in {path} is not UTF-8: {quoted(raw)}.",
        fix="Rename the file to plain letters, or make the archive with `invoke pack`.",
    )


class _Central(NamedTuple):
    """What the table of contents has of an entry, to compare with its local header."""

    fields: bytes
    """From the flags to the length of the name, which both headers have."""
    raw: bytes
    """The name."""
    second: bytes | None
    """The name in the Unicode path field."""


def _find_data(file: IO[bytes], entry: Entry, central: _Central, path: Path) -> tuple[int, int]:
    """Compare the local header with the central one.

    Returns:
        Where the data start, and how many bytes must follow them.
    """
    fields, raw, second = central
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
        or (second_name(raw, blocks) or raw) != (second or raw)
        # Equal bytes agree, unless they only say that the value is elsewhere.
        or ((head[6:28] != fields or _UNSET in fields) and not _agree(head, entry, fields, blocks))
    ):
        raise BadArchiveError(
            f"{quoted(entry.name)} in {path} is described twice, differently.",
            why="Its local header contradicts the table of contents, so unpackers would disagree.",
            fix=REMAKE,
        )
    behind = _SHORTEST_DESCRIPTOR if head[6] & _STREAMED else 0
    return entry.header + len(head) + extra_length, behind


def _agree(head: bytes, entry: Entry, fields: bytes, blocks: dict[int, bytes]) -> bool:
    """Compare two headers that are not the same bytes, as far as they must be the same."""
    flags, method, _, _, crc, packed, size, name_length, _ = _LOCAL.unpack_from(head)[2:]
    central_flags, name_end = int.from_bytes(fields[:2], "little"), len(head) - _LOCAL.size
    if name_length != name_end or method != entry.method or (flags ^ central_flags) & ~_HARMLESS:
        return False
    size, packed = _wide(blocks.get(_ZIP64, b""), size, packed)
    pairs = ((crc, entry.crc), (packed, entry.packed), (size, entry.size))
    # Written as a stream, the header came before checksum and sizes were known.
    unknown = {0, _MAX32} if flags & _STREAMED else set()
    return all(local == central or local in unknown for local, central in pairs)


def _check_layout(entries: list[Entry], end: int, path: Path) -> int:
    """Check that no two entries share bytes; return the number of bytes that no entry owns."""
    gap = position = 0
    for entry in sorted(entries, key=lambda entry: entry.header):
        if entry.header < position:
            raise BadArchiveError(
                f"{quoted(entry.name)} overlaps another file in {path}.",
                why="Overlapping files are how zip bombs are built.",
                fix=REMAKE,
            )
        gap += max(0, entry.header - position - _DESCRIPTOR_BYTES)
        position = entry.data + entry.packed + entry.behind
        if position > end:
            raise _damaged(path, entry.name, "its data run past the end")
    return gap + max(0, end - position - _DESCRIPTOR_BYTES)
