"""The kernel tells which files of a folder were read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from posebowl.engines.monitoring import file_reads
from posebowl.engines.monitoring.file_reads import watching

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is of Linux")


def test_files_that_were_read_count_once(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_text("x")
    (tmp_path / "inner").mkdir()
    with watching(tmp_path) as reads:
        assert reads.count() == 0
        (tmp_path / "a.png").read_text()
        (tmp_path / "a.png").read_text()
        (tmp_path / "b.png").stat()
        list(tmp_path.iterdir())
        list((tmp_path / "inner").iterdir())
        assert reads.count() == 1
        (tmp_path / "c.png").read_text()
        assert reads.count() == 2


def test_a_file_written_to_is_not_read(tmp_path: Path) -> None:
    with watching(tmp_path) as reads:
        (tmp_path / "a.png").write_text("x")
        assert reads.count() == 0


def test_no_folder_counts_nothing(tmp_path: Path) -> None:
    with watching(tmp_path / "none") as reads:
        assert reads.count() == 0


def test_elsewhere_nothing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reads.sys, "platform", "darwin")
    (tmp_path / "a.png").write_text("x")
    with watching(tmp_path) as reads:
        (tmp_path / "a.png").read_text()
        assert reads.count() == 0
