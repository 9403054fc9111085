"""Weights that cannot be loaded."""

from __future__ import annotations

import pytest

from posebowl.submission.weights import on_weights

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


def graph(*locations: str) -> bytes:
    """Hold the pair of strings that ONNX writes for each tensor outside."""
    return b"".join(
        b"\x0a\x08location\x12" + bytes([len(name)]) + name.encode() + b"\x0a\x06offset"
        for name in locations
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.pt": b"", "b/c.onnx": b"x"}, "1 file of weights without a byte: a.pt."),
        ({"a.pt": POINTER, "b.pth": POINTER}, "2 files of weights that Git LFS has not fetched"),
        ({"a.pt": POINTER + bytes(2000)}, ""),
        ({"m/a.onnx": graph("w.bin", "w.bin"), "w.bin": b"1"}, "keeps its weights in m/w.bin"),
        ({"m/a.onnx": graph("./w.bin"), "m/w.bin": b"1"}, ""),
        ({"a.onnx": graph("b.data", "c.data")}, "b.data, c.data"),
        ({"a.onnx": b"location\x12\x05other"}, ""),
    ],
)
def test_weights(files: dict[str, bytes], words: str):
    sizes = {name: len(data) for name, data in files.items()}
    found = list(on_weights(sizes, list(files), lambda name, limit: files[name][:limit]))
    assert len(found) == bool(words)
    assert words in "".join(found)


def test_a_graph_of_nothing_but_places_is_not_read_to_its_end():
    data = graph(*(f"{number:06}" for number in range(100_000)))
    (found,) = on_weights({"a.onnx": len(data)}, ["a.onnx"], lambda _name, limit: data[:limit])
    assert "000000, 000001, 000002 and 9,997 more" in found
