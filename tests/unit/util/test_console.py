"""What people see: untrusted text as it is, colours only where they belong."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

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


def made(**options: bool) -> tuple[Console, io.StringIO]:
    """Return a console of 80 columns, and what is printed on it."""
    caught = io.StringIO()
    screen = Console(file=caught, highlight=False, emoji=False, soft_wrap=True, width=80, **options)
    return screen, caught


@pytest.mark.parametrize("text", ODD)
def test_untrusted_text_is_not_markup(text: str) -> None:
    screen, caught = made()
    console.note(text, screen)
    console.warn(text, screen)
    console.show_error(PoseBowlError(text, why=text, fix=text), screen)
    assert caught.getvalue() == (
        f"{text}\nwarning: {text}\nerror: {text}\n  why: {text}\n  fix: {text}\n"
    )


@given(WORDS)
def test_any_words_pass_unharmed(text: str) -> None:
    screen, caught = made()
    console.note(text, screen)
    assert caught.getvalue() == text.replace("\x1b", "\\x1b") + "\n"


def test_what_controls_a_terminal_is_escaped() -> None:
    screen, caught = made()
    console.warn("a\x1b[2Jb\rc\u202ed", screen)
    assert caught.getvalue() == "warning: a\\x1b[2Jb\\rc\\u202ed\n"


def test_long_lines_are_not_cut() -> None:
    screen, caught = made()
    console.note("word " * 100, screen)
    assert caught.getvalue() == "word " * 100 + "\n"


def test_empty_parts_of_an_error_are_left_out() -> None:
    screen, caught = made()
    console.show_error(PoseBowlError("It broke."), screen)
    assert caught.getvalue() == "error: It broke.\n"


def test_commands_work_as_they_are_shown() -> None:
    screen, caught = made()
    console.note("Next: invoke run", screen)
    console.warn("`invoke check` says why.", screen)
    console.show_error(PoseBowlError("a", why="`invoke base` failed", fix="invoke run"), screen)
    assert caught.getvalue() == (
        "Next: uv run invoke run\nwarning: `uv run invoke check` says why.\n"
        "error: a\n  why: `uv run invoke base` failed\n  fix: uv run invoke run\n"
    )


def test_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    screen, caught = made(force_terminal=True)
    console.show_error(PoseBowlError("[red]x[/]"), screen)
    assert "\x1b[" in caught.getvalue()
    assert "[red]x[/]" in re.sub(r"\x1b\[[0-9;]*m", "", caught.getvalue())
    screen, caught = made()
    console.show_error(PoseBowlError("x"), screen)
    assert "\x1b" not in caught.getvalue()


def test_no_color_is_heeded_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen, caught = made(force_terminal=True)
    console.warn("x", screen)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", caught.getvalue())


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


@pytest.mark.parametrize("columns", ["0", "", "abc", "20"])
def test_a_width_that_cannot_be_is_not_taken_at_its_word(columns: str) -> None:
    lines = "from posebowl.util import console as c; c.out.print('one'); c.note('two')"
    done = subprocess.run(
        [sys.executable, "-c", lines],
        cwd=paths.ROOT,
        env=os.environ | {"COLUMNS": columns},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("one\n", "two\n")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a device of Linux")
def test_notes_to_a_full_disk_do_not_stop_the_work() -> None:
    lines = "from posebowl.util import console as c; c.note('lost'); c.warn('lost'); print('done')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", lines],
            cwd=paths.ROOT,
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_text_is_on_one_line_unless_its_lines_are_ours() -> None:
    assert console.plain("a\nb\x1b[1m").plain == r"a\nb\x1b[1m"
    assert console.lines("a\nb\x1b[1m").plain == "a\nb\\x1b[1m"


def test_what_libraries_print_on_stdout_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with console.stdout_on_stderr():
        print("from Python")
        os.write(1, b"from C++\n")
        subprocess.run(["echo", "from a child"], check=True)
    print("the result")
    os.write(1, b"and its end\n")

    printed = capfd.readouterr()
    assert printed.out.splitlines() == ["the result", "and its end"]
    assert set(printed.err.splitlines()) == {"from Python", "from C++", "from a child"}


def test_a_closed_stdout_is_no_obstacle(tmp_path: Path) -> None:
    script = (
        "from posebowl.util.console import stdout_on_stderr\n"
        "with stdout_on_stderr(): print('a line')"
    )
    argv = ["sh", "-c", f'exec {sys.executable} -c "$1" >&-', "sh", script]
    done = subprocess.run(
        argv, cwd=tmp_path, env={"PYTHONPATH": str(paths.ROOT)}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"a line\n")
