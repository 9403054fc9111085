from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from posebowl.challenge import ArchiveLimits
from posebowl.errors import BadArchiveError
from posebowl.submission.selection import Selection, select


def make(root: Path, *names: str, **texts: str) -> Path:
    for name in (*names, *texts):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(texts.get(name, "x"))
    return root.resolve()


def chosen(root: Path, limits: ArchiveLimits | None = None) -> Selection:
    return select(root, skip=root / "submission.zip", limits=limits or ArchiveLimits())


def names(selection: Selection) -> list[str]:
    return [source.name for source in selection.files]


def test_junk_is_left_out(tmp_path: Path):
    junk = [
        ".git/config",
        "__pycache__/a.pyc",
        "src/__pycache__/b.pyc",
        ".DS_Store",
        "src/._a",
        "__MACOSX/x",
        ".venv/bin/python",
        ".ipynb_checkpoints/n.ipynb",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        "a.swp",
        "b~",
        "Icon\r",
    ]
    root = make(tmp_path, "main.sh", "src/a.py", "src/env.py", "lib/old.pyc", *junk)
    selection = chosen(root)
    assert names(selection) == ["lib/old.pyc", "main.sh", "src/a.py", "src/env.py"]
    assert selection.left_out == tuple(
        sorted(
            [
                ".git/",
                "__pycache__/",
                "src/__pycache__/",
                ".DS_Store",
                "src/._a",
                "__MACOSX/",
                ".venv/",
                ".ipynb_checkpoints/",
                "env/",
                "a.swp",
                "b~",
                "Icon\r",
            ]
        )
    )


def test_only_the_rules_of_the_solution_count(tmp_path: Path):
    (tmp_path / ".gitignore").write_text("*.pt\n")
    root = make(tmp_path / "s", "main.sh", "best.pt")
    assert names(chosen(root)) == ["best.pt", "main.sh"]


def test_rules_agree_with_git(tmp_path: Path):
    files = [
        "main.sh",
        "a.pt",
        "keep.pt",
        "out/x",
        "out/keep.pt",
        "deep/out/y",
        "deep/a.log",
        "deep/b.log",
        "deep/in/a.log",
        "data/x.csv",
        "data/y.txt",
        "root.txt",
        "deep/root.txt",
        "build/x",
    ]
    root = make(tmp_path, *files)
    (root / ".gitignore").write_text("*.pt\n!keep.pt\nout/\n/root.txt\ndata/*\n!data/*.txt\n#x\n")
    (root / "deep" / ".gitignore").write_text("*.log\n!b.log\n")
    (root / "deep" / "in" / ".gitignore").write_text("!a.log\n")
    subprocess.run(["git", "init", "-q", root], check=True)
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-co", "--exclude-per-directory=.gitignore"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert names(chosen(root)) == sorted(listed.stdout.split(), key=os.fsencode)


def test_the_defaults_can_be_taken_back(tmp_path: Path):
    root = make(tmp_path, "main.sh", "node_modules/x.js")
    (root / ".gitignore").write_text("!node_modules/\n")
    assert "node_modules/x.js" in names(chosen(root))


def test_weights_in_an_ignored_folder_are_seen(tmp_path: Path):
    root = make(tmp_path, "main.sh", "models/deep/best.PT", "models/x.txt", ".venv/w.pt", "b.onnx")
    (root / ".gitignore").write_text("models/\n*.onnx\n")
    selection = chosen(root)
    assert selection.weights_left_out == ("b.onnx", "models/deep/best.PT")
    assert selection.left_out == (".venv/", "b.onnx", "models/")


def test_empty_folders_stay_and_emptied_ones_go(tmp_path: Path):
    root = make(tmp_path, "main.sh", "out/", "old/__pycache__/x.pyc", "a/b/")
    assert chosen(root).empty_folders == ("a/b/", "out/")


def test_links_inside_are_followed(tmp_path: Path):
    root = make(tmp_path, "main.sh", "lib/a.py")
    (root / "b.py").symlink_to("lib/a.py")
    (root / "copy").symlink_to("lib")
    (root / "lib" / "main.sh").symlink_to(root / "main.sh")
    selection = chosen(root)
    assert names(selection) == [
        "b.py", "copy/a.py", "copy/main.sh", "lib/a.py", "lib/main.sh", "main.sh",
    ]  # fmt: skip
    assert not any(source.path.is_symlink() for source in selection.files)


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("/etc/passwd", "leads out of the solution"),
        ("..", "leads out of the solution"),
        ("gone", "leads nowhere"),
        ("loop", "leads nowhere"),
        (".", "leads into a circle"),
    ],
)
def test_other_links_are_refused(target: str, what: str, tmp_path: Path):
    root = make(tmp_path / "s", "main.sh")
    (root / "loop").symlink_to(target)
    with pytest.raises(BadArchiveError, match=what):
        chosen(root)


def test_an_ignored_link_does_not_matter(tmp_path: Path):
    root = make(tmp_path / "s", "main.sh")
    (root / "data").symlink_to("/etc")
    (root / ".gitignore").write_text("data\n")
    assert names(chosen(root)) == [".gitignore", "main.sh"]


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "C:x", "\udcff"])
def test_names_that_no_archive_may_have(name: str, tmp_path: Path):
    root = make(tmp_path, "main.sh")
    (root / name).write_text("")
    with pytest.raises(BadArchiveError, match="The name") as caught:
        chosen(root)
    assert str(caught.value).isprintable()


def test_a_fifo_is_refused_at_once(tmp_path: Path):
    root = make(tmp_path, "main.sh")
    os.mkfifo(root / "pipe")
    with pytest.raises(BadArchiveError, match="a FIFO"):
        chosen(root)


def test_links_cannot_multiply_without_end(tmp_path: Path):
    root = make(tmp_path, "main.sh", "d0/x")
    for level in range(1, 20):
        (root / f"d{level}").mkdir()
        for name in "ab":
            (root / f"d{level}" / name).symlink_to(root / f"d{level - 1}")
    with pytest.raises(BadArchiveError, match="more than 500 files"):
        chosen(root, ArchiveLimits(entries=500))


@pytest.mark.parametrize("line", ["!", "a\\", "[z-a]"])
def test_a_line_that_is_no_pattern_is_named(line: str, tmp_path: Path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".gitignore").write_text(f"*.tmp\n{line}\n")
    with pytest.raises(BadArchiveError, match=r"Line 2 of .*deep/\.gitignore") as caught:
        select(tmp_path, skip=tmp_path / "x.zip", limits=ArchiveLimits())
    assert caught.value.fix
