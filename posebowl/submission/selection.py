"""Which files of a solution folder go into its zip, and which are left out.

What counts is the solution folder alone, so that a copy of it packs to the same bytes anywhere,
in a git checkout or not. Its own .gitignore files count, those of folders above it and the
user's global one do not: they say what a repository keeps in its history (this project's own
leaves all `*.pt` files out), not what a submission needs. Weights that a solution's own rules
leave out are named, since forgetting them is the commonest way to lose a submission.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from posebowl.challenge import ArchiveLimits
from posebowl.errors import BadArchiveError
from posebowl.submission.lint import WEIGHT_SUFFIXES
from posebowl.submission.member_names import WHY_NAMES, name_problem
from posebowl.submission.zip_end import quoted
from posebowl.util.files import file_kind
from posebowl.util.units import human_bytes

IGNORE_FILE: Final = ".gitignore"
JUNK: Final = GitIgnoreSpec.from_lines((
    ".git", ".hg/", ".svn/", "__pycache__/", ".venv/", ".nox/", ".tox/", ".mypy_cache/",
    ".ruff_cache/", ".pytest_cache/", ".hypothesis/", ".ipynb_checkpoints/", ".idea/", ".vscode/",
    "node_modules/", "__MACOSX/", ".DS_Store", "._*", "Thumbs.db", "desktop.ini", "*.swp", "*~",
    "Icon[\r]",  # where the Finder keeps the picture of a folder
))  # fmt: skip
"""Left out unless a .gitignore of the solution takes it back with `!`."""

_VENV_MARK: Final = "pyvenv.cfg"
_LISTED: Final = 10_000
"""How many files of an ignored folder are looked at for weights."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that goes into the zip."""

    name: str
    """Its path in the zip."""
    path: Path
    size: int
    executable: bool


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a solution folder comes to."""

    files: tuple[Source, ...]
    """Sorted by the bytes of their names."""
    empty_folders: tuple[str, ...]
    """With a slash at the end; a solution may expect them to be there."""
    left_out: tuple[str, ...]
    """Files and folders, those with a slash at the end, counted without what is in them."""
    weights_left_out: tuple[str, ...]
    """Those among the left out that look like weights."""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


@dataclass(kw_only=True)
class _Walk:
    root: Path
    skip: Path
    limits: ArchiveLimits
    files: list[Source] = field(default_factory=list)
    empty_folders: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)


_Rules = list[tuple[str, GitIgnoreSpec]]


def select(root: Path, *, skip: Path, limits: ArchiveLimits) -> Selection:
    """Walk a solution folder.

    Args:
        root: The folder, resolved.
        skip: The zip that is being made, resolved: it may lie in the folder.
        limits: How large files may be, and how many.

    Raises:
        BadArchiveError: A name, a link, a special file or a size breaks a rule.
    """
    walk = _Walk(root=root, skip=skip, limits=limits)
    _folder(walk, root, "", [("", JUNK)], (root,))
    return Selection(
        files=tuple(sorted(walk.files, key=lambda source: os.fsencode(source.name))),
        empty_folders=tuple(sorted(walk.empty_folders, key=os.fsencode)),
        left_out=tuple(sorted(walk.left_out)),
        weights_left_out=tuple(sorted(walk.weights)),
    )


def _folder(walk: _Walk, folder: Path, prefix: str, rules: _Rules, chain: tuple[Path, ...]) -> None:
    """Walk one folder; `chain` is this folder and all above it, resolved, to notice circles."""
    own = folder / IGNORE_FILE
    if own.is_file():
        rules = [*rules, (prefix, _read_rules(own, prefix))]
    items = sorted(os.scandir(folder), key=lambda item: item.name)
    if not items and prefix:
        walk.empty_folders.append(prefix)
    for item in items:
        path = folder / item.name
        name = prefix + item.name
        if path == walk.skip:
            continue
        # To git a link is a file; but whoever writes `data/` means a link to data as well.
        linked = item.is_symlink()
        is_folder = item.is_dir(follow_symlinks=False)
        forms = [f"{name}/"] * (linked or is_folder) + [name] * (not is_folder)
        own_venv = is_folder and (path / _VENV_MARK).is_file()
        if own_venv or any(_ignored(form, rules) for form in forms):
            _leave_out(walk, path, name, is_folder=is_folder)
            continue
        target, info = _followed(walk, path, name) if linked else (path, path.stat())
        is_folder = stat.S_ISDIR(info.st_mode)
        _check_name(walk, f"{name}/" if is_folder else name)
        if not is_folder:
            walk.files.append(_source(walk, target, name, info))
        elif target in chain:
            raise BadArchiveError(f"The link {quoted(name)} leads into a circle.", fix="Remove it.")
        else:
            _folder(walk, target, f"{name}/", rules, (*chain, target))


def _read_rules(path: Path, prefix: str) -> GitIgnoreSpec:
    """Read a .gitignore; the error for a bad one names the line."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error):
        wrong = next(number for number, line in enumerate(lines, 1) if not _is_rule(line))
    where, what = quoted(prefix + IGNORE_FILE), quoted(lines[wrong - 1])
    raise BadArchiveError(
        f"Line {wrong} of {where} is not a pattern: {what}.",
        fix="Correct the line, or remove it.",
    )


