"""Names that mean the same on every system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.submission.member_names import name_problem


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a", ""),
        ("a/b.c/d-e_f+g", ""),
        ("a/", ""),
        (".hidden/.x", ""),
        ("a b/ü", ""),
        ("..a/b..", ""),
        ("x" * 255, ""),
        ("a/../b", "leads out"),
        ("..", "leads out"),
        ("/a", "absolute"),
        ("a\\b", "backslash"),
        ("c:a", "drive"),
        ("a\tb", "control"),
        ("a\x85b", "control"),
        ("a\n", "control"),
        ("", "not a name"),
        ("/", "absolute"),
        ("./.", "not a name"),
        ("x" * 256, "too long"),
        ("ü" * 128, "too long"),
        ("abc/" * 257, "too long"),
        ("\udcff", "UTF-8"),
    ],
)
def test_names(name: str, problem: str) -> None:
    found = name_problem(name)
    assert problem in found
    assert bool(problem) == bool(found)


@given(st.text(max_size=30))
def test_a_name_without_problem_stays_inside(name: str) -> None:
    if not name_problem(name):
        root = Path("/a/b")
        assert Path(os.path.normpath(root / name)).is_relative_to(root)
        assert name.isprintable() or not any(ord(c) < 32 for c in name)
