"""uv.lock: the digest that names what is made from it, and its packages from outside an index."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from posebowl import paths
from posebowl.util import process

_OPTIONS: Final = re.compile(rb"^\[options\]\n(?:.+\n)*\n?", re.MULTILINE)
_ADDRESS: Final = re.compile(rb'(?<=[ {])(registry|url) = "[a-z+]+://([^"#]*)"')
_DIRECT: Final = re.compile(
    r'^name = "([^"]+)"\n(?:version = "([^"]+)"\n)?'
    r'source = \{ (editable|directory|path|git) = "([^"]+)" \}$',
    re.MULTILINE,
)
_INSTEAD: Final = {
    "opencv-python": "opencv-python-headless, which installs the same files, is there: "
    "`import cv2` works. "
}
_NOT_SOURCE: Final = frozenset(
    {".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv", "__pycache__"}
)

Kind = Literal["folder", "file", "git"]


@dataclass(frozen=True, kw_only=True)
class DirectPackage:
    """A package of the lock that comes from a folder, a file or a git repository."""

    name: str
    kind: Kind
    version: str
    """Empty if only its build backend knows it."""
    place: str
    """A path relative to the lock, or URL[?query]#COMMIT."""


def digest(lock: Path = paths.LOCK) -> str:
    """Return the SHA-256, in hex, that names what is made from a lock.

    It covers each package's name, version and hashes, and the content of folders and files
    that are installed by path. It does not cover the addresses of indexes and the options of
    uv's resolver, which uv writes again from each user's own settings.
    """
    state = lock.stat()
    return _digest(lock, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=8)
def _digest(lock: Path, _mtime_ns: int, _size: int) -> str:
    content = lock.read_bytes()
    hashed = hashlib.sha256(_ADDRESS.sub(_last_part, _OPTIONS.sub(b"", content)))
    for package in direct_packages(content.decode()):
        for path in source_files(package, lock.parent):
            hashed.update(f"{path.relative_to(lock.parent)} {path.stat().st_size}\n".encode())
            hashed.update(path.read_bytes())
    return hashed.hexdigest()


def _last_part(address: re.Match[bytes]) -> bytes:
    """Leave the name of a file, or of an index, of an address."""
    return b'%s = "%s"' % (address[1], address[2].rstrip(b"/").rpartition(b"/")[2])


def direct_packages(text: str) -> list[DirectPackage]:
    """Return the packages in the text of a lock that come from outside an index."""
    kinds: dict[str, Kind] = {"path": "file", "git": "git"}
    return [
        DirectPackage(name=name, version=version, kind=kinds.get(kind, "folder"), place=place)
        for name, version, kind, place in _DIRECT.findall(text)
    ]


def source_files(package: DirectPackage, root: Path) -> Iterator[Path]:
    """Yield the files of a package by path, in a fixed order; none of one from git."""
    place = root / package.place
    if package.kind == "file":
        yield place
    elif package.kind == "folder":
        for folder, names, files in os.walk(place):
            names[:] = sorted(name for name in names if name not in _NOT_SOURCE)
            found = (Path(folder, name) for name in sorted(files))
            yield from (path for path in found if path.is_file())


def requested(root: Path = paths.ROOT) -> set[str]:
    """Return the normalized names of the packages that pyproject.toml asks for, in any group."""
    return _requested(_pyproject(root))


def _requested(table: dict[str, Any]) -> set[str]:
    groups = [table["project"]["dependencies"], *table.get("dependency-groups", {}).values()]
    return {
        re.split(r"[^A-Za-z0-9._-]", item, maxsplit=1)[0].lower().replace("_", "-")
        for group in groups
        for item in group
        if isinstance(item, str)
    }


def _pyproject(root: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415  # a check needs none of it

    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def excluded(root: Path = paths.ROOT) -> dict[str, str]:
    """Return what pyproject.toml asks for and its tool.uv.exclude-dependencies leaves out.

    Returns:
        Each package, and what to do about it: uv adds and locks it silently, and never installs
        it.
    """
    table = _pyproject(root)
    left_out = set(table.get("tool", {}).get("uv", {}).get("exclude-dependencies", ()))
    return {
        name: f"tool.uv.exclude-dependencies leaves it out. {_INSTEAD.get(name, '')}"
        f"Type: uv remove {name}"
        for name in sorted(_requested(table) & left_out)
    }


def edited(lock: Path = paths.LOCK) -> str:
    """Return a sentence if uv.lock differs from the one that git has; empty otherwise."""
    argv = ["git", "status", "--porcelain", "--", lock.name]
    if "M" not in process.run(argv, cwd=lock.parent, check=False).stdout[:2]:
        return ""
    return (
        "uv.lock has changes that are not committed. If they are not yours, uv made them because "
        "of its own settings: `git diff uv.lock` shows them, `git checkout uv.lock` undoes them."
    )
