"""The entries of a tar, compressed or not, or of a zip; the bytes show which it is."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Final, cast

_BLOCK: Final = 512
_METHODS: Final = (
    zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA
)  # fmt: skip
_OTHERS: Final = (
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "tar --zstd -xf"),
    (b"\x04\x22\x4d\x18", "compressed by lz4", "tar -I lz4 -xf"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
    (b"Rar!", "a RAR archive", "unrar x"),
)
"""Their first bytes, what they are, and the command that unpacks them."""
DAMAGE: Final = (
    tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError,
    NotImplementedError, RuntimeError, OSError, ValueError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Member:
    """An entry of an archive, of whatever kind."""

    path: str
    size: int
    regular: bool
    folder: bool
    open: Callable[[], IO[bytes]]


def opener(file: IO[bytes]) -> Callable[[IO[bytes]], IO[bytes]] | None:
    """Return how a tar is decompressed, by its first bytes and not by its name."""
    openers: dict[bytes, Callable[[IO[bytes]], object]] = {
        b"\x1f\x8b": gzip.open,
        b"BZh": bz2.open,
        b"\xfd7zXZ\0": lzma.open,
    }
    head = file.read(6)
    file.seek(0)
    found = next((opener for magic, opener in openers.items() if head.startswith(magic)), None)
    return cast("Callable[[IO[bytes]], IO[bytes]] | None", found)


def other_tool(file: IO[bytes]) -> tuple[str, str] | None:
    """Return what an archive is that only another program unpacks, and that program's command."""
    head = file.read(8)
    file.seek(0)
    for magic, kind, command in _OTHERS:
        if head.startswith(magic):
            return kind, command
    if head.startswith(b"PK"):
        with contextlib.suppress(*DAMAGE), zipfile.ZipFile(file) as archive:
            methods = {info.compress_type for info in archive.infolist()}
            if methods - {*_METHODS}:
                kind = "packed by Deflate64" if 9 in methods else f"packed by method {max(methods)}"
                return kind, "unzip"
    return None


def members(file: IO[bytes]) -> Iterator[Member]:
    """Yield the entries of an archive in their order; each must be read before the next."""
    head = file.read(4)
    file.seek(0)
    if head in {b"PK\x03\x04", b"PK\x05\x06"}:
        yield from _zip_members(file)
        return
    opened = opener(file)
    yield from _tar_members(opened(file) if opened else file)


def _zip_members(file: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            yield Member(
                path=info.filename,
                size=info.file_size,
                # Archives made on Windows carry no mode.
                regular=not info.is_dir() and stat.S_IFMT(mode) in {0, stat.S_IFREG},
                folder=info.is_dir(),
                open=partial(archive.open, info),
            )


class _LastRead:
    """A stream that remembers its last read: tarfile does not tell an end from a cut."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.last = b""
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        self.last = self.stream.read(size)
        return self.last


def _tar_members(stream: IO[bytes]) -> Iterator[Member]:
    """Yield the entries of a tar.

    tarfile ends quietly at a header that is damaged or missing; an archive that is whole ends
    with a block of zeros.
    """
    watched = _LastRead(stream)
    with tarfile.open(fileobj=cast("IO[bytes]", watched), mode="r:") as archive:
        while (info := archive.next()) is not None:
            yield Member(
                path=info.name,
                size=info.size,
                regular=info.isreg() and not info.issparse(),
                folder=info.isdir(),
                open=cast("Callable[[], IO[bytes]]", partial(archive.extractfile, info)),
            )
    if watched.last != bytes(_BLOCK):
        raise tarfile.ReadError("it does not end as a tar does")
