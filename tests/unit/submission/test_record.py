"""What is noted beside a zip: it counts for these bytes only, and is never in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from posebowl.submission import is_as_packed, is_record, read_record, write_record
from posebowl.submission.archive import digest


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    path = tmp_path / "mine.zip"
    path.write_bytes(b"zip")
    return path


def test_what_is_written_comes_back_and_is_not_in_the_zip(zipped: Path) -> None:
    written = write_record(zipped, digest(zipped), solution="mine", note="ünï\n\x1b[31m")
    assert read_record(zipped) == written
    assert (written.solution, written.note) == ("mine", "ünï\n\x1b[31m")
    assert zipped.read_bytes() == b"zip"
    beside = {path.name for path in zipped.parent.iterdir()} - {"mine.zip"}
    assert [is_record(zipped.parent / name) for name in beside] == [True]
    assert not is_record(zipped)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"sha256": 1, "solution": "a"}', '{"sha256": "a", "solution": "b", "x": 1}',
     '{"sha256": "a", "solution": "b", "bytes": "c"}', "[" * 9999, "\xff"],
)  # fmt: skip
def test_a_record_that_is_broken_is_none(text: str, zipped: Path) -> None:
    (zipped.parent / ".mine.zip.json").write_text(text, encoding="latin-1")
    assert read_record(zipped) is None
    assert not is_as_packed(zipped)


def test_a_record_is_not_read_through_a_link(zipped: Path) -> None:
    write_record(zipped, digest(zipped), solution="mine")
    record = zipped.parent / ".mine.zip.json"
    record.rename(zipped.parent / "elsewhere")
    record.symlink_to("elsewhere")
    assert read_record(zipped) is None


def test_a_zip_is_as_packed_until_its_bytes_change(zipped: Path) -> None:
    assert not is_as_packed(zipped)
    write_record(zipped, digest(zipped), solution="mine")
    assert is_as_packed(zipped)
    os.utime(zipped, (1, 1))  # touched, or copied there again: the same bytes
    assert is_as_packed(zipped)
    zipped.write_bytes(b"ZIP")
    assert not is_as_packed(zipped)
    zipped.unlink()
    assert not is_as_packed(zipped)


def test_a_link_is_not_as_packed(zipped: Path) -> None:
    write_record(zipped, digest(zipped), solution="mine")
    zipped.rename(zipped.parent / "other.zip")
    zipped.symlink_to("other.zip")
    assert not is_as_packed(zipped)
