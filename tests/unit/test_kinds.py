"""How values of settings are written, and what is none."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebowl import kinds
from posebowl.engines.base import EngineName, Limit
from posebowl.kinds import Kind


def every() -> list[tuple[str, Kind]]:
    return [(name, kind) for name, kind in vars(kinds).items() if isinstance(kind, Kind)]


@pytest.mark.parametrize(("name", "kind"), every())
def test_examples_can_be_typed_and_written(name: str, kind: Kind) -> None:
    read = kind.read(kind.example)
    assert read is not None, name
    written = tomllib.loads(f"x = {kind.literal(kind.example)}")["x"]
    text = kind.text(written)
    assert text is not None
    assert kind.read(text) == read


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kinds.WHOLE, "0"),
        (kinds.WHOLE, "-1"),
        (kinds.WHOLE, "1.5"),
        (kinds.WHOLE, "\u0663"),
        (kinds.TRUTH, "2"),
        (kinds.ENGINE, "Docker"),
        (kinds.VARIANT, ""),
        (kinds.LIMITS, "memory,disk"),
        (kinds.DURATION, "soon"),
        (kinds.MEMORY, "0.1"),
        (kinds.MEMORY, "15m"),
        (kinds.FOLDER, "a\0b"),
        (kinds.WORD, "a b"),
        (kinds.WORD, "a\x1b"),
        (kinds.REGISTRY, "https://registry.example"),
        (kinds.REGISTRY, "a b"),
        (kinds.REGISTRY, "registry.example/UPPER"),
        (kinds.REGISTRY, "-x;"),
    ],
)
def test_what_is_none(kind: Kind, text: str) -> None:
    with pytest.raises(kinds.REFUSALS):
        kind.read(text)


def test_what_words_stand_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kinds.ENGINE.read("auto") is None
    assert kinds.ENGINE.read("podman") is EngineName.PODMAN
    assert kinds.LIMITS.read(" memory, cpus ,") == {Limit.MEMORY, Limit.CPUS}
    assert [kinds.TRUTH.read(word) for word in ("Yes", "1", "off")] == [True, True, False]
    assert kinds.FOLDER.read("~/x") == tmp_path / "x"


@pytest.mark.parametrize("text", ["localhost:5000", "registry.example/team/x", "[::1]:5000"])
def test_registries(text: str) -> None:
    assert kinds.REGISTRY.read(text) == text
    assert kinds.REGISTRY.read(f" {text}/ ") == text


VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text() | st.integers())
)


@given(VALUES, st.sampled_from([kind for _, kind in every()]))
def test_a_table_may_hold_anything(value: object, kind: Kind) -> None:
    text = kind.text(value)
    assert text is None or isinstance(text, str)
    if isinstance(value, bool):
        assert (text is not None) is (kind is kinds.TRUTH)
