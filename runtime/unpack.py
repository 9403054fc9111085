"""Unpack a submission inside its sandbox: `python -I unpack.py SUBMISSION.ZIP DEST`.

It stands alone (standard library, Python 3.8 or newer), because it runs where the project is
not. It unpacks what the platform's unzip does: stored, deflated and bzip2 data, symbolic links
that stay inside, and Deflate64, which Python cannot read, with unzip itself. The host has checked
the archive already; this refuses again whatever could escape DEST or fill the disk, and counts
bytes while inflating, which the host, who never unpacks, cannot.

Exit codes: 0 unpacked, 2 wrong arguments or DEST not empty, 3 bad archive, 4 DEST cannot be
written (a full disk, for instance). An error is one line on stderr.
"""

from __future__ import annotations

import argparse
import bz2
import os
import re
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import IO, Iterator, NamedTuple, NoReturn  # noqa: UP035 (Python 3.8)

USAGE, BAD_ARCHIVE, NO_WRITE = 2, 3, 4
CHUNK = 1 << 20
MAX_BYTES = 40 << 30
MAX_ENTRIES = 100_000
MAX_RATIO = 200
SMALL_BYTES = 100 << 20
"""An archive that unpacks to no more than this is no bomb, whatever its ratio."""
ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
UTF8 = 1 << 11
UNIX = 3
UNICODE_PATH = 0x7075
DEFLATED64 = 9
VERSION = 46
"""The newest version of the format, times ten, that unzip unpacks."""
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, DEFLATED64, zipfile.ZIP_BZIP2}
LOCAL = struct.Struct("<4s5H3L2H")
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
    NotImplementedError,
)
"""What zipfile and its helpers raise at broken input."""


class BadArchive(Exception):  # noqa: N818 (the name of the verdict)
    """The archive is not acceptable; the message is one sentence."""


class WrongUsage(Exception):  # noqa: N818
    """The arguments name what cannot be used."""


class Item(NamedTuple):
    """What becomes of one entry."""

    entry: zipfile.ZipInfo
    path: tuple[str, ...]
    folder: bool
    link: bool


def main() -> int:
    """Unpack as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("destination", type=Path, help="a folder, empty or not there yet")
    parser.add_argument("--max-bytes", type=int, default=MAX_BYTES, help="of all files together")
    words = parser.parse_args()
    try:
        with open_archive(words.archive) as file:
            unpack(file, words.destination, words.max_bytes)
    except WrongUsage as error:
        return fail(USAGE, str(error))
    except OSError as error:
        return fail(NO_WRITE, f"{error.filename or words.destination}: {error.strerror}")
    except (BadArchive, *BROKEN) as error:
        return fail(BAD_ARCHIVE, f"{words.archive}: {error or type(error).__name__}")
    return 0


def fail(code: int, message: str) -> int:
    """Say one line, with all that does not print as an escape."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message)
    print(f"unpack: {text}", file=sys.stderr)
    return code


def open_archive(path: Path) -> IO[bytes]:
    """Open the archive; it was put there by the host."""
    try:
        if not path.is_file():
            raise WrongUsage(f"{path} is not there or not a file")
        return path.open("rb")
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}") from None


