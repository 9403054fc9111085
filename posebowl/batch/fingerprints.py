"""What a submission is made of, as hashes: the tensors of its weights, and runs of its code."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import keyword
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from posebowl.challenge import ARCHIVE_LIMITS, MIB
from posebowl.errors import BadArchiveError
from posebowl.submission import zip_reader

_BUDGET: Final = 4096 * MIB
"""How much of all files of a zip is unpacked, one after the other."""
_FILE: Final = 1024 * MIB
_SOURCES: Final = 4 * MIB
_LEAST: Final = 1024
"""Bytes of a tensor that is compared: smaller ones are often equal, all zeros for example."""
_LEAST_FILE: Final = 4096
_MOST_HEADER: Final = 64 * MIB
_MOST_PARTS: Final = 1_000_000
"""Fields or files in one file of weights that are looked at: honest ones have thousands."""
_CODE: Final = (".py", ".sh")
_WORDS: Final = re.compile(r"#[^\n]*|\"[^\"\n]*\"|'[^'\n]*'|\w+|[^\w\s]")
_RUN: Final = 12
"""Words in a row that are compared."""
_FACTORS: Final = np.random.default_rng(20240501).integers(0, 1 << 64, _RUN, np.uint64) | 1
_KEPT: Final = frozenset(keyword.kwlist)
_DAMAGE: Final = (
    BadArchiveError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a file raises that is not what its name says."""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What is compared of a submission."""

    tensors: Counter[str]
    """Hash -> bytes, of each tensor, and of each other large file."""
    code: NDArray[np.int64]
    """Hashes of words in a row, each once, whatever the names of variables."""


def of_zip(path: Path) -> Fingerprint:
    """Return the fingerprint of a zip: it may be hostile, and nothing of it is run.

    Raises:
        BadArchiveError: It is not a zip that the platform accepts.
        OSError: It cannot be read.
    """
    tensors: Counter[str] = Counter()
    code = [runs_of_words("")]
    budget, sources = _BUDGET, _SOURCES
    with path.open("rb") as file:
        found = zip_reader.read_directory(file, path, max_entries=ARCHIVE_LIMITS.entries)
        for entry in found.entries:
            is_code = entry.name.endswith(_CODE)
            room = min(sources, budget) if is_code else min(_FILE, budget)
            if entry.name.endswith("/") or not room or (entry.size < _LEAST_FILE and not is_code):
                continue
            content = zip_reader.read_member(file, entry, path, limit=room)
            budget -= len(content)
            if is_code:
                sources -= len(content)
                code.append(runs_of_words(content.decode(errors="replace")))
            else:
                for tensor in _tensors(entry.name, content):
                    tensors[hashlib.sha256(tensor).hexdigest()] = len(tensor)
    return Fingerprint(tensors=tensors, code=np.unique(np.concatenate(code)))


def runs_of_words(text: str) -> NDArray[np.int64]:
    """Return hashes of all runs of words of a program; comments do not count, nor do names."""
    words = [_number(word) for word in _WORDS.findall(text) if word[0] != "#"]
    if len(words) < _RUN:
        return np.array([], np.int64)
    runs = np.lib.stride_tricks.sliding_window_view(np.array(words, np.uint64), _RUN)
    return np.unique(runs @ _FACTORS >> np.uint64(24)).astype(np.int64)


@lru_cache(maxsize=1 << 16)
def _number(word: str) -> int:
    """Return a number that stands for a word, the same for all names and for all texts."""
    if word not in _KEPT and (word[0].isalpha() or word[0] in "_\"'"):
        word = "s" if word[0] in "\"'" else "v"
    return zlib.crc32(word.encode())


def _tensors(name: str, content: bytes) -> Iterator[memoryview | bytes]:
    """Yield the data of each tensor of a file, or all of a file that is not known or broken."""
    read = _READERS.get(PurePosixPath(name).suffix.lower(), _of_nothing)
    found: list[memoryview | bytes] = []
    with contextlib.suppress(*_DAMAGE):
        found += [part for part in read(content) if len(part) >= _LEAST]
        if sum(map(len, found)) > _FILE:  # which overlap each other
            found.clear()
    yield from found or [content]


def _of_nothing(_: bytes) -> Iterator[bytes]:
    return iter(())


def _of_safetensors(content: bytes) -> Iterator[memoryview]:
    size = int.from_bytes(content[:8], "little")
    if size > _MOST_HEADER:
        raise ValueError("a header that is too long")
    data = memoryview(content)[8 + size :]
    for name, entry in json.loads(content[8 : 8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield data[begin:end]


def _of_zip(content: bytes) -> Iterator[bytes]:
    """Yield the storages of PyTorch, or the arrays of NumPy."""
    room = _FILE
    if content.count(b"PK\x01\x02") > _MOST_PARTS // 10:
        raise ValueError("too many files")
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        for info in inner.infolist():
            if info.filename.endswith("/data.pkl") or room <= 0:
                continue
            with inner.open(info) as file:
                part = file.read(room)
            room -= len(part)
            yield from _of_npy(part) if info.filename.endswith(".npy") else [part]


def _of_npy(content: bytes) -> Iterator[bytes]:
    wide = content[6] > 1
    size = int.from_bytes(content[8 : 12 if wide else 10], "little")
    yield content[(12 if wide else 10) + size :]


def _of_onnx(content: bytes) -> Iterator[memoryview]:
    """Yield the raw data of the initializers of a graph (ModelProto.graph.initializer)."""
    steps = iter(range(_MOST_PARTS))
    for number, graph in _fields(memoryview(content), steps):
        if number != 7:
            continue
        for inner, tensor in _fields(graph, steps):
            if inner == 5:
                yield from (data for field, data in _fields(tensor, steps) if field == 9)


def _fields(message: memoryview, steps: Iterator[int]) -> Iterator[tuple[int, memoryview]]:
    """Yield number and bytes of the fields of a protocol buffer that have a length."""
    at = 0
    while at < len(message):
        if next(steps, None) is None:
            raise ValueError("too many fields")
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(message, at)
        elif kind in {1, 5}:
            at += 8 if kind == 1 else 4
        elif kind == 2:
            size, at = _varint(message, at)
            if size > len(message) - at:
                raise ValueError("a field is longer than its message")
            yield tag >> 3, message[at : at + size]
            at += size
        else:
            raise ValueError("no protocol buffer")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that is too long")


_READERS: Final[dict[str, Callable[[bytes], Iterator[memoryview | bytes]]]] = {
    ".safetensors": _of_safetensors,
    ".onnx": _of_onnx,
    ".npy": _of_npy,
    **dict.fromkeys((".pt", ".pth", ".npz", ".ckpt"), _of_zip),
}
