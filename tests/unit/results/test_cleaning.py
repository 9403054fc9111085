from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from posebowl.engines.monitoring.disk_usage import folder_usage
from posebowl.errors import PoseBowlError
from posebowl.results.cleaning import clean
from posebowl.submission.packer import pack

SCRATCH = ".run-20261125-120000-0a1b2c"


def packed(folder: Path, target: Path) -> Path:
    folder.mkdir()
    (folder / "main.sh").write_text("exit 0\n")
    return pack(folder, target).path


def names(paths: tuple[Path, ...]) -> set[str]:
    return {path.name for path in paths}


def test_only_what_the_tool_made_goes(tmp_path: Path):
    folder = tmp_path / "submission"
    folder.mkdir()
    made = {"submission.csv", "log.txt", "result.json", "report.html", ".log.txt.ab12.part"}
    mine = {"README.md", "notes.txt", "best.zip", ".env", ".other.csv.ab12.part", "submission.csv~"}
    for name in made | mine:
        (folder / name).write_text("12345")
    for name in ("history/1", "runs/2", f"{SCRATCH}/deep", ".run-abc", "mine"):
        (folder / name).mkdir(parents=True)
    (folder / "history" / "1" / "log.txt").write_text("12345")
    (folder / ".submission.zip.ab12.part").write_text("12345")
    made.add(".submission.zip.ab12.part")
    left = folder_usage(folder / SCRATCH).bytes
    done = clean(folder)
    assert names(done.removed) == made | {SCRATCH}
    theirs = mine | {"mine", "history", "runs", ".run-abc"}
    assert names(done.kept) == theirs - {"README.md"}
    assert {path.name for path in folder.iterdir()} == theirs
    assert done.freed_bytes == 5 * len(made) + left
    assert clean(folder).removed == ()


@pytest.mark.parametrize("change", ["packed", "made by hand", "changed", "renamed"])
def test_a_zip_stays_whoever_made_it(change: str, tmp_path: Path):
    folder = tmp_path / "submission"
    folder.mkdir()
    path = packed(tmp_path / "s", folder / "submission.zip")
    match change:
        case "made by hand":
            path.write_bytes(b"PK mine")
        case "changed":
            path.write_bytes(path.read_bytes() + b"x")
        case "renamed":
            path = path.rename(folder / "best.zip")
    done = clean(folder)
    assert (done.removed, done.kept) == ((), (path,))
    assert path.exists()


def test_links_and_other_kinds_are_not_touched(tmp_path: Path):
    folder = tmp_path / "submission"
    folder.mkdir()
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("x")
    (folder / "history").symlink_to(other)
    (folder / "log.txt").symlink_to(other / "precious")
    (folder / "submission.csv").mkdir()
    (folder / SCRATCH).mkdir()
    (folder / SCRATCH / "out").symlink_to(other)
    done = clean(folder)
    assert names(done.removed) == {SCRATCH}
    assert names(done.kept) == {"history", "log.txt", "submission.csv"}
    assert (other / "precious").read_text() == "x"


def test_what_a_submission_closed_is_opened(tmp_path: Path):
    closed = tmp_path / SCRATCH / "a" / "b"
    closed.mkdir(parents=True)
    (closed / "x").write_text("12345")
    size = folder_usage(tmp_path / SCRATCH).bytes
    closed.chmod(0)
    closed.parent.chmod(0)
    assert clean(tmp_path).freed_bytes == size
    assert list(tmp_path.iterdir()) == []


def test_what_a_submission_nested_goes(tmp_path: Path):
    (tmp_path / SCRATCH).mkdir()
    # Deeper than Python recurses and than a path may be long: only step by step.
    make = "import os\nfor _ in range(3000): os.mkdir('deeper'); os.chdir('deeper')"
    subprocess.run([sys.executable, "-c", make], cwd=tmp_path / SCRATCH, check=True)
    clean(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_is_nothing_to_do(tmp_path: Path):
    assert clean(tmp_path / "none").removed == ()


def test_what_cannot_go_is_told(tmp_path: Path, monkeypatch):
    (tmp_path / "log.txt").write_text("x")

    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PoseBowlError, match="could not be removed: Permission denied"):
        clean(tmp_path)


def test_folders_of_results_below_are_cleaned_and_go_when_empty(tmp_path: Path):
    mine, theirs = tmp_path / "quickstart", tmp_path / "notes"
    for folder in (mine, theirs):
        folder.mkdir()
        (folder / "log.txt").write_text("x")
    (mine / ".lock").touch()

    done = clean(tmp_path)

    assert done.removed == (mine / "log.txt",)
    assert not mine.exists()
    assert (theirs / "log.txt").exists()


RUN_IDS = ("20240501-120000-abc123", "20240502-120000-abc123")


def test_history_goes_when_asked_for(tmp_path: Path):
    for name in RUN_IDS:
        (tmp_path / "history" / name).mkdir(parents=True)
        (tmp_path / "history" / name / "result.json").write_text("12345")
    assert clean(tmp_path).kept == (tmp_path / "history",)
    size = sum(folder_usage(tmp_path / "history" / name).bytes for name in RUN_IDS)
    done = clean(tmp_path, with_history=True)
    assert names(done.removed) == set(RUN_IDS)
    assert (done.freed_bytes, done.kept) == (size, ())
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_the_user_named_stays(tmp_path: Path):
    for name in (*RUN_IDS, "best"):
        (tmp_path / "history" / name).mkdir(parents=True)
    done = clean(tmp_path, with_history=True)
    assert names(done.removed) == set(RUN_IDS)
    assert done.kept == (tmp_path / "history",)
    assert (tmp_path / "history" / "best").is_dir()
