from __future__ import annotations

import io
import os
import runpy
import stat
import sys
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rich.console import Console

from posebowl.challenge import ArchiveLimits
from posebowl.errors import BadArchiveError, PoseBowlError, UsageError
from posebowl.paths import RUNTIME
from posebowl.submission import packer as pack_module
from posebowl.submission.archive import digest, inspect
from posebowl.submission.member_names import name_problem
from posebowl.submission.packer import find_folder, find_solution, pack
from posebowl.submission.selection import JUNK

MAIN = "#!/bin/sh\npython src/main.py\n"
# Golden: the file format itself. If this changes, packed zips of everybody change.
GOLDEN = "bb3a5d9bd64d3d901ca07e91ec7c1bbe349f7e4d282e839702cfaa8c5dcc4f01"


def solution(folder: Path, files: dict[str, bytes | str] | None = None) -> Path:
    for name, content in {"main.sh": MAIN, **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o644)
    return folder


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_golden_bytes(tmp_path: Path):
    source = solution(tmp_path / "s", {"src/main.py": "print('é')\n", "é.txt": "x", "w.pt": b"\0"})
    (source / "empty").mkdir()
    (source / "main.sh").chmod(0o775)
    packed = pack(source, tmp_path / "a.zip")
    assert names(packed.path) == ["empty/", "main.sh", "src/main.py", "w.pt", "é.txt"]
    assert packed.sha256 == GOLDEN
    assert packed.sha256 == digest(packed.path)
    assert packed.bytes == packed.path.stat().st_size
    assert (packed.files, packed.left_out, packed.warnings) == (4, (), ())


def test_same_bytes_elsewhere_later_and_in_another_order(tmp_path: Path):
    files = {"b/x.py": "1", "a.py": "2", "b/a/z.bin": b"\0" * 99, "Z": "3"}
    one = pack(solution(tmp_path / "one", files), tmp_path / "1.zip")
    other = solution(tmp_path / "far" / "other", dict(reversed(files.items())))
    for number, path in enumerate(other.rglob("*")):
        os.utime(path, (number * 1e6, number * 2e6))
        if path.is_file():
            path.chmod(0o600)
    two = pack(other, tmp_path / "2.zip")
    assert one.path.read_bytes() == two.path.read_bytes()


def test_modes_are_normal_but_the_executable_bit_stays(tmp_path: Path):
    source = solution(tmp_path / "s", {"tool": "x"})
    (source / "tool").chmod(0o4711)
    with zipfile.ZipFile(pack(source, tmp_path / "a.zip").path) as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert modes == {"main.sh": stat.S_IFREG | 0o644, "tool": stat.S_IFREG | 0o755}


NAME = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters='/\\:*?"<>|.~'),
    min_size=1,
    max_size=12,
).filter(
    lambda name: (
        len(name.encode()) < 100 and not JUNK.match_file(f"{name}/") and not name_problem(name)
    )
)
PATH = st.lists(NAME, min_size=1, max_size=3).map("/".join)
TREE = st.dictionaries(PATH, st.tuples(st.binary(max_size=200), st.booleans()), max_size=8)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tree=TREE)
def test_unpacking_gives_the_tree_again(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("round")
    source = solution(folder / "s")
    for name, (content, executable) in tree.items():
        path = source / name
        if path.exists() or any(p.is_file() for p in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if executable else 0o644)
    packed = pack(source, folder / "a.zip")
    unpack = ["unpack.py", str(packed.path), str(folder / "out")]
    with mock.patch.object(sys, "argv", unpack), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(RUNTIME / "unpack.py"), run_name="__main__")
    assert not ended.value.code
    assert listing(folder / "out") == listing(source)
    # What comes out packs to the same bytes, and the check accepts it.
    assert pack(folder / "out", folder / "b.zip").sha256 == packed.sha256
    assert inspect(packed.path).files == packed.files


