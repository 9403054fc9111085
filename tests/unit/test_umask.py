"""The helper for tests under each umask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.umask import UMASKS, closed, umask

CLOSED = {
    0o000: [],
    0o022: [],
    0o027: [".", "folder", "folder/file"],
    0o077: [".", "folder", "folder/file"],
}


def make(root: Path) -> None:
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file").touch()
    (root / "link").symlink_to("nowhere")


@pytest.mark.parametrize("mask", UMASKS)
def test_what_a_umask_closes_is_found(mask: int, tmp_path: Path) -> None:
    with umask(mask):
        make(tmp_path / "made")
    assert closed(tmp_path / "made") == CLOSED[mask]


def test_a_folder_that_may_be_read_but_not_entered_is_closed(tmp_path: Path) -> None:
    make(tmp_path / "made")
    (tmp_path / "made").chmod(0o755)
    (tmp_path / "made" / "folder").chmod(0o744)
    (tmp_path / "made" / "folder" / "file").chmod(0o644)
    assert closed(tmp_path / "made") == ["folder"]


def test_the_fixture_sets_the_umask(each_umask: int) -> None:
    before = os.umask(0o022)
    os.umask(before)
    assert before == each_umask


def test_the_umask_is_restored_after_an_error() -> None:
    before = os.umask(0o022)
    with pytest.raises(ZeroDivisionError), umask(0o077):
        raise ZeroDivisionError
    assert os.umask(before) == 0o022
