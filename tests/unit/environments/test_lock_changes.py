"""What differs between two locks, with this project's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.environments import Change, changes
from posebowl.errors import UsageError

TEXT = paths.LOCK.read_text(encoding="utf-8")


def block(name: str) -> str:
    found = re.search(
        rf'\[\[package\]\]\nname = "{name}"\n.*?(?=\n\[\[package\]\])', TEXT, re.DOTALL
    )
    assert found
    return found[0]


def version(name: str) -> str:
    found = re.search('^version = "(.*)"', block(name), re.MULTILINE)
    assert found
    return found[1]


def before(folder: Path, text: str) -> Path:
    path = folder / "before.lock"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_lock_does_not_differ_from_itself(tmp_path: Path) -> None:
    assert changes(before(tmp_path, TEXT)) == ()


def test_new_gone_and_other_versions(tmp_path: Path) -> None:
    click, loguru = block("click"), block("loguru")
    old = TEXT.replace(f"{loguru}\n", "")
    old = old.replace(click, re.sub('version = ".*"', 'version = "1.0"', click, count=1))
    old += '\n[[package]]\nname = "gone"\nversion = "3"\nsource = { registry = "x" }\n'
    assert changes(before(tmp_path, old)) == (
        Change(name="click", before="1.0", after=version("click")),
        Change(name="gone", before="3", after=""),
        Change(name="loguru", before="", after=version("loguru")),
    )


def test_the_version_of_the_project_itself_is_no_change(tmp_path: Path) -> None:
    own = block("posebowl")
    old = TEXT.replace(own, re.sub('version = ".*"', 'version = "9.9"', own, count=1))
    assert old != TEXT
    assert changes(before(tmp_path, old)) == ()


def test_files_that_an_index_replaced_are_a_change(tmp_path: Path) -> None:
    click = block("click")
    old = TEXT.replace(click, re.sub("sha256:....", "sha256:0000", click))
    same = version("click")
    assert changes(before(tmp_path, old)) == (
        Change(name="click", before=same, after=f"{same} (other files)"),
    )


def test_a_wheel_more_is_no_change(tmp_path: Path) -> None:
    click = block("click")
    old = TEXT.replace(click, re.sub(r"sdist = .*\n", "", click))
    assert old != TEXT
    assert changes(before(tmp_path, old)) == ()


def test_another_source_is_a_change(tmp_path: Path) -> None:
    click = block("click")
    git = re.sub("source = .*", 'source = { git = "https://git.example/x#0123" }', click, count=1)
    (change,) = changes(before(tmp_path, TEXT.replace(click, git)))
    assert change.before == f"{version('click')} from https://git.example/x#0123"
    assert change.after == version("click")


@pytest.mark.parametrize(
    "text", ["", "not toml", "package = 1", "package = [1]", '[[package]]\nname = "x"\n']
)
def test_what_is_not_a_lock_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read as a lock") as caught:
        changes(before(tmp_path, text))
    assert caught.value.why
