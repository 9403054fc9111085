"""The zips to evaluate: each found once, and each under a name that no other has."""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.errors import UsageError
from posebowl.submission import archive
from posebowl.util.text import escape

PACKED_NAME: Final = "submission"
"""Of a zip whose folder tells whose it is. Machines call all zips so: equal ones share a run."""
_FIX: Final = "Name zips, or folders that hold some."


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A zip to evaluate."""

    name: str
    """For people: no other submission of the evaluation has it."""
    archive: Path
    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """The submissions at the places that a user named, and what else lies there."""

    submissions: tuple[Submission, ...]
    left_out: tuple[str, ...]
    """Files that are not evaluated: those that are not zips, and those found before."""


def collect(places: Sequence[Path]) -> Found:
    """Find the zips that a user names, and those in the folders that they name.

    Folders are searched through links. A file that is reached in two ways is one submission; two
    files are two, even if they have the same name or the same bytes, or one is a link to the other.

    Raises:
        UsageError: A file or folder does not exist or is not readable, or a folder holds no zip.
    """
    short: dict[Path, str] = {}
    left_out: list[str] = []
    for place in places:
        zips = _zips(place, left_out)
        for path, name in zips.items():
            at = path.parent.resolve() / path.name
            if short.setdefault(at, name) != name:
                left_out.append(f"{path} (found before)")
    if not short:
        raise UsageError("No submission is named.", fix=_FIX)
    return Found(
        submissions=tuple(
            Submission(
                name=name,
                archive=path.resolve(),
                sha256=archive.digest(path),
                bytes=path.stat().st_size,
            )
            for path, name in _distinct(short).items()
        ),
        left_out=tuple(left_out),
    )


def _zips(place: Path, left_out: list[str]) -> dict[Path, str]:
    """Return a zip or those of a folder, each with the name of its submission."""
    if not place.exists():
        raise UsageError(f"{place} does not exist.", fix=_FIX)
    parent = Path(os.path.abspath(place))  # noqa: PTH100  # a link keeps its name
    if not place.is_dir():
        return {place: _name(Path(place.name), parent.parent)}
    found: dict[Path, str] = {}
    for path in _files(place, ()):
        inside = path.relative_to(place)
        # macOS keeps the attributes of a file in another one beside it.
        attributes = path.name.startswith("._") or "__MACOSX" in inside.parts
        if path.suffix.casefold() == ".zip" and not attributes:
            found[path] = _name(inside, parent)
        else:
            left_out.append(str(path))
    if not found:
        raise UsageError(f"{place} holds no zip.", fix=_FIX)
    return found


def _files(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Yield all files below a folder, through links to folders that do not lead back up."""
    real = folder.resolve()
    if real in above:
        return
    try:
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                yield from _files(path, (*above, real))
            else:
                yield path
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be read: {error.strerror}.",
            why="Submissions in it would be left out.",
            fix="Make it readable, or name the other folders only.",
        ) from None


def _name(path: Path, parent: Path) -> str:
    """Name a submission after its zip, or after its folder if the zip is submission.zip."""
    stem = path.with_suffix("")
    if stem.name.casefold() != PACKED_NAME:
        return stem.as_posix()
    return stem.parent.as_posix() if stem.parent.name else parent.name or stem.name


def _distinct(short: Mapping[Path, str]) -> dict[Path, str]:
    """Give each path its short name where nothing else could be meant, else a longer one.

    The longer name is the path below the folder that all have in common, with a number where
    it looks like that of another: two Unicode forms of a letter, say.
    """
    common = Path(os.path.commonpath([path.parent for path in short]))
    long = {path: _shown(path.relative_to(common).as_posix()) for path in short}
    names = {path: _shown(name) for path, name in short.items()}
    meant = Counter(name.casefold() for name in (*names.values(), *set(long.values())))
    own = {
        path: name
        for path, name in names.items()
        if meant[name.casefold()] == 1 + (name == long[path])
    }
    taken = set(own.values())
    for path in short:
        if path not in own:
            numbered = (f"{long[path]} #{number}" for number in itertools.count(2))
            candidates = itertools.chain([long[path]], numbered)
            own[path] = next(name for name in candidates if name not in taken)
            taken.add(own[path])
    return {path: own[path] for path in short}


def _shown(name: str) -> str:
    """Return a name as people see it, so that two that look the same are the same."""
    return unicodedata.normalize("NFC", escape(name))
