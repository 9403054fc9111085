"""What a build reads: open to all, complete, and not the checkout itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import Variant
from posebowl.engines.oci.image import RECIPE
from posebowl.environments import digest
from posebowl.errors import EngineError
from posebowl.images import context
from posebowl.images.context import staged
from tests.umask import closed, umask

NAMES = "runtime/sources/names.txt"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what a build reads, as closed as umask 077 makes it."""
    with umask(0o077):
        for name in ("pyproject.toml", "uv.lock", *(f"runtime/{file}" for file in RECIPE)):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((paths.ROOT / name).read_bytes())
    return tmp_path


def add(checkout: Path, name: str, source: str) -> None:
    lock = checkout / "uv.lock"
    added = f'\n[[package]]\nname = "{name}"\nversion = "1.5"\nsource = {{ {source} }}\n'
    lock.write_text(lock.read_text() + added)


def test_a_build_reads_what_others_may_read(
    checkout: Path, tmp_path: Path, each_umask: int
) -> None:
    assert closed(checkout)
    with staged(Variant.CPU, tmp_path / "cache", checkout) as folder:
        made = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
        assert made == {"pyproject.toml", "uv.lock", *(f"runtime/{file}" for file in RECIPE)}
        assert [name for name in closed(folder) if name != "."] == []
        modes = {file.stat().st_mode & 0o777 for file in folder.rglob("*") if file.is_file()}
        assert modes <= {0o644, 0o755}
        assert (folder / NAMES).read_bytes() == (checkout / NAMES).read_bytes()
        assert digest(folder / "uv.lock") == digest(checkout / "uv.lock")
    assert not folder.exists()
    assert os.umask(each_umask) == each_umask


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    argv = ["git", *who, *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_packages_that_no_index_has_come_with_their_sources(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    (repository / "python").mkdir(parents=True)
    git(repository, "init", "-q")
    for content in ("locked", "newer"):
        (repository / "python" / "module.py").write_text(content)
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", content)
    commit = git(repository, "rev-parse", "HEAD~1").strip()
    for place in ("vendor/a/src/a.py", "vendor/a/.git/HEAD", "vendor/a/__pycache__/a.pyc"):
        (checkout / place).parent.mkdir(parents=True, exist_ok=True)
        (checkout / place).write_text("x")
    (checkout / "c-1.5-py3-none-any.whl").write_text("c")
    add(checkout, "a", 'editable = "vendor/a"')
    add(checkout, "c", 'path = "c-1.5-py3-none-any.whl"')
    add(checkout, "d", f'git = "{repository.as_uri()}?subdirectory=python&rev=main#{commit}"')
    add(checkout, "other", 'editable = "vendor/of-another-group"')
    monkeypatch.setattr(context, "package_names", lambda *_: ["a", "c", "d", "numpy"])
    with staged(Variant.CPU, tmp_path / "cache", checkout) as folder:
        sources = folder / "runtime" / "sources"
        listed = (sources / "names.txt").read_text().splitlines()
        assert [line for line in listed if not line.startswith("#")] == [
            "a 1.5 a",
            "c 1.5 c/c-1.5-py3-none-any.whl",
            "d 1.5 d/python",
        ]
        files = {str(file.relative_to(sources)) for file in sources.rglob("*") if file.is_file()}
        assert files == {
            "names.txt",
            "a/src/a.py",
            "c/c-1.5-py3-none-any.whl",
            "d/python/module.py",
        }
        assert (sources / "d/python/module.py").read_text() == "locked"
        assert [name for name in closed(folder) if name != "."] == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ('editable = "vendor/gone"', "source of the package gone is missing"),
        ('git = "file:///nowhere#0123"', "source of the package gone cannot be fetched"),
    ],
)
def test_a_source_that_is_not_there(
    source: str, what: str, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(checkout, "gone", source)
    monkeypatch.setattr(context, "package_names", lambda *_: ["gone"])
    with (
        pytest.raises(EngineError, match=what) as caught,
        staged(Variant.CPU, tmp_path / "cache", checkout),
    ):
        pass
    assert "uv remove gone" in caught.value.fix
