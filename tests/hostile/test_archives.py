"""Every archive of the collection, against the host's check and the sandbox's unpacker."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl.errors import BadArchiveError, Verdict
from posebowl.paths import RUNTIME
from posebowl.submission.archive import inspect
from tests.hostile import archives
from tests.hostile.archives import Case

EVERY = pytest.mark.parametrize("case", archives.CASES, ids=lambda case: case.name)


def unpack(archive: Path, target: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", RUNTIME / "unpack.py", archive, target, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def tree_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


@EVERY
def test_inspect(case: Case, tmp_path: Path):
    path = case.write(tmp_path / "submission.zip")
    if case.verdict is Verdict.OK or case.seen_unpacking:
        found = inspect(path)
        if case.hint:
            assert any(case.hint in warning.lower() for warning in found.warnings)
        assert found.main_script or case.name == "deflate64 main"
        return
    with pytest.raises(BadArchiveError) as caught:
        inspect(path)
    assert case.hint in str(caught.value).lower()
    assert str(caught.value).isprintable()
    assert caught.value.fix
    assert caught.value.verdict is case.verdict


@EVERY
def test_unpack(case: Case, tmp_path: Path):
    path = case.write(tmp_path / "submission.zip")
    inside = tmp_path / "deep" / "target"
    done = unpack(path, inside)
    if not case.unpack_refuses:
        assert done.returncode in {0, 4}, done.stderr
        assert (done.returncode == 4) == (case.name == "long name")
    else:
        assert done.returncode == 3, done.stderr
        assert done.stderr.startswith("unpack: ")
        assert done.stderr.count("\n") == 1
        assert done.stderr.strip().isprintable()
    # Nothing beside the target, no link that leaves it, no device, no more than a block of lies.
    assert {path.name for path in tmp_path.iterdir()} <= {"submission.zip", "deep"}
    assert [path for path in tmp_path.glob("deep/*") if path != inside] == []
    for made in inside.rglob("*"):
        kind = stat.S_IFMT(made.lstat().st_mode)
        assert kind in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}
        if kind == stat.S_IFLNK:
            assert not case.unpack_refuses
            assert Path(os.path.realpath(made)).is_relative_to(os.path.realpath(inside))
    if case.unpack_refuses:
        assert tree_bytes(inside) <= 2 << 20


def test_a_refusal_that_needs_no_unpacking_leaves_nothing(tmp_path: Path):
    for case in archives.BAD_CASES:
        if case.unpack_refuses and not case.seen_unpacking:
            target = tmp_path / case.name
            unpack(case.write(tmp_path / "submission.zip"), target)
            written = [path for path in target.rglob("*") if path.is_file()]
            late = {"other local name", "main damaged", "main lies", "beyond the end"}
            assert not written or case.name in late, case.name


def test_the_content_is_what_was_zipped(tmp_path: Path):
    files = {"main.sh": archives.MAIN, "src/é.py": b"x = 1\n" * 99, "weights.bin": os.urandom(9999)}
    path = tmp_path / "submission.zip"
    path.write_bytes(archives.tree(files, 0o755))
    assert unpack(path, tmp_path / "out").returncode == 0
    for name, content in files.items():
        assert (tmp_path / "out" / name).read_bytes() == content
        assert (tmp_path / "out" / name).stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("attributes", "mode"),
    [
        ((stat.S_IFREG | 0o6755) << 16, 0o755),
        ((stat.S_IFREG | 0o777) << 16, 0o755),
        ((stat.S_IFREG | 0o640) << 16, 0o640),
        ((stat.S_IFREG | 0o444) << 16, 0o644),
        (0, 0o644),
    ],
)
def test_modes(attributes: int, mode: int, tmp_path: Path):
    path = tmp_path / "submission.zip"
    path.write_bytes(archives.named(b"tool", attributes=attributes)())
    assert unpack(path, tmp_path / "out").returncode == 0
    assert stat.S_IMODE((tmp_path / "out" / "tool").stat().st_mode) == mode


def test_max_bytes_holds_before_anything_is_written(tmp_path: Path):
    path = tmp_path / "submission.zip"
    path.write_bytes(archives.tree({"main.sh": archives.MAIN, "w": bytes(5000)}))
    done = unpack(path, tmp_path / "out", "--max-bytes", "4000")
    assert done.returncode == 3
    assert "at most 4000 are allowed" in done.stderr
    assert not (tmp_path / "out").exists()
    assert unpack(path, tmp_path / "out", "--max-bytes", "6000").returncode == 0


def test_nothing_is_mixed_with_what_is_there(tmp_path: Path):
    path = tmp_path / "submission.zip"
    path.write_bytes(archives.build(archives.main()))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "main.sh").write_text("mine")
    done = unpack(path, tmp_path / "out")
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert (tmp_path / "out" / "main.sh").read_text() == "mine"


def test_a_missing_archive_is_wrong_usage(tmp_path: Path):
    done = unpack(tmp_path / "none.zip", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
