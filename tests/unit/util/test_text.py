"""Untrusted text and lists in messages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from posebowl.util.text import brief, first_few, numbered, shorten, show, visible


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain", "plain"),
        ("two\tcells\nnext\n", "two\tcells\nnext\n"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u2028b", r"a\u2028b"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u200bb", r"a\u200bb"),
        ("a\x00b", r"a\x00b"),
        ("\ud800", r"\ud800"),
        ("Größe ✓ 宇宙", "Größe ✓ 宇宙"),
        ("Fehler: ä €", "Fehler: ä €"),
        ("写真\u3000二枚, 12\u00a0km, 👩\u200d🚀", "写真\u3000二枚, 12\u00a0km, 👩\u200d🚀"),
    ],
)
def test_visible(text: str, safe: str) -> None:
    assert visible(text) == safe


@given(st.text(st.characters(codec=None)))
def test_visible_text_prints_and_can_be_written(text: str) -> None:
    safe = visible(text)
    assert all(c.isprintable() or c in "\t\n\u00a0\u2009\u200c\u200d\u202f\u3000" for c in safe)
    assert visible(safe) == safe
    safe.encode()


@given(st.text(max_size=50))
def test_nothing_that_moves_a_cursor_stays(text: str) -> None:
    safe = visible(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", safe)
    assert [safe.count(c) for c in "\t\n"] == [text.count(c) for c in "\t\n"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("abc", '"abc"'),
        ("a\tb\u3000", r'"a\tb\u3000"'),
        (b"a\xff", r'"a\xff"'),
        ("x" * 41, f'"{"x" * 40}..."'),
        (b"x" * 500, f'"{"x" * 40}..."'),
    ],
)
def test_quoted_text_shows_each_character(text: str | bytes, shown: str) -> None:
    assert show(text) == shown
    assert show(text) == f'"{brief(text)}"'


def test_lists_keep_the_quotes_of_a_name() -> None:
    assert first_few(['"a"', "b\n", "c"], 3, 2) == r'"a", b\n and 1 more'


def test_shorten() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "ab…"
    assert shorten(17) == "17"


def test_lines_of_matches() -> None:
    text = "a\nb a\n\na"
    assert [line for line, _ in numbered(re.finditer("a", text), text)] == [1, 2, 4]
    # A match counts where its last group begins.
    assert [line for line, _ in numbered(re.finditer(r"\s+(a)", text), text)] == [2, 4]
