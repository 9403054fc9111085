"""Weights that are not what they seem: empty, a pointer to them, or a graph without its data."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from posebowl.challenge import MIB
from posebowl.util.text import brief, counted, first_few

_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES: Final = 1024
_GRAPH_BYTES: Final = 16 * MIB
_GRAPHS_BYTES: Final = 64 * MIB
_LOCATIONS: Final = 10_000
"""Of one graph that are looked at; each tensor has one, and hostile bytes have millions."""
# A pair of strings, as ONNX's protocol buffers hold where the data of a tensor are: field 1 is
# "location", field 2 a name of less than 128 bytes.
_LOCATION: Final = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])", re.DOTALL)


def on_weights(
    sizes: Mapping[str, int], weights: list[str], read: Callable[[str, int], bytes]
) -> Iterator[str]:
    """Warn of weights that cannot be loaded.

    Args:
        sizes: Bytes of each file of the archive by its path.
        weights: Those among them that look like weights.
        read: Returns at most so many bytes from the beginning of a file.
    """
    empty = [name for name in weights if not sizes[name]]
    if empty:
        yield f"{counted(len(empty), 'file')} of weights without a byte: {_few(empty)}."
    pointers = [
        name
        for name in weights
        if 0 < sizes[name] <= _POINTER_BYTES and read(name, _POINTER_BYTES).startswith(_POINTER)
    ]
    if pointers:
        yield (
            f"{counted(len(pointers), 'file')} of weights that Git LFS has not fetched, only a "
            f"pointer of some 130 bytes: {_few(pointers)}. Type: git lfs pull"
        )
    yield from _on_graphs(sizes, weights, read)


def _on_graphs(
    sizes: Mapping[str, int], weights: list[str], read: Callable[[str, int], bytes]
) -> Iterator[str]:
    """Warn of ONNX graphs without the files that hold their tensors."""
    budget = _GRAPHS_BYTES
    for name in weights:
        if not name.endswith(".onnx") or budget <= 0:
            continue
        budget -= min(sizes[name], _GRAPH_BYTES)
        missing = sorted(_locations(name, read(name, _GRAPH_BYTES)) - sizes.keys())
        if missing:
            yield (
                f"{brief(name, 60)} keeps its weights in {_few(missing)}, which is not in the zip: "
                "onnxruntime cannot load it. Does a .gitignore leave it out?"
            )


def _locations(name: str, graph: bytes) -> set[str]:
    """Return the files beside a graph that hold its tensors."""
    found = set()
    for match in itertools.islice(_LOCATION.finditer(graph), _LOCATIONS):
        text = graph[match.end() : match.end() + match[1][0]].decode(errors="replace")
        found.add(posixpath.normpath(posixpath.join(posixpath.dirname(name), text)))
    return found


def _few(names: list[str]) -> str:
    return first_few(names, len(names), 3)