def _is_rule(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _ignored(name: str, rules: _Rules) -> bool:
    """Apply the rules as git does: the deepest file that says something decides."""
    for prefix, spec in reversed(rules):
        verdict = spec.check_file(name[len(prefix) :]).include
        if verdict is not None:
            return verdict
    return False


def _followed(walk: _Walk, path: Path, name: str) -> tuple[Path, os.stat_result]:
    """Return the target of a link, which is packed in its place and must be in the solution."""
    try:
        target = path.resolve(strict=True)
        info = target.stat()
    except (OSError, RuntimeError):
        raise BadArchiveError(
            f"The link {quoted(name)} leads nowhere.", fix="Remove it, or restore its target."
        ) from None
    if not target.is_relative_to(walk.root):
        raise BadArchiveError(
            f"The link {quoted(name)} leads out of the solution, to {target}.",
            why="What lies there is not on the platform.",
            fix=f"Copy it: `cp -rL {target} ...` in place of the link.",
        )
    return target, info


def _leave_out(walk: _Walk, path: Path, name: str, *, is_folder: bool) -> None:
    walk.left_out.append(f"{name}/" if is_folder else name)
    if not is_folder:
        inside: Iterator[str] = iter([name])
    elif _ignored(f"{name}/", [("", JUNK)]) or (path / _VENV_MARK).is_file():
        return
    else:
        found = (file for file in path.rglob("*") if file.suffix.lower() in WEIGHT_SUFFIXES)
        inside = (f"{name}/{file.relative_to(path).as_posix()}" for file in found)
    for file in itertools.islice(inside, _LISTED):
        if Path(file).suffix.lower() in WEIGHT_SUFFIXES:
            walk.weights.append(file)


def _check_name(walk: _Walk, name: str) -> None:
    problem = name_problem(name)
    if problem:
        what = f"The name {quoted(name)} {problem}."
        raise BadArchiveError(what, why=WHY_NAMES, fix="Rename it.")
    if len(walk.files) + len(walk.empty_folders) >= walk.limits.entries:
        raise BadArchiveError(
            f"The solution has more than {walk.limits.entries:,} files.",
            fix="List what main.sh does not need in the solution's .gitignore.",
        )


def _source(walk: _Walk, path: Path, name: str, info: os.stat_result) -> Source:
    if not stat.S_ISREG(info.st_mode):
        raise BadArchiveError(
            f"{quoted(name)} is {file_kind(info.st_mode)}, which cannot be packed.",
            fix="Remove it.",
        )
    if info.st_size > walk.limits.file_bytes:
        raise BadArchiveError(
            f"{quoted(name)} has {human_bytes(info.st_size)}; "
            f"at most {human_bytes(walk.limits.file_bytes)} are allowed.",
            fix="Split it, or list it in the solution's .gitignore.",
        )
    return Source(
        name=name, path=path, size=info.st_size, executable=_executable(path, info.st_mode)
    )


def _executable(path: Path, mode: int) -> bool:
    """Check whether a file is executable: on Windows, where no bit says so, by its content."""
    if os.name != "nt":
        return bool(mode & stat.S_IXUSR)
    with path.open("rb") as file:
        return file.read(4).startswith((b"#!", b"\x7fELF"))