def listing(folder: Path) -> dict[str, tuple[bytes, bool] | None]:
    return {
        path.relative_to(folder).as_posix(): None
        if path.is_dir()
        else (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in folder.rglob("*")
    }


def test_an_existing_zip_stays_without_force(tmp_path: Path):
    source = solution(tmp_path / "s")
    target = tmp_path / "a.zip"
    target.write_text("mine")
    with pytest.raises(UsageError, match="already exists") as caught:
        pack(source, target)
    assert "--force" in caught.value.fix
    assert target.read_text() == "mine"
    pack(source, target, force=True)
    assert names(target) == ["main.sh"]


def test_a_failure_leaves_the_old_zip_and_nothing_else(tmp_path: Path, monkeypatch):
    source = solution(tmp_path / "s", {"w.bin": b"x" * 100})
    target = tmp_path / "out" / "a.zip"
    target.parent.mkdir()
    target.write_text("old")
    real = pack_module._add

    def grow(archive, item, buffer, advance):
        if item.name == "w.bin":
            item.path.write_bytes(b"x" * 101)
        real(archive, item, buffer, advance)

    monkeypatch.setattr(pack_module, "_add", grow)
    with pytest.raises(PoseBowlError, match="changed while"):
        pack(source, target, force=True)
    assert {path.name: path.read_text() for path in target.parent.iterdir()} == {"a.zip": "old"}


def test_the_zip_may_lie_in_the_solution_and_its_folder_may_be_new(tmp_path: Path):
    source = solution(tmp_path / "s")
    first = pack(source, source / "new" / "a.zip")
    second = pack(source, source / "new" / "a.zip", force=True)
    assert names(first.path) == ["main.sh"]
    # The folder that the first call made is there now, without its zip.
    assert second.files == 1


def test_a_missing_folder_suggests_another(tmp_path: Path):
    solution(tmp_path / "benchmark")
    solution(tmp_path / "quickstart")
    with pytest.raises(UsageError, match="There is no folder") as caught:
        pack(tmp_path / "bencmark", tmp_path / "a.zip")
    assert caught.value.fix == "Did you mean benchmark?"
    with pytest.raises(UsageError) as caught:
        find_solution("xyzzy", solutions=tmp_path)
    assert caught.value.fix == "There are: benchmark, quickstart."
    with pytest.raises(UsageError) as caught:
        find_solution("xyzzy", solutions=tmp_path / "benchmark")
    assert "invoke pack FOLDER" in caught.value.fix
    with pytest.raises(UsageError, match="not a folder") as caught:
        pack(tmp_path / "benchmark" / "main.sh", tmp_path / "a.zip")
    assert "invoke pack FOLDER" in caught.value.fix
    for name in ("../x", "", ".", "a/b"):
        with pytest.raises(UsageError):
            find_solution(name, solutions=tmp_path)
    assert find_solution("benchmark", solutions=tmp_path) == tmp_path / "benchmark"


def test_a_solution_is_named_or_its_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    solutions = tmp_path / "solutions"
    solution(solutions / "mine")
    solution(tmp_path / "mine")
    solution(tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    assert find_folder("mine", solutions=solutions) == solutions / "mine"
    assert find_folder("./mine", solutions=solutions) == Path("mine")
    assert find_folder("other", solutions=solutions) == Path("other")
    assert find_folder(".", solutions=solutions) == Path()
    assert find_folder("a/typo", solutions=solutions) == Path("a/typo")  # which pack refuses
    with pytest.raises(UsageError, match="no solution named mime") as caught:
        find_folder("mime", solutions=solutions)
    assert caught.value.fix == "Did you mean mine?"


def test_a_file_is_not_a_folder(tmp_path: Path):
    file = tmp_path / "x"
    file.write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        pack(file, tmp_path / "a.zip")
    with pytest.raises(UsageError, match="is a folder") as caught:
        pack(solution(tmp_path / "s"), tmp_path)
    assert "submission.zip" in caught.value.fix


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (MAIN.replace("\n", "\r\n"), "CRLF"),
        ("\ufeff" + MAIN, "byte order mark"),
        ("", "is empty"),
        (MAIN.encode("utf-16"), "UTF-16"),
        ("if true; then\n", "cannot parse"),
        ("f() {\n  a=(1 2)\n}\n", r"cannot parse.*main.sh: 2"),
    ],
)
def test_a_main_script_that_cannot_work(content: str, what: str, tmp_path: Path):
    source = solution(tmp_path / "s", {"main.sh": content})
    with pytest.raises(BadArchiveError, match=what) as caught:
        pack(source, tmp_path / "a.zip")
    assert caught.value.fix
    assert not (tmp_path / "a.zip").exists()


