"""Submission zips as data, good and bad, with what the host and the unpacker must say to each.

Python's zipfile refuses to write most of these, so they are put together field by field. The
engine tests reuse CASES: `case.write(path)` makes the file.
"""

from __future__ import annotations

import bz2
import dataclasses
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from posebowl.errors import Verdict

MAIN = b"#!/bin/sh\ncp data/submission_format.csv submission/submission.csv\n"
UTF8 = 1 << 11
FOLDER = (stat.S_IFDIR | 0o755) << 16 | 0x10
REGULAR = (stat.S_IFREG | 0o644) << 16


@dataclass(frozen=True, kw_only=True)
class Member:
    """One entry; what is None is what an honest tool would write."""

    name: bytes
    data: bytes = b""
    """What lies in the archive: for `method` 8, already deflated."""
    method: int = 0
    flags: int = 0
    size: int | None = None
    crc: int | None = None
    attributes: int | None = None
    system: int = 3
    """What made it: 3 is Unix, 0 is DOS."""
    version: int = 20
    """Of the format, times ten, that an unpacker must know."""
    extra: bytes = b""
    local_name: bytes | None = None
    local_size: int | None = None
    local_extra: bytes = b""
    offset: int | None = None
    """Where the central directory says that the local header is."""


def build(*members: Member, comment: bytes = b"", total: int | None = None) -> bytes:
    """Put a zip together."""
    body, central = bytearray(), bytearray()
    for member in members:
        offset = len(body) if member.offset is None else member.offset
        size = len(member.data) if member.size is None else member.size
        crc = zlib.crc32(member.data) if member.crc is None else member.crc
        local = member.name if member.local_name is None else member.local_name
        local_size = size if member.local_size is None else member.local_size
        common = (member.flags, member.method, 0, 0x21, crc, len(member.data))
        if member.offset is None:
            body += struct.pack(
                "<4s5H3L2H", b"PK\3\4", 20, *common, local_size, len(local), len(member.local_extra)
            )
            body += local + member.local_extra + member.data
        lengths = (len(member.name), len(member.extra), 0, 0, 0)
        attributes = FOLDER if member.name.endswith(b"/") else REGULAR
        if member.attributes is not None:
            attributes = member.attributes
        made_by = (20, member.system, member.version)
        rest = (size, *lengths, attributes, offset)
        central += struct.pack("<4s2B5H3L5H2L", b"PK\1\2", *made_by, *common, *rest)
        central += member.name + member.extra
    count = len(members) if total is None else total
    end64 = b""
    if count > 0xFFFF:
        fields = (44, 45, 45, 0, 0, count, count, len(central), len(body))
        end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", *fields)
        end64 += struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(central), 1)
    small = min(count, 0xFFFF)
    end = (0, 0, small, small, len(central), len(body), len(comment))
    return bytes(body + central) + end64 + struct.pack("<4s4H2LH", b"PK\5\6", *end) + comment


def main(data: bytes = MAIN, **fields: int) -> Member:
    """Give an honest main.sh, or one with the given fields."""
    return Member(name=b"main.sh", data=data, **fields)  # type: ignore[arg-type]


