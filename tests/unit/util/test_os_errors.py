"""What the system refuses, in words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from posebowl.util import os_errors


@pytest.mark.parametrize(
    ("number", "why", "fix"),
    [
        (errno.ENOSPC, "The disk is full.", "df -h"),
        (errno.EACCES, "not have permission", "ls -ld"),
        (errno.EROFS, "read-only", "another disk"),
        (errno.ENOENT, "Nothing has that name", "type: ls"),
        (errno.EEXIST, "Something else", "another name"),
        (errno.EILSEQ, "", "Check the path"),
    ],
)
def test_words(number: int, why: str, fix: str, tmp_path: Path) -> None:
    place = tmp_path / "a b" / "missing"
    said = os_errors.explain(OSError(number, os.strerror(number), str(place)))
    assert why in said[0]
    assert fix in said[1]


def test_what_is_to_be_typed_names_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    error = PermissionError(errno.EACCES, "Permission denied", str(folder / "x" / "y"))
    assert os_errors.explain(error)[1].endswith(f"(type: ls -ld '{folder}').")


def test_a_place_for_errors_that_name_none(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    assert str(tmp_path) in os_errors.explain(error, tmp_path)[1]
    assert os_errors.explain(error)[1] == "Check the path, its permissions and the disk."


def test_a_working_directory_that_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path("submission.zip").resolve()
    error = os_errors.as_error(caught.value)
    assert error.what == "The working directory no longer exists."
    assert error.fix.startswith("Type: cd;")