def test_no_main_script(tmp_path: Path):
    inner = solution(tmp_path / "s" / "inner")
    with pytest.raises(BadArchiveError, match=r"no main.sh") as caught:
        pack(tmp_path / "s", tmp_path / "a.zip")
    assert f"invoke pack {inner}`" in caught.value.fix
    (inner / "main.sh").rename(inner / "Main.sh")
    with pytest.raises(BadArchiveError) as caught:
        pack(inner, tmp_path / "a.zip")
    assert caught.value.fix == "Rename Main.sh to main.sh."
    (inner / "Main.sh").rename(inner / "main.sh.txt")
    with pytest.raises(BadArchiveError) as caught:
        pack(inner, tmp_path / "a.zip")
    assert caught.value.fix == "Rename main.sh.txt to main.sh."
    ignored = solution(tmp_path / "t", {".gitignore": "*.sh\n"})
    with pytest.raises(BadArchiveError, match=r"leaves out main\.sh"):
        pack(ignored, tmp_path / "a.zip")


def test_what_runs_but_fails_is_told_with_its_line(tmp_path: Path):
    source = solution(tmp_path / "s", {"main.sh": "set -e\n\nsource env.sh\n"})
    warnings = pack(source, tmp_path / "a.zip").warnings
    assert warnings == ("main.sh:3: in dash, 'source' in place of '.' is not supported (SC3046).",)


@pytest.mark.parametrize(("shell", "count"), [("dash", 0), ("bash", 1), ("", 1)])
def test_an_unchecked_syntax_is_told(shell: str, count: int):
    notes = pack_module.unchecked(shell)
    assert len([note for note in notes if "checked" in note]) == len(notes) == count


def test_limits(tmp_path: Path):
    source = solution(tmp_path / "s", {"w.pt": b"x" * 5000, "v.pt": b"x" * 4000})
    cases = {
        "'?w.pt.* has 4.9 KiB": ArchiveLimits(file_bytes=4500),
        "at most 7.8 KiB": ArchiveLimits(unpacked_bytes=8000),
        "at most 8.8 KiB": ArchiveLimits(archive_bytes=9000),
        "more than 2 files": ArchiveLimits(entries=2),
    }
    for what, limits in cases.items():
        with pytest.raises(BadArchiveError, match=what):
            pack(source, tmp_path / "a.zip", limits=limits)
    assert not (tmp_path / "a.zip").exists()


def test_a_full_disk_is_told_before(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(
        pack_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})()
    )
    with pytest.raises(PoseBowlError, match="10 B free"):
        pack(solution(tmp_path / "s"), tmp_path / "a.zip")


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path, monkeypatch):
    def refuse(*_args, **_words):
        raise PermissionError(13, "Permission denied", str(tmp_path / "a.zip"))

    monkeypatch.setattr(pack_module, "atomic_write", refuse)
    with pytest.raises(PoseBowlError, match=r"a\.zip: Permission denied\."):
        pack(solution(tmp_path / "s"), tmp_path / "a.zip")


def test_a_big_one_shows_its_progress_on_stderr(tmp_path: Path, capsys):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    source = solution(tmp_path / "solved", {"w.pt": b"x" * 5000})
    pack(source, tmp_path / "a.zip", console=console)
    assert shown.getvalue() == ""
    pack(source, tmp_path / "b.zip", console=console, progress_bytes=5000)
    assert "packing solved" in shown.getvalue()
    assert "5.0/5.0 kB" in shown.getvalue()
    assert capsys.readouterr().out == ""


def test_left_out_weights_are_told(tmp_path: Path):
    files = {".gitignore": "*.onnx\n!best.onnx\n", "last.onnx": b"1", "best.onnx": b"2"}
    packed = pack(solution(tmp_path / "s", files), tmp_path / "a.zip")
    assert packed.left_out == ("last.onnx",)
    assert names(packed.path) == [".gitignore", "best.onnx", "main.sh"]
    assert len(packed.warnings) == 1
    assert "1 file of weights left out" in packed.warnings[0]


def test_an_onnx_graph_without_its_data_is_told(tmp_path: Path):
    graph = b"\x08\x07\x0a\x08location\x12\x0fmodel.onnx.data\x12\x01x"
    files = {"m/model.onnx": graph, "m/model.onnx.data": b"1", ".gitignore": "*.data\n"}
    (warning,) = pack(solution(tmp_path / "s", files), tmp_path / "a.zip").warnings
    assert "m/model.onnx keeps its weights in m/model.onnx.data, which is not in the zip" in warning
    (tmp_path / "s" / ".gitignore").unlink()
    assert pack(tmp_path / "s", tmp_path / "b.zip").warnings == ()