def zeros(mebibytes: int) -> bytes:
    """Deflate so many MiB of zeros, in no time: one block after another of the same bytes."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflater.compress(bytes(1 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return block * mebibytes + deflater.flush()


def zeros_crc(size: int) -> int:
    return zlib.crc32(bytes(size))


def deflated(name: bytes, content: bytes) -> Member:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = deflater.compress(content) + deflater.flush()
    return Member(name=name, data=data, method=8, size=len(content), crc=zlib.crc32(content))


def unicode_path(name: bytes, other: bytes) -> bytes:
    """Give the extra field by which Info-ZIP tells a name in UTF-8."""
    content = struct.pack("<BL", 1, zlib.crc32(name)) + other
    return struct.pack("<2H", 0x7075, len(content)) + content


def tree(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    """Zip files as an ordinary tool does."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2024, 5, 4, 3, 2, 0))
            info.external_attr = (stat.S_IFREG | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return memory.getvalue()


def streamed() -> bytes:
    """Zip to a pipe, so that sizes follow the data."""

    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.written += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("main.sh", MAIN)
        archive.writestr("src/é.py", "x = 1\n")
    return pipe.written


@dataclass(frozen=True, kw_only=True)
class Case:
    """An archive and what must be said to it."""

    name: str
    build: Callable[[], bytes]
    verdict: Verdict = Verdict.BAD_ARCHIVE
    hint: str = ""
    """A part of what `inspect` says, in small letters; of a warning where the verdict is OK."""
    unpack_refuses: bool = True
    """The unpacker, which only cares for the safety of unpacking, refuses it too."""
    seen_unpacking: bool = False
    """Only unpacking can show it: `inspect` lets it pass."""

    def write(self, path: Path) -> Path:
        """Make the file."""
        path.write_bytes(self.build())
        return path


def ok(name: str, make: Callable[[], bytes], warning: str = "") -> Case:
    return Case(name=name, build=make, verdict=Verdict.OK, hint=warning, unpack_refuses=False)


def bad(name: str, make: Callable[[], bytes], hint: str) -> Case:
    return Case(name=name, build=make, hint=hint)


def useless(name: str, make: Callable[[], bytes], hint: str) -> Case:
    """Make a case that can be unpacked safely and yet is not a submission."""
    return Case(name=name, build=make, hint=hint, unpack_refuses=False)


def both(extra: bytes) -> dict[str, bytes]:
    """Put an extra field into both headers."""
    return {"extra": extra, "local_extra": extra}


def named(name: bytes, **fields) -> Callable[[], bytes]:
    return lambda: build(main(), Member(name=name, data=b"x", **fields))


def scripted(content: bytes) -> Callable[[], bytes]:
    return lambda: build(main(content))


def overlapping() -> bytes:
    """Make two entries of the same bytes, as bombs of a better kind do."""
    return build(main(), Member(name=b"main.sh", data=MAIN, offset=0))


def shared_data() -> bytes:
    """Hide a whole local header and its data inside the data of another entry."""
    inner = build(Member(name=b"b", data=b"x" * 100))[: 30 + 1 + 100]
    first = len(build(main())) - 22 - 46 - len(b"main.sh")
    outer = Member(name=b"a", data=inner)
    return build(main(), outer, Member(name=b"b", data=b"x" * 100, offset=first + 30 + 1))


LINK = (stat.S_IFLNK | 0o777) << 16


def link(name: bytes, target: bytes, **fields: int) -> Member:
    """Make a symbolic link."""
    return Member(name=name, data=target, attributes=LINK, **fields)  # type: ignore[arg-type]


def linked(name: bytes, target: bytes, **fields: int) -> Callable[[], bytes]:
    return lambda: build(main(), Member(name=b"a/b/c", data=b"x"), link(name, target, **fields))


def bzipped(name: bytes, content: bytes) -> Member:
    data = bz2.compress(content)
    return Member(name=name, data=data, method=12, size=len(content), crc=zlib.crc32(content))


def deflated64(name: bytes, content: bytes) -> Member:
    """Deflate without matches: the two kinds of Deflate differ only in the longest of them."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    data = deflater.compress(content) + deflater.flush()
    return Member(name=name, data=data, method=9, size=len(content), crc=zlib.crc32(content))


def bzip2_bomb() -> bytes:
    """Declare a thousand zeros, and compress 64 MiB of them."""
    data = bz2.compress(bytes(64 << 20))
    return build(main(), Member(name=b"w", data=data, method=12, size=1000, crc=zeros_crc(1000)))


def lying_bomb() -> bytes:
    """Declare a thousand zeros, with their checksum, and deflate a gibibyte of them."""
    data = zeros(1024)
    return build(main(), Member(name=b"w", data=data, method=8, size=1000, crc=zeros_crc(1000)))


OK_CASES = [
    ok("ok_min", scripted(MAIN)),
    ok("noexec", scripted(b"exit 0\n")),
    ok("ordinary tool", lambda: tree({"main.sh": MAIN, "src/a/b.py": b"import os\n"}, 0o755)),
    ok("streamed", streamed),
    ok("dot names", lambda: build(Member(name=b"./main.sh", data=MAIN), Member(name=b"./"))),
    ok("setuid", named(b"tool", attributes=(stat.S_IFREG | 0o6755) << 16)),
    ok("no mode", named(b"tool", attributes=0), "not even the owner may read"),
    ok("unmarked utf-8", named("é".encode()), "not marked as utf-8"),
    ok("case", lambda: build(main(), Member(name=b"a.py"), Member(name=b"A.py")), "by case"),
    ok("bom", scripted(b"\xef\xbb\xbf#!/bin/sh\nexit 0\n"), "byte order mark"),
    ok("unparsable", scripted(b"if true; then\n"), "cannot parse"),
    ok("comment", lambda: build(main(), comment=b"made by hand")),
    ok("bytes behind", lambda: build(main()) + b"x" * 9, "9 b in the zip belong to no file"),
    ok("bytes behind a comment", lambda: build(main(), comment=b"c") + bytes(5000), "belong to no"),
    ok("zip inside", lambda: build(main(), Member(name=b"inner.zip", data=build(main())))),
    ok("bzip2", lambda: build(bzipped(b"main.sh", MAIN), bzipped(b"w", bytes(99_999)))),
    ok("deflate64", lambda: build(main(), deflated64(b"w[1].pt", b"abc" * 99)), "by deflate64"),
    ok("deflate64 main", lambda: build(deflated64(b"main.sh", MAIN)), "not looked into"),
    ok("code page", named(b"caf\x82.py", system=0), "outside ascii"),
    ok("code page, unix", named(b"caf\x82.py"), "outside ascii"),
    ok("utf-8, dos", named("é".encode(), system=0, flags=UTF8), "outside ascii"),
    ok("unicode field", named(b"caf\x82.py", **both(unicode_path(b"caf\x82.py", "é".encode())))),
    ok(
        "unicode field of another name",
        named(b"a.py", **both(unicode_path(b"b.py", b"../x"))),
    ),
    ok("link", linked(b"l", b"a/b")),
    ok("link up", linked(b"a/l", b"../main.sh")),
    ok("link to a link", lambda: build(main(), link(b"l", b"main.sh"), link(b"a/k", b"./../l"))),
    ok("dangling link", linked(b"l", b"results/later"), "not in the zip"),
    ok("link to itself", linked(b"l", b"l")),
    ok(
        "main linked",
        lambda: build(Member(name=b"src/run", data=MAIN), link(b"main.sh", b"src/run")),
    ),
]
"""Archives that must be accepted."""

BAD_CASES = [
    bad("slip", named(b"../x"), "leads out"),
    bad("slip inside", named(b"a/../../x"), "leads out"),
    bad("absolute path", named(b"/etc/x"), "absolute path"),
    bad("backslash", named(b"a\\x"), "backslash"),
    bad("backslash slip", named(b"..\\x"), "backslash"),
    bad("drive", named(b"C:/x"), "drive letter"),
    bad("ziplink", linked(b"data", b"/etc/passwd"), "absolute path"),
    bad("link slip", linked(b"l", b"../x"), "leads out"),
    bad("link slip below", linked(b"a/l", b"../../x"), "leads out"),
    bad("link to the folder above", linked(b"l", b".."), "leads out"),
    bad("link down and up", linked(b"a/l", b"b/../../x"), "down and up"),
    bad(
        "link by a link",
        lambda: build(main(), link(b"a/b/up", b"../.."), link(b"a/b/out", b"up/../x")),
        "down and up",
    ),
    bad("link without a target", linked(b"l", b""), "leads nowhere"),
    bad("link with a long target", linked(b"l", b"a/" * 3000), "leads nowhere"),
    bad("link with a nul", linked(b"l", b"a\0b"), "nul byte"),
    bad("link of dos", linked(b"l", b"main.sh", system=0), "a file for others"),
    bad(
        "below a link", lambda: build(main(), link(b"l", b"a"), Member(name=b"l/x")), "both a file"
    ),
    bad("link and file", lambda: build(main(), link(b"l", b"main.sh"), Member(name=b"l")), "twice"),
    bad("link and folder", lambda: build(main(), link(b"l", b"a"), Member(name=b"l/")), "twice"),
    useless("main leads nowhere", lambda: build(link(b"main.sh", b"run.sh")), "does not lead to"),
    useless("main leads to itself", lambda: build(link(b"main.sh", b"main.sh")), "does not lead"),
    bad("unicode slip", named(b"a", **both(unicode_path(b"a", b"../x"))), "leads out"),
    bad(
        "unicode duplicate",
        lambda: build(main(), Member(name=b"a", **both(unicode_path(b"a", b"main.sh")))),
        "twice",
    ),
    Case(
        name="unicode not utf-8",
        build=named(b"a", **both(unicode_path(b"a", b"\xff"))),
        hint="not utf-8",
    ),
    useless("version", named(b"a.py;1"), "version number"),
    Case(name="bzip2 bomb", build=bzip2_bomb, seen_unpacking=True),
    Case(name="bzip2 damaged", build=named(b"w", method=12), seen_unpacking=True),
    Case(
        name="deflate64 lies",
        build=lambda: build(main(), dataclasses.replace(deflated64(b"w", b"x" * 5000), size=10)),
        seen_unpacking=True,
    ),
    Case(name="deflate64 damaged", build=named(b"w", method=9, size=9), seen_unpacking=True),
    bad("device", named(b"dev", attributes=(stat.S_IFCHR | 0o666) << 16), "device"),
    bad("fifo", named(b"pipe", attributes=(stat.S_IFIFO | 0o666) << 16), "pipe"),
    bad("folder with content", named(b"d/", attributes=0), "folder with content"),
    bad("file marked folder", named(b"d", attributes=stat.S_IFDIR << 16), "is a folder"),
    bad(
        "bomb",
        lambda: build(main(), Member(name=b"w", data=zeros(1024), method=8, size=1 << 30)),
        "zip bomb",
    ),
    bad("bomb 4 GB", named(b"w", method=8, size=0xFFFFFFF0), "zip bomb"),
    Case(name="lying bomb", build=lying_bomb, seen_unpacking=True),
    Case(
        name="bad checksum",
        build=named(b"w", crc=1),
        seen_unpacking=True,
    ),
    bad("overlapping", overlapping, "overlap"),
    bad("shared data", shared_data, "overlap"),
    bad("duplicate", lambda: build(main(), Member(name=b"a"), Member(name=b"a")), "twice"),
    bad("duplicate by dot", lambda: build(main(), Member(name=b"./main.sh")), "twice"),
    bad("duplicate folder", lambda: build(main(), Member(name=b"a"), Member(name=b"a/")), ""),
    bad("file and folder", lambda: build(main(), Member(name=b"a"), Member(name=b"a/b")), "both"),
    useless("nested", lambda: build(Member(name=b"sub/main.sh", data=MAIN)), "not the folder"),
    useless("no main", lambda: build(Member(name=b"run.sh", data=MAIN)), "no main.sh"),
    useless("main in capitals", lambda: build(Member(name=b"Main.sh", data=MAIN)), "rename"),
    useless("no entries", build, "no main.sh"),
    useless("main folder", lambda: build(Member(name=b"main.sh/")), "is a folder"),
    useless("main implied", lambda: build(Member(name=b"main.sh/x")), "is a folder"),
    useless("main empty", scripted(b"\n \n"), "is empty"),
    useless("crlf", scripted(MAIN.replace(b"\n", b"\r\n")), "crlf"),
    useless("utf-16", scripted(MAIN.decode().encode("utf-16")), "utf-16"),
    useless("program", scripted(b"\x7fELF\0\0\0"), "a program"),
    bad("main damaged", lambda: build(main(crc=1)), "damaged"),
    bad("main lies", lambda: build(main(zeros(16), method=8, size=9, crc=0)), "damaged"),
    bad("encrypted", named(b"w", flags=1), "encrypted"),
    bad("newer format", named(b"w", version=63), "needs version 6.3"),
    bad("lzma", named(b"w", method=14, version=63), "method 14 (lzma)"),
    bad("truncated", lambda: tree({"main.sh": MAIN, "w": bytes(9999)})[:-30], "cut short"),
    useless("cut comment", lambda: build(main(), comment=b"abc")[:-1], "cut off"),
    bad("no zip", lambda: b"hello\n" * 100, "not a zip"),
    bad("gzip", lambda: b"\x1f\x8b\x08\0" + bytes(50), "gzip"),
    bad("empty file", lambda: b"", "is empty"),
    useless("bytes in front", lambda: b"x" * 10 + build(main()), "not where"),
    bad("end behind the end", lambda: build(main()) + build(main())[-22:], "two ends"),
    bad("half an end behind", lambda: build(main()) + b"PK\5\6x", "cut off"),
    useless("two ends", lambda: build(main(), comment=build(main())), "two ends"),
    useless("too many counted", lambda: build(main(), total=9), "breaks off"),
    bad("control characters", named(b"a\x1b[2J"), "control characters"),
    bad("nul", named(b"main.py\0.txt"), "control characters"),
    bad("not utf-8, marked", named(b"\xff\xfe", flags=UTF8), "not utf-8"),
    bad("no name", named(b""), "is not a name"),
    Case(name="long name", build=named(b"x" * 300), hint="too long", unpack_refuses=False),
    bad("other local name", named(b"good.py", local_name=b"evil.py"), "described twice"),
    useless("other local size", named(b"good.py", local_size=7), "described twice"),
    bad("other extra name", named(b"a", extra=unicode_path(b"a", b"../x")), "described twice"),
    useless(
        "extra name in one place", named(b"a", extra=unicode_path(b"a", b"x")), "described twice"
    ),
    useless(
        "other local extra", named(b"a", local_extra=unicode_path(b"a", b"../x")), "described twice"
    ),
    bad("beyond the end", named(b"w", offset=1 << 31), "not there"),
]
"""Archives that must be refused."""

CASES = [*OK_CASES, *BAD_CASES]
