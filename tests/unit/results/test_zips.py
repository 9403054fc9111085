"""The zips of runs: stored once, bounded, and brought back as they were."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.errors import PoseBowlError, UsageError
from posebowl.results import Result, cleaning, history, zips
from posebowl.submission import read_record, write_record
from tests.report_samples import passed
from tests.typed import invoke

LARGE = 1 << 30


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ran(
    out: Path, number: int, content: bytes, *, packed: bool = True, most: int = LARGE
) -> Result:
    """Keep a run of a zip, as a run does."""
    sha256, path = digest(content), out / "submission.zip"
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    if packed:
        write_record(path, sha256, solution="mine", note=f"try {number}")
    archive = {"path": str(path), "sha256": sha256, "solution": "mine", "note": f"try {number}"}
    result = replace(passed(), run_id=f"20240501-1200{number:02}-{number:06x}", archive=archive)
    history.keep(out, result, None)
    zips.keep(out, result.run_id, path, sha256, most_bytes=most)
    return result


def kept(out: Path) -> dict[str, int]:
    """Return the zip of each run in the history: its name's end -> its inode."""
    found = sorted((out / "history").glob("*/*.zip"))
    return {path.parent.name[-1]: path.stat().st_ino for path in found}


def test_the_same_zip_is_stored_once(tmp_path: Path) -> None:
    for number, content in enumerate((b"a", b"b", b"a", b"a")):
        ran(tmp_path, number, content)
    inodes = kept(tmp_path)
    assert set(inodes) == {"0", "1", "2", "3"}
    assert inodes["0"] == inodes["2"] == inodes["3"] != inodes["1"]


def test_what_pack_made_is_linked_and_what_others_made_is_copied(tmp_path: Path) -> None:
    ran(tmp_path, 1, b"packed")
    assert (tmp_path / "submission.zip").stat().st_ino == kept(tmp_path)["1"]
    ran(tmp_path, 2, b"other", packed=False)
    mine = tmp_path / "submission.zip"
    assert mine.stat().st_ino != kept(tmp_path)["2"]
    mine.write_bytes(b"changed in place")
    assert zips.restore(history.find("last", tmp_path), tmp_path / "b.zip").sha256 == digest(
        b"other"
    )


def test_copies_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    for number in (1, 2):
        ran(tmp_path, number, b"a")
    assert len(set(kept(tmp_path).values())) == 2


def test_a_zip_that_has_changed_since_is_not_kept(tmp_path: Path) -> None:
    result = ran(tmp_path, 1, b"a", most=0)
    path = tmp_path / "submission.zip"
    path.write_bytes(b"longer")
    zips.keep(tmp_path, result.run_id, path, digest(b"a"), most_bytes=LARGE)
    assert kept(tmp_path) == {}
    assert not list((tmp_path / "history").glob("*/.*"))


@pytest.mark.parametrize(
    ("most", "left"), [(0, ""), (2, ""), (3, "4"), (5, "4"), (6, "34"), (7, "34"), (9, "1234")]
)
def test_the_oldest_go_first_and_shared_ones_count_once(
    most: int, left: str, tmp_path: Path
) -> None:
    for number, content in ((1, b"aaa"), (2, b"aaa"), (3, b"bbb")):
        ran(tmp_path, number, content)
    ran(tmp_path, 4, b"ccc", most=most)
    assert "".join(kept(tmp_path)) == left
    assert len(list((tmp_path / "history").iterdir())) == 4


def test_a_run_that_the_user_renamed_keeps_its_zip(tmp_path: Path) -> None:
    result = ran(tmp_path, 1, b"a")
    place = tmp_path / "history"
    (place / result.run_id).rename(place / "best")
    ran(tmp_path, 2, b"b", most=0)
    assert zips.find(history.find("best", tmp_path)) == place / "best" / f"{digest(b'a')}.zip"


def test_zips_do_not_push_runs_out_of_the_history(tmp_path: Path) -> None:
    for number in range(3):
        ran(tmp_path, number, bytes([number]) * 5000)
    history.keep(
        tmp_path, replace(passed(), run_id="20240501-120010-00000a"), None, most_bytes=99_999
    )
    assert len(list((tmp_path / "history").iterdir())) == 4


def test_a_zip_comes_back_with_its_record(tmp_path: Path) -> None:
    ran(tmp_path, 1, b"a")
    ran(tmp_path, 2, b"b")
    target = tmp_path / "back.zip"
    run = history.find("000001", tmp_path)
    record = zips.restore(run, target)
    assert target.read_bytes() == b"a"
    assert read_record(target) == record
    assert (record.sha256, record.solution, record.note) == (digest(b"a"), "mine", "try 1")
    with pytest.raises(UsageError, match="already exists"):
        zips.restore(run, target)
    target.write_bytes(b"mine")
    zips.restore(run, target, force=True)
    assert target.read_bytes() == b"a"


def test_the_command_restores_and_refuses(tmp_path: Path) -> None:
    ran(tmp_path, 1, b"a")
    words = ("history", "--restore", "last", "--out", "back.zip")
    done = invoke(*words, "--json", cwd=tmp_path, POSEBOWL_SUBMISSION=str(tmp_path))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["path"], made["solution"], made["note"]) == ("back.zip", "mine", "try 1")
    assert (tmp_path / "back.zip").read_bytes() == b"a"
    done = invoke(*words, cwd=tmp_path, POSEBOWL_SUBMISSION=str(tmp_path))
    assert done.returncode == 2
    assert "back.zip already exists" in done.stderr
    done = invoke(*words, "--force", cwd=tmp_path, POSEBOWL_SUBMISSION=str(tmp_path))
    assert done.stdout.startswith(f"Restored back.zip: mine {digest(b'a')[:8]}, as 20240501-")


def test_a_zip_that_was_not_kept(tmp_path: Path) -> None:
    ran(tmp_path, 1, b"a", most=0)
    with pytest.raises(UsageError, match="kept no zip"):
        zips.restore(history.find("last", tmp_path), tmp_path / "back.zip")
    assert not (tmp_path / "back.zip").exists()


def test_a_zip_that_was_written_to_is_not_restored(tmp_path: Path) -> None:
    ran(tmp_path, 1, b"a")
    (tmp_path / "submission.zip").write_bytes(b"b")  # which is the same file
    target = tmp_path / "back.zip"
    target.write_bytes(b"mine")
    with pytest.raises(PoseBowlError, match="no longer the zip that was run"):
        zips.restore(history.find("last", tmp_path), target, force=True)
    assert target.read_bytes() == b"mine"


def test_they_go_with_the_history(tmp_path: Path) -> None:
    ran(tmp_path, 1, b"a")
    cleaning.clean(tmp_path, with_history=True)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".submission.zip.json", "submission.zip"]
