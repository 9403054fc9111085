"""What people see: strangers' words as they are, colours only where they belong."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st
from rich.console import Console
from rich.table import Table

from posebowl import paths
from posebowl.errors import PoseBowlError
from posebowl.util import console

ODD = ["[red]x[/]", "[/]", "[/nothing]", "a\\", "[bold", ":smile:", "[link=file:///]x", "\\[x]"]
WORDS = st.lists(st.sampled_from([*ODD, "[", "]", "\\", "/", "\x1b[2J", "text "]), max_size=8).map(
    "".join
)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Catch what is said, without colours."""
    return _screen(monkeypatch)


def _screen(monkeypatch: pytest.MonkeyPatch, **options: bool) -> io.StringIO:
    caught = io.StringIO()
    for name in ("out", "err"):
        made = Console(
            file=caught, highlight=False, emoji=False, soft_wrap=True, width=80, **options
        )
        monkeypatch.setattr(console, name, made)
    return caught


@pytest.mark.parametrize("text", ODD)
def test_strangers_words_are_no_markup(text: str, screen: io.StringIO) -> None:
    console.note(text)
    console.warn(text)
    console.show_error(PoseBowlError(text, why=text, fix=text))
    assert screen.getvalue() == (
        f"{text}\nwarning: {text}\nerror: {text}\n  why: {text}\n  fix: {text}\n"
    )


@given(WORDS)
def test_any_words_pass_unharmed(text: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        screen = _screen(monkeypatch)
        console.note(text)
        assert screen.getvalue() == text.replace("\x1b", "\\x1b") + "\n"


def test_what_steers_a_terminal_is_escaped(screen: io.StringIO) -> None:
    console.warn("a\x1b[2Jb\rc\u202ed")
    assert screen.getvalue() == "warning: a\\x1b[2Jb\\rc\\u202ed\n"


def test_long_lines_are_not_cut(screen: io.StringIO) -> None:
    console.note("word " * 100)
    assert screen.getvalue() == "word " * 100 + "\n"


def test_empty_parts_of_an_error_are_left_out(screen: io.StringIO) -> None:
    console.show_error(PoseBowlError("It broke."))
    assert screen.getvalue() == "error: It broke.\n"


def test_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    screen = _screen(monkeypatch, force_terminal=True)
    console.show_error(PoseBowlError("[red]x[/]"))
    assert "\x1b[" in screen.getvalue()
    assert "[red]x[/]" in re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    screen = _screen(monkeypatch)
    console.show_error(PoseBowlError("x"))
    assert "\x1b" not in screen.getvalue()


def test_no_color_is_heeded_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = _screen(monkeypatch, force_terminal=True)
    console.warn("x")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", screen.getvalue())


SCRIPT = """
import sys
from posebowl.util import console
from posebowl.errors import PoseBowlError
console.tolerate_odd_names()
console.out.print(console.plain("result \\udcff :smile: [red]x[/]"))
console.note("note \\udcff")
console.show_error(PoseBowlError("broken"))
"""


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_results_and_the_rest_go_separate_ways(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=paths.ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "result \\udcff :smile: [red]x[/]\n"
    assert done.stderr == "note \\udcff\nerror: broken\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_of_tables_end_where_their_text_does(*, terminal: bool) -> None:
    caught = io.StringIO()
    made = Console(file=caught, width=40, force_terminal=terminal, color_system=None)
    table = Table(box=None, show_header=False)
    table.add_row("a", "b")
    table.add_row("c", console.plain("[d] and some more"))
    console.print_table(table, made)
    lines = caught.getvalue().splitlines()
    assert [line.rstrip() for line in lines] == [" a  b", " c  [d] and some more"]
    assert (lines[0] != lines[0].rstrip()) is terminal
