"""What a place is called where the user stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl import paths


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in a folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_places_below_are_relative(here: Path) -> None:
    assert paths.local(here / "a" / "b") == Path("a/b")
    assert paths.local(Path("a")) == Path("a")
    assert paths.local(here) == Path()
    assert paths.local(here.parent / "else") == here.parent / "else"
    assert paths.local(Path("../else")) == Path("../else")


def test_a_flag_names_a_place_that_is_not_the_default(here: Path) -> None:
    usual = here / "usual"
    assert paths.flag("out", usual, usual) == ""
    assert paths.flag("out", Path("usual"), usual) == ""
    assert paths.flag("out", here / "a b", usual) == " --out 'a b'"
    assert paths.flag("zip", here.parent / "c", usual) == f" --zip {here.parent / 'c'}"
