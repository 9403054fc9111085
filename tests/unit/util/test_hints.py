"""What to type next: places, flags and commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from posebowl.util import hints


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in a folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_places_below_are_relative(here: Path) -> None:
    assert hints.local(here / "a" / "b") == Path("a/b")
    assert hints.local(Path("a")) == Path("a")
    assert hints.local(here) == Path()
    assert hints.local(here.parent / "else") == here.parent / "else"
    assert hints.local(Path("../else")) == Path("../else")


def test_places_are_named_where_the_working_directory_is_gone(here: Path, tmp_path: Path) -> None:
    here.rmdir()
    assert hints.local(tmp_path / "a") == tmp_path / "a"


def test_a_flag_names_a_place_that_is_not_the_default(here: Path) -> None:
    usual = here / "usual"
    assert hints.flag("out", usual, usual) == ""
    assert hints.flag("out", Path("usual"), usual) == ""
    assert hints.flag("out", here / "a b", usual) == " --out 'a b'"
    assert hints.flag("zip", here.parent / "c", usual) == f" --zip {here.parent / 'c'}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Type: invoke run", "Type: uv run invoke run"),
        ("Type: uv run invoke base, then again.", "Type: uv run invoke base, then again."),
        ("`invoke pack --source X` does so.", "`uv run invoke pack --source X` does so."),
        ("Type: invoke --help run", "Type: uv run invoke --help run"),
        ("or type: nox -s tests", "or type: uv run nox -s tests"),
        ("pip install uv", "pip install uv"),
        ("/usr/bin/invoke run", "/usr/bin/invoke run"),
        ("reinvoke it", "reinvoke it"),
        ("invoke", "invoke"),
        ("", ""),
    ],
)
def test_commands_work_as_they_are_shown(text: str, shown: str) -> None:
    assert hints.typed(text) == shown
    assert hints.typed(hints.typed(text)) == hints.typed(text)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize("name", ["a b", "a'b\n", "\x1b[1m\\x", "a\u2028b'\\'", "é\n", "\n"])
def test_a_word_names_the_path_on_one_line(name: str) -> None:
    word = hints.word(Path(name))
    assert "\n" not in word
    argv = ["bash", "-c", f"printf %s {word}"]
    done = subprocess.run(argv, env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=True)
    assert done.stdout.decode() == name
