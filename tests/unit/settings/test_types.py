"""How values of settings are written, and what is none."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.challenge import EngineName, Limit
from posebowl.settings import types
from posebowl.util import values
from posebowl.util.values import UNREADABLE, Kind


def every() -> list[tuple[str, Kind]]:
    found = {**vars(values), **vars(types)}
    return [(name, kind) for name, kind in found.items() if isinstance(kind, Kind)]


@pytest.mark.parametrize(("name", "kind"), every())
def test_examples_can_be_typed_and_written(name: str, kind: Kind) -> None:
    read = kind.read(kind.example)
    assert read is not None, name
    written = tomllib.loads(f"x = {kind.literal(kind.example)}")["x"]
    text = kind.from_table(written)
    assert text is not None
    assert kind.read(text) == read


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (types.CPUS, "0"),
        (types.CPUS, "-1"),
        (types.CPUS, "1.5"),
        (types.CPUS, "\u0663"),
        (values.TRUTH, "2"),
        (types.ENGINE, "Docker"),
        (types.VARIANT, ""),
        (types.CPUS, "1_0"),
        (types.LIMITS, "memory,disk"),
        (types.LIMITS, ","),
        (values.DURATION, "soon"),
        (types.MEMORY, "0.1"),
        (types.MEMORY, "15m"),
        (values.FOLDER, "a\0b"),
        (values.FILE, ""),
        (values.TEXT, ""),
        (values.word("a"), "a b"),
        (values.word("a"), "a\x1b"),
        (types.REGISTRY, "https://registry.example"),
        (types.REGISTRY, "a b"),
        (types.REGISTRY, "registry.example/UPPER"),
        (types.REGISTRY, "-x;"),
        (types.RUNTIME, ""),
        (types.RUNTIME, "--privileged"),
        (types.RUNTIME, "runsc --network=host"),
    ],
)
def test_what_is_none(kind: Kind, text: str) -> None:
    with pytest.raises(UNREADABLE):
        kind.read(text)


def test_what_words_stand_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert types.ENGINE.read("auto") is None
    assert types.ENGINE.read("podman") is EngineName.PODMAN
    assert types.LIMITS.read(" memory, cpus ,") == {Limit.MEMORY, Limit.CPUS}
    assert [values.TRUTH.read(word) for word in ("Yes", "1", "off")] == [True, True, False]
    assert values.FOLDER.read("~/x") == tmp_path / "x"


@pytest.mark.parametrize("text", ["localhost:5000", "registry.example/team/x", "[::1]:5000"])
def test_registries(text: str) -> None:
    assert types.REGISTRY.read(text) == text
    assert types.REGISTRY.read(f" {text}/ ") == text


@pytest.mark.parametrize("text", ["runsc", "io.containerd.runsc.v1", "/usr/bin/crun"])
def test_runtimes(text: str) -> None:
    assert types.RUNTIME.read(f" {text} ") == text


VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text() | st.integers())
)


@given(VALUES, st.sampled_from([kind for _, kind in every()]))
def test_a_table_may_hold_anything(value: object, kind: Kind) -> None:
    text = kind.from_table(value)
    assert text is None or isinstance(text, str)
    if isinstance(value, bool):
        assert (text is not None) is (kind is values.TRUTH)
