"""The lock: what its digest covers, and that it installs where nobody has a compiler."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from posebowl import paths
from posebowl.environments import packages
from posebowl.environments.lockfile import (
    DirectPackage,
    digest,
    direct_packages,
    edited,
    excluded,
)

TEXT = paths.LOCK.read_text(encoding="utf-8")
PACKAGES = {package["name"]: package for package in tomllib.loads(TEXT)["package"]}


def fits(wheel: dict[str, str]) -> bool:
    """Return whether a wheel installs with CPython 3.11 on Linux, x86-64."""
    _, _, _, tags = parse_wheel_filename(wheel["url"].rsplit("/", 1)[-1].replace("%2B", "+"))
    return any(
        tag.platform == "any" or ("linux" in tag.platform and tag.platform.endswith("x86_64"))
        for tag in tags
    )


@pytest.mark.parametrize("group", ["lean", "cpu"])
def test_every_package_of_an_environment_has_a_wheel(group: str, tmp_path: Path) -> None:
    names = set(packages.package_names(group, tmp_path))
    assert "numpy" in names
    without = {
        name for name in names if not any(fits(wheel) for wheel in PACKAGES[name].get("wheels", []))
    }
    assert without == set()


def lock(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "uv.lock").write_text(text)
    return folder / "uv.lock"


def test_the_digest_is_a_sha256(tmp_path: Path) -> None:
    assert digest(lock(tmp_path, "abc")).startswith("ba7816bf8f01cfea")


OPTIONS = '[options]\nexclude-newer = "2030-01-01T00:00:00Z"\nprerelease-mode = "allow"\n\n'


@pytest.mark.parametrize(
    "changed",
    [
        TEXT.replace("/simple", "/simple/"),
        re.sub('registry = "[^"]*"', 'registry = "https://mirror.example.org/simple"', TEXT),
        re.sub(r'url = "https://[^/]*/packages', 'url = "https://mirror.example.org/p', TEXT),
        TEXT.replace("[[package]]", f"{OPTIONS}[[package]]", 1),
    ],
    ids=["slash", "index", "files", "options"],
)
def test_what_uv_writes_from_the_users_settings_changes_nothing(
    changed: str, tmp_path: Path
) -> None:
    assert changed != TEXT
    assert tomllib.loads(changed)
    assert digest(lock(tmp_path, changed)) == digest()


@pytest.mark.parametrize(
    "changed",
    [
        TEXT.replace('version = "2.', 'version = "3.', 1),
        TEXT.replace("sha256:", "sha256:0", 1),
        TEXT.replace("py3-none-any.whl", "py4-none-any.whl", 1),
        TEXT.replace("sys_platform == 'linux'", "sys_platform == 'darwin'"),
    ],
    ids=["version", "hash", "file", "marker"],
)
def test_what_is_installed_changes_it(changed: str, tmp_path: Path) -> None:
    assert digest(lock(tmp_path, changed)) != digest()


DIRECT = """
[[package]]
name = "a"
version = "1.0"
source = { editable = "vendor/a" }

[[package]]
name = "b"
source = { directory = "vendor/b" }

[[package]]
name = "c"
version = "1.0"
source = { path = "c-1.0-py3-none-any.whl" }

[[package]]
name = "d"
version = "1.0"
source = { git = "https://example.org/d?rev=main#0123" }

[[package]]
name = "posebowl"
version = "0.1.0"
source = { virtual = "." }
"""


def test_packages_that_no_index_has() -> None:
    assert direct_packages(TEXT) == []
    assert direct_packages(DIRECT) == [
        DirectPackage(name="a", version="1.0", kind="folder", place="vendor/a"),
        DirectPackage(name="b", version="", kind="folder", place="vendor/b"),
        DirectPackage(name="c", version="1.0", kind="file", place="c-1.0-py3-none-any.whl"),
        DirectPackage(
            name="d", version="1.0", kind="git", place="https://example.org/d?rev=main#0123"
        ),
    ]


def test_their_content_is_part_of_the_digest(tmp_path: Path) -> None:
    def made(name: str, **contents: str) -> str:
        folder = tmp_path / name
        files = {
            "vendor/a/a.py": "1",
            "vendor/b/b.py": "2",
            "c-1.0-py3-none-any.whl": "3",
            **contents,
        }
        for place, text in files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(text)
        return digest(lock(folder, DIRECT))

    first = made("first")
    assert made("second") == first
    assert made("cached", **{"vendor/a/__pycache__/a.pyc": "x", "vendor/b/.git/HEAD": "x"}) == first
    changes = [{"vendor/a/a.py": "4"}, {"vendor/b/new.py": ""}, {"c-1.0-py3-none-any.whl": "4"}]
    digests = {made(str(number), **change) for number, change in enumerate(changes)}
    assert len({*digests, first}) == 4


def test_a_package_that_is_asked_for_and_left_out(tmp_path: Path) -> None:
    assert excluded() == {}
    text = (paths.ROOT / "pyproject.toml").read_text()
    asked = text.replace(
        '    "filelock', '    "Opencv_Python>=4 ; python_version > \'3\'",\n    "filelock'
    )
    (tmp_path / "pyproject.toml").write_text(asked)
    assert list(excluded(tmp_path)) == ["opencv-python"]
    said = excluded(tmp_path)["opencv-python"]
    assert "opencv-python-headless" in said
    assert said.endswith("Type: uv remove opencv-python")


def test_a_lock_that_git_has_otherwise(tmp_path: Path) -> None:
    path = lock(tmp_path, "one")
    assert edited(path) == ""  # not a repository
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "One"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    assert edited(path) == ""
    path.write_text("two")
    assert "git checkout uv.lock" in edited(path)
