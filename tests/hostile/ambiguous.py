"""Zips that two unpackers may read differently, put together from parts.

The kinds are those that are publicly known: second ends, bytes in front, headers that contradict
each other, zip64 beside plain fields, gaps, overlaps, data descriptors, second names, and what
systems other than Unix leave in a header.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

HONEST = b"#!/bin/sh\nexit 0\n"
HIDDEN = b"#!/bin/sh\nexit 1\n"
UNIX_FILE = 0o100644 << 16


@dataclass(frozen=True, kw_only=True)
class Header:
    """What one of the two headers of a file says."""

    name: bytes = b"main.sh"
    flags: int = 0
    method: int = 0
    crc: int = 0
    packed: int = 0
    size: int = 0
    extra: bytes = b""

    def pack(self, kind: str, *fields: int) -> bytes:
        if kind == "local":
            head = struct.pack(
                "<4s5H3L2H", b"PK\3\4", 20, self.flags, self.method, 0, 0x21,
                self.crc, self.packed, self.size, len(self.name), len(self.extra),
            )  # fmt: skip
            return head + self.name + self.extra
        system, version, disk, attributes, offset = fields
        head = struct.pack(
            "<4s2B5H3L5H2L", b"PK\1\2", 20, system, version, self.flags, self.method, 0, 0x21,
            self.crc, self.packed, self.size, len(self.name), len(self.extra), 0, disk, 0,
            attributes, offset,
        )  # fmt: skip
        return head + self.name + self.extra


@dataclass(frozen=True, kw_only=True)
class File:
    """A file: its bytes in the archive, and its two headers."""

    data: bytes = HONEST
    local: Header
    central: Header
    system: int = 3
    version: int = 20
    attributes: int = UNIX_FILE
    disk: int = 0
    before: bytes = b""
    """In front of the local header."""
    after: bytes = b""
    """Behind the data, such as a data descriptor."""
    offset: int | None = None
    """Where the central header says that the local one is."""


def file(content: bytes = HONEST, *, data: bytes | None = None, **fields) -> File:
    """Make an honest file; fields of the header go into both headers."""
    data = content if data is None else data
    of_header = {key: fields.pop(key) for key in [*fields] if key in Header.__annotations__}
    usual = {"crc": zlib.crc32(content), "packed": len(data), "size": len(content)}
    header = Header(**{**usual, **of_header})
    return File(**{"data": data, "local": header, "central": header, **fields})


def local(made: File, **fields) -> File:
    """Change the local header alone."""
    return replace(made, local=replace(made.local, **fields))


def central(made: File, **fields) -> File:
    """Change the central header alone."""
    return replace(made, central=replace(made.central, **fields))


@dataclass(frozen=True, kw_only=True)
class End:
    """What is written behind the files; what is None is what an honest tool would write."""

    count: int | None = None
    size: int | None = None
    offset: int | None = None
    comment: bytes = b""
    comment_length: int | None = None
    behind: bytes = b""
    before_directory: bytes = b""
    before_end: bytes = b""
    zip64: dict[str, int] | None = None
    """With a zip64 record; its fields."""


def pack(*files: File, end: End = End(), shift: int = 0) -> bytes:
    """Put a zip together; `shift` is added to all offsets."""
    body, directory = bytearray(), bytearray()
    for made in files:
        body += made.before
        at = len(body) + shift if made.offset is None else made.offset
        body += made.local.pack("local") + made.data + made.after
        fields = (made.system, made.version, made.disk, made.attributes, at)
        directory += made.central.pack("central", *fields)
    body += end.before_directory
    offset = len(body) + shift
    whole = bytes(body + directory) + end.before_end
    count, size = len(files), len(directory)
    if end.zip64 is not None:
        values = {"count": count, "size": size, "offset": offset, **end.zip64}
        position = len(whole) + shift
        whole += struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, values["count"], values["count"],
            values["size"], values["offset"],
        )  # fmt: skip
        whole += struct.pack("<4sLQL", b"PK\6\7", 0, position, 1)
    return whole + end_record(end, count, size, offset) + end.comment + end.behind


def end_record(end: End, count: int, size: int, offset: int) -> bytes:
    """Pack the end record."""
    count = count if end.count is None else end.count
    length = len(end.comment) if end.comment_length is None else end.comment_length
    size, offset = (
        usual if value is None else value
        for usual, value in ((size, end.size), (offset, end.offset))
    )
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, length)


def block(kind: int, content: bytes) -> bytes:
    return struct.pack("<2H", kind, len(content)) + content


def second_name(name: bytes, of: bytes, version: int = 1) -> bytes:
    """Build the extra field that brings another name."""
    return block(0x7075, struct.pack("<BL", version, zlib.crc32(of)) + name)


Named = tuple[str, bytes]
MAIN = file()
OTHER = file(b"x = 1\n", name=b"a.py")


def two_ends() -> Iterator[Named]:
    """Hide a second table of contents, and lead to it from a second end."""
    evil = file(HIDDEN)
    hidden = evil.local.pack("local") + evil.data
    table = evil.central.pack("central", 3, 20, 0, UNIX_FILE, 0)
    plain = pack(MAIN)
    for where, slack, trailing, length in itertools.product(
        ("comment", "behind"), (-1, 0, 1, 50), (0, 1, 30), (0, 5, 100)
    ):
        # The second table lies in the comment itself, and counts from the start of the file.
        start = len(plain)
        inner = hidden + evil.central.pack("central", 3, 20, 0, UNIX_FILE, start)
        record = struct.pack(
            "<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(table), start + len(hidden) + slack, length
        )
        comment = inner + record + b"z" * trailing
        end = End(comment=comment) if where == "comment" else End(behind=comment)
        yield f"second table in the {where}, {slack}, {trailing}, {length}", pack(MAIN, end=end)
    for number, comment in enumerate((pack(evil), pack(evil, shift=len(plain)), plain)):
        for length in (0, 7, len(comment) - 22, len(comment)):
            end = End(comment=comment, comment_length=length)
            yield f"zip in the comment {number}, {length}", pack(MAIN, end=end)
    for slack, length, behind in itertools.product((0, 1, 9), (0, 3, 22, 30), (0, 3, 8)):
        # Both tables lie in front of both ends.
        first = pack(MAIN, end=End(before_directory=hidden + table))
        at = first.index(b"PK\1\2")
        record = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(table), at + slack, length)
        yield f"end behind, {slack}, {length}, {behind}", first + record + b"z" * behind
        yield (
            f"end between, {slack}, {length}, {behind}",
            pack(
                MAIN,
                end=End(before_directory=hidden + table, before_end=record, behind=b"z" * behind),
            ),
        )
    yield "end in a stored file", pack(MAIN, file(pack(evil), name=b"inner.zip"))
    yield "end in a gap", pack(MAIN, replace(OTHER, before=pack(evil)))
    for behind in (0, 1, 22):
        inner = pack(evil, end=End(comment_length=1))
        yield (
            f"end in the last file, {behind}",
            pack(MAIN, file(inner, name=b"i"), end=End(behind=b"z" * behind)),
        )


def around() -> Iterator[Named]:
    """Put bytes in front, between and behind."""
    for front in (1, 4, 22, 30, 100):
        for shift in (0, front):
            yield f"{front} in front, {shift}", b"P" * front + pack(MAIN, OTHER, shift=shift)
    yield "split mark", b"PK\7\x08" + pack(MAIN, shift=4)
    yield "script in front", b"#!/bin/sh\nexit 1\n" + pack(MAIN, shift=17)
    evil = file(HIDDEN)
    for gap in (b"z", b"z" * 50, evil.local.pack("local") + evil.data):
        yield f"gap of {len(gap)}", pack(replace(MAIN, before=gap), OTHER)
        yield f"gap between of {len(gap)}", pack(MAIN, replace(OTHER, before=gap))
        yield f"gap before the table of {len(gap)}", pack(MAIN, end=End(before_directory=gap))
        yield f"gap behind the table of {len(gap)}", pack(MAIN, end=End(before_end=gap))
    for behind in (1, 21, 22, 23, 1000, 65_000, 65_535, 66_000):
        yield f"{behind} behind", pack(MAIN, OTHER, end=End(behind=b"z" * behind))
    for length in (0, 1, 5, 9):
        end = End(comment=b"abcde", comment_length=length)
        yield f"comment of {length} for 5", pack(MAIN, end=end)
    yield "half an end behind", pack(MAIN, end=End(behind=b"PK\5\6zzz"))
    for number in (0, 1, 3):
        yield f"{number} counted of 2", pack(MAIN, OTHER, end=End(count=number))
    for off in (-1, 1, 46):
        size = len(MAIN.central.pack("central", 3, 20, 0, 0, 0)) + off
        yield f"table of {off}", pack(MAIN, end=End(size=size))
        yield f"table at {off}", pack(MAIN, end=End(offset=len(pack(MAIN)) - 22 - size + 2 * off))


def contradictions() -> Iterator[Named]:
    """Change a field in one of the two headers."""
    deflated = zlib.compress(HIDDEN, wbits=-15)
    zip64 = block(1, struct.pack("<2Q", len(HONEST), len(HONEST)))
    changes: list[dict[str, object]] = [
        {"name": b"main.py"}, {"name": b"main.sh\0"}, {"name": b"./main.sh"}, {"name": b"MAIN.SH"},
        {"size": 3}, {"size": 0}, {"size": 0xFFFFFFFF}, {"packed": 3}, {"packed": 0},
        {"packed": 0xFFFFFFFF}, {"crc": 7}, {"crc": 0}, {"method": 8}, {"method": 12},
        {"method": 99}, {"flags": 1}, {"flags": 8}, {"flags": 1 << 11}, {"flags": 1 << 13},
        {"flags": 6}, {"flags": 1 << 5}, {"flags": 1 << 4}, {"extra": zip64},
        {"extra": block(0xCAFE, b"")}, {"extra": b"\1"}, {"extra": block(1, b"1234")},
        {"extra": second_name(b"x.py", b"main.sh")}, {"extra": second_name(b"x.py", b"else")},
        {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF, "extra": zip64},
    ]  # fmt: skip
    for number, change in enumerate(changes):
        words = ", ".join(change)
        yield f"local {words} {number}", pack(local(MAIN, **change), OTHER)
        yield f"central {words} {number}", pack(central(MAIN, **change), OTHER)
        both = central(local(MAIN, **change), **change)
        yield f"both {words} {number}", pack(both, OTHER)
    squeezed = file(HIDDEN, data=deflated, method=8)
    yield "stored here, deflated there", pack(local(squeezed, method=0), OTHER)
    yield (
        "more behind the deflated data",
        pack(
            replace(squeezed, data=deflated + b"zzz", central=replace(squeezed.central, packed=99))
        ),
    )


def wide() -> Iterator[Named]:
    """Put zip64 beside plain fields."""
    size = len(HONEST)
    most = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
    for words in ("", "<Q", "<2Q", "<3Q", "<3QL"):
        values = (size, size, 0, 0)[: sum(int(c) if c.isdigit() else 0 for c in words) or 1]
        values = (*values, 0) if words.endswith("L") else values
        extra = block(1, struct.pack(words, *values)) if words else b""
        for name, fields in (("both", most), ("size", {"size": 0xFFFFFFFF}), ("none", {})):
            yield f"zip64 {words} for {name}", pack(file(extra=extra, **fields), OTHER)
    for wrong in (size - 1, size + 1, 1 << 40, (1 << 64) - 1):
        extra = block(1, struct.pack("<2Q", wrong, size))
        yield f"zip64 says {wrong}", pack(file(extra=extra, **most), OTHER)
        yield f"zip64 says {wrong}, beside", pack(file(extra=extra), OTHER)
        yield f"zip64 central alone says {wrong}", pack(central(MAIN, extra=extra, **most))
    twice = block(1, struct.pack("<2Q", size, size)) + block(1, struct.pack("<2Q", 3, 3))
    yield "zip64 twice", pack(file(extra=twice, **most), OTHER)
    for record in ({}, {"count": 1}, {"size": 3}, {"offset": 3}, {"count": 1 << 33}):
        unset = End(size=0xFFFFFFFF, offset=0xFFFFFFFF, count=0xFFFF)
        for end in (End(), End(count=0xFFFF), unset):
            text = f"zip64 end {record}, {end.count}, {end.size}"
            yield text, pack(MAIN, OTHER, end=replace(end, zip64=record))
    yield "a zip64 end in another", in_another()
    yield "no zip64 end", pack(MAIN, OTHER, end=End(count=0xFFFF))
    yield "no zip64 end at all", pack(MAIN, end=End(count=0xFFFF, size=0xFFFFFFFF, offset=1))
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    yield "locator to nothing", pack(MAIN, end=End(before_end=locator))
    yield (
        "locator that does not count",
        pack(MAIN, end=End(before_end=locator, size=len(pack(MAIN)) - 22 - 54 + 20)),
    )


def in_another() -> bytes:
    """Put a second zip64 record, and its table, into the extensible part of the first."""
    evil = file(HIDDEN)
    front = evil.local.pack("local") + evil.data
    first = front + MAIN.local.pack("local") + MAIN.data
    table = MAIN.central.pack("central", 3, 20, 0, UNIX_FILE, len(front))
    other = evil.central.pack("central", 3, 20, 0, UNIX_FILE, 0)
    at, form = len(first) + len(table), "<4sQ2H2L4Q"
    ends = struct.pack(
        form, b"PK\6\6", 44 + len(other) + 56, 45, 45, 0, 0, 1, 1, len(table), len(first)
    )
    ends += other + struct.pack(form, b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(other), at + 56)
    ends += struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    unset = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    return first + table + ends + unset


def streams() -> Iterator[Named]:
    """Write sizes behind the data."""
    for signed, large, wrong in itertools.product((True, False), (True, False), (0, 1)):
        kind = "<LQQ" if large else "<3L"
        tail = b"PK\7\x08" * signed
        tail += struct.pack(kind, zlib.crc32(HONEST) ^ wrong, len(HONEST), len(HONEST))
        made = replace(file(flags=8), after=tail)
        text = f"descriptor {signed}, {large}, {wrong}"
        yield text, pack(local(made, crc=0, size=0, packed=0), OTHER)
        yield f"{text}, not needed", pack(made, OTHER)
        yield f"{text}, not marked", pack(replace(MAIN, after=tail), OTHER)
        inner = b"#" + HONEST + b"PK\7\x08" + struct.pack("<3L", 0, 3, 3) + b"\n"
        early = replace(file(inner, name=b"b", flags=8), after=tail)
        yield f"{text}, another in the data", pack(MAIN, local(early, crc=0, size=0, packed=0))
    yield "no descriptor", pack(local(file(flags=8), crc=0, size=0, packed=0), OTHER)


def names() -> Iterator[Named]:
    """Name files as other systems do, or twice."""
    odd = [
        b"a\\b", b"\\a", b"a/./b", b"a//b", b"./a", b"a/", b".", b"./", b"/", b"//a", b"a/.", b"..",
        b"a/..", b"...", b"a.", b"a ", b" a", b"a:b", b"C:a", b"a\0b", b"a\nb", b"~a", b"-a",
        b"a;1", b"a*", b"CON", b"nul.txt", b"\xe9", "é".encode(), "e\u0301".encode(), b"\x82",
        b"a?", b"A.PY", b"@a", b"a" * 255, b"a" * 256, b"a/" * 200 + b"b", b"[a]", b"a|b", b'"',
        b"x\x7f", b"\xff\xfe",
    ]  # fmt: skip
    for name, system in itertools.product(odd, (0, 3, 11)):
        yield f"name {name!r} of {system}", pack(MAIN, file(name=name, system=system))
    for name in ("é".encode(), b"\x82", b"\xe9", b"a\\b"):
        for flags, system in itertools.product((0, 1 << 11), (0, 1, 2, 3, 6, 7, 10, 11, 14, 19)):
            made = file(name=name, flags=flags, system=system)
            yield f"name {name!r} of {system}, {flags}", pack(MAIN, made)
    pairs = [
        (b"a", b"a"), (b"a", b"A"), (b"a", b"./a"), (b"a", b"a/"), (b"a", b"a/b"), (b"a/", b"a/"),
        (b"d/a", b"d//a"), ("é".encode(), "e\u0301".encode()), (b"a", b"a "), (b"a", b"a."),
        (b"\x82", "é".encode()), (b"a/b", b"a\\b"), (b"main.sh", b"main.sh "),
    ]  # fmt: skip
    for first, second in pairs:
        yield f"{first!r} and {second!r}", pack(MAIN, file(name=first), file(HIDDEN, name=second))
    for name in (b"b", b"", b"b/c", b"b\\c", b"../b", b"\xff", "é".encode(), b"main.sh", b"b\0c"):
        for of, version in ((b"a", 1), (b"a", 2), (b"z", 1)):
            extra = second_name(name, of, version)
            yield (
                f"second name {name!r} of {of!r}, {version}",
                pack(MAIN, file(name=b"a", extra=extra)),
            )
            yield (
                f"second name {name!r} of {of!r}, {version}, twice",
                pack(MAIN, file(name=b"a", extra=extra + second_name(b"c", of))),
            )


def systems() -> Iterator[Named]:
    """Set what the header says of system, kind and disk."""
    modes = (0, 0o644, 0o100644, 0o040755, 0o120777, 0o010644, 0o020644, 0o060644, 0o140644)
    for system, mode, dos in itertools.product((0, 3, 7, 11, 19), modes, (0, 0x10, 0x20, 0x400)):
        made = file(name=b"a", system=system, attributes=mode << 16 | dos)
        yield f"system {system}, mode {mode:o}, {dos}", pack(MAIN, made)
    for attributes, content in itertools.product((0, 0x10, 0o040755 << 16 | 0x10), (b"", b"x")):
        yield (
            f"folder {attributes}, {content!r}",
            pack(MAIN, file(content, name=b"d/", attributes=attributes)),
        )
    for disk in (1, 0xFFFE, 0xFFFF):
        yield f"disk {disk}", pack(replace(MAIN, disk=disk), OTHER)
    for version in (0, 10, 45, 46, 51, 63, 255):
        yield f"version {version}", pack(replace(MAIN, version=version), OTHER)
    link = struct.pack("<2L2H", 0, 0, 0, 0) + b"/etc/passwd"
    fields = [
        block(0x000D, link), block(0x756E, struct.pack("<LHLHH", 0, 0o120777, 4, 0, 0) + b"/etc"),
        block(0x2605, b"ZPIT\3xyz"), block(0x334D, b"\0" * 14), block(0x07C8, b"JLEE"),
        block(0x9901, b"\2\0AE\3\0\0"), block(0x0017, b"\2\0"), block(0x6375, b"\1\0\0\0\0c"),
        block(0x5455, b"\1\0\0\0\0"), block(0x7875, b"\1\4\0\0\0\0\4\0\0\0\0"), block(0x0009, b"x"),
        block(0x0065, b"IBM"), block(0x4341, b"acorn"), block(0xFFFF, b""), b"\0" * 3, b"\0" * 4,
    ]  # fmt: skip
    for number, extra in enumerate(fields):
        yield f"field {number}", pack(MAIN, file(name=b"a", extra=extra))
        yield (
            f"field {number} of a link",
            pack(MAIN, file(b"main.sh", name=b"a", extra=extra, attributes=0o120777 << 16)),
        )


def overlaps() -> Iterator[Named]:
    """Let two files share bytes."""
    yield "one file, two names", pack(MAIN, file(name=b"b", offset=0))
    yield "one file, twice", pack(MAIN, replace(MAIN, offset=0))
    inner = file(HIDDEN, name=b"b")
    outer = file(inner.local.pack("local") + HIDDEN, name=b"outer")
    start = len(MAIN.local.pack("local")) + len(HONEST) + len(outer.local.pack("local"))
    yield "a file in a file", pack(MAIN, outer, replace(inner, offset=start))
    yield "out of order", pack(file(name=b"z"), MAIN, file(name=b"a"))
    for offset in (1, 30, 1 << 20, 0xFFFFFFFE, 0xFFFFFFFF):
        yield f"offset {offset}", pack(MAIN, replace(OTHER, offset=offset))


FAMILIES = (two_ends, around, contradictions, wide, streams, names, systems, overlaps)