def unpack(file: IO[bytes], destination: Path, max_bytes: int) -> None:
    """Check the whole table of contents, then write."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    check_sizes(entries, max_bytes, os.fstat(file.fileno()).st_size)
    items = check_tree([check_entry(entry) for entry in entries])
    links = {item.path: link_target(file, item) for item in items if item.link}
    destination.mkdir(parents=True, exist_ok=True)
    if any(destination.iterdir()):
        raise WrongUsage(f"{destination} is not empty")
    for item in items:
        target = destination.joinpath(*item.path)
        (target if item.folder else target.parent).mkdir(parents=True, exist_ok=True)
        if not item.folder and not item.link:
            write(file, item.entry, target)
    # Links come last: nothing is ever written through one.
    for path, leads_to in links.items():
        destination.joinpath(*path).symlink_to(leads_to)


def check_sizes(entries: list[zipfile.ZipInfo], max_bytes: int, archive_bytes: int) -> None:
    """Refuse what is too much by its own words."""
    if len(entries) > MAX_ENTRIES:
        raise BadArchive(f"it holds {len(entries)} entries; at most {MAX_ENTRIES} are allowed")
    total = sum(entry.file_size for entry in entries)
    if total > max_bytes:
        raise BadArchive(f"it unpacks to {total} bytes; at most {max_bytes} are allowed")
    if total > SMALL_BYTES and total > MAX_RATIO * archive_bytes:
        raise BadArchive(f"it is a bomb: {archive_bytes} bytes unpack to {total}")
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            refuse(entry, "overlaps another file")
        end = entry.header_offset + LOCAL.size + entry.compress_size


def check_tree(items: list[Item]) -> list[Item]:
    """Refuse names that are there twice, or both as a file and as a folder."""
    tree = {item.path: item for item in items}
    if len(tree) < len(items):
        again = next(item for item in items if tree[item.path] is not item)
        refuse(again.entry, "is there twice")
    for item in items:
        for depth in range(1, len(item.path)):
            above = tree.get(item.path[:depth])
            if above is not None and not above.folder:
                refuse(above.entry, "is both a file and a folder")
    return items


def check_entry(entry: zipfile.ZipInfo) -> Item:
    """Refuse names that lead out of the destination, and what is no file or folder."""
    name = name_of(entry)
    if name.startswith("/") or "\\" in name or name[1:2] == ":":
        refuse(entry, "is not a relative path")
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name):
        refuse(entry, "has control characters in its name")
    path = tuple(part for part in name.split("/") if part not in {"", "."})
    folder = name.endswith("/")
    if ".." in path:
        refuse(entry, "leads out of the archive")
    if not path and not folder:
        refuse(entry, "has no name")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    link = kind == stat.S_IFLNK and entry.create_system == UNIX and not folder
    if not link and (
        kind not in {0, stat.S_IFDIR if folder else stat.S_IFREG} or (folder and entry.file_size)
    ):
        refuse(entry, "is neither a file, a folder nor a link")
    if entry.flag_bits & ENCRYPTED:
        refuse(entry, "is encrypted")
    if entry.extract_version > VERSION:
        refuse(entry, f"needs version {entry.extract_version / 10} of the format")
    if entry.compress_type not in METHODS:
        refuse(entry, f"is packed by method {entry.compress_type}")
    return Item(entry, path, folder, link)


def raw_name(entry: zipfile.ZipInfo) -> bytes:
    """Return the bytes of a name: zipfile takes what is not marked as UTF-8 for code page 437."""
    return entry.orig_filename.encode("utf-8" if entry.flag_bits & UTF8 else "cp437")


def name_of(entry: zipfile.ZipInfo) -> str:
    """Return the name that the host sees too: UTF-8 wherever it is, else code page 437."""
    raw, extra = raw_name(entry), entry.extra
    head = struct.pack("<BL", 1, zlib.crc32(raw))
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        block, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == UNICODE_PATH and block.startswith(head):
            return block[len(head) :].decode("utf-8")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return entry.orig_filename


def link_target(file: IO[bytes], item: Item) -> str:
    """Read where a link leads, and refuse whatever is not below the destination.

    `..` may stand only in front, where it counts from a real folder: nothing lies below a link.
    """
    if not 0 < item.entry.file_size <= 4096:
        refuse(item.entry, "is a link that leads nowhere")
    target = b"".join(checked(file, item.entry))
    parts = [part for part in target.split(b"/") if part not in {b"", b"."}]
    up = next((number for number, part in enumerate(parts) if part != b".."), len(parts))
    outside = target.startswith(b"/") or b"\0" in target or up >= len(item.path)
    if outside or b".." in parts[up:]:
        refuse(item.entry, "is a link that leads out of the archive")
    return os.fsdecode(target)


def refuse(entry: zipfile.ZipInfo, why: str) -> NoReturn:
    """Raise BadArchive about one entry."""
    raise BadArchive(f"{entry.orig_filename!r} {why}")


def write(file: IO[bytes], entry: zipfile.ZipInfo, target: Path) -> None:
    """Write one file, never over another, with its executable bits, never setuid."""
    mode = entry.external_attr >> 16 & 0o777 or 0o644
    # Its owner may always read and change it, as after a copy; nobody else may change it.
    mode = (mode | 0o600) & ~0o022
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(target, flags | getattr(os, "O_BINARY", 0), 0o600), "wb") as out:
        for block in checked(file, entry):
            out.write(block)
    target.chmod(mode)


def checked(file: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content, as long as it keeps to what the entry declares."""
    size = checksum = 0
    for block in inflated(file, entry):
        size += len(block)
        if size > entry.file_size:
            refuse(entry, f"unpacks to more than the {entry.file_size} bytes it declares")
        checksum = zlib.crc32(block, checksum)
        yield block
    if size != entry.file_size or checksum != entry.CRC:
        refuse(entry, "is damaged")


def inflated(file: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content in blocks of a bounded size, to the end of what is there.

    Not by zipfile, which stops at the declared size and so would hide that there is more.
    """
    file.seek(entry.header_offset)
    head = LOCAL.unpack(file.read(LOCAL.size))
    raw = raw_name(entry)
    if head[0] != b"PK\3\4" or file.read(head[9]) != raw or head[3] != entry.compress_type:
        refuse(entry, "is described twice, differently")
    file.seek(head[10], os.SEEK_CUR)
    if entry.compress_type == zipfile.ZIP_STORED:
        return stored(file, entry)
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        return deflated(file, entry)
    return (
        bzipped(file, entry) if entry.compress_type == zipfile.ZIP_BZIP2 else unzipped(file, entry)
    )


def stored(file: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the packed data as they are."""
    left = entry.compress_size
    while left:
        block = file.read(min(left, CHUNK))
        if not block:
            refuse(entry, "is damaged")
        left -= len(block)
        yield block


def deflated(file: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield what deflated data hold."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for packed in stored(file, entry):
        if inflater.eof:
            refuse(entry, "is damaged")
        block = packed
        while block and not inflater.eof:
            yield inflater.decompress(block, CHUNK)
            block = inflater.unconsumed_tail
    yield inflater.flush()
    if not inflater.eof or inflater.unused_data:
        refuse(entry, "is damaged")


def bzipped(file: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield what bzip2 data hold."""
    inflater = bz2.BZ2Decompressor()
    for packed in stored(file, entry):
        if inflater.eof:
            refuse(entry, "is damaged")
        block = packed
        while not inflater.eof and (block or not inflater.needs_input):
            try:
                content = inflater.decompress(block, CHUNK)
            except OSError:
                refuse(entry, "is damaged")
            yield content
            block = b""
    if not inflater.eof or inflater.unused_data:
        refuse(entry, "is damaged")


def unzipped(file: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield what unzip makes of Deflate64 data; size and checksum tell whether it is right."""
    name = entry.orig_filename
    if not name.isascii():
        refuse(entry, "is packed by Deflate64 and has a name outside ASCII")
    argv = ["unzip", "-p", file.name, re.sub(r"(^-|[*?[])", r"[\1]", name)]
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        refuse(entry, "is packed by Deflate64, which needs unzip, and there is none here")
    with process:
        try:
            while block := process.stdout.read(CHUNK) if process.stdout else b"":
                yield block
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
