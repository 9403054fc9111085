"""Start a solution: a copy of another one, under a name that can be imported."""

from __future__ import annotations

import keyword
import re
import shutil
from pathlib import Path
from typing import Final

from posebowl.challenge import ARCHIVE_LIMITS
from posebowl.errors import UsageError
from posebowl.paths import SOLUTIONS
from posebowl.submission.packer import find_solution
from posebowl.submission.selection import select
from posebowl.util.files import atomic_folder, make_folder
from posebowl.util.text import show

TEMPLATE: Final = "template"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}")


def start_solution(name: str, *, source: str = TEMPLATE, solutions: Path = SOLUTIONS) -> Path:
    """Copy a solution to another name, without what `pack` would leave out; return the folder.

    Args:
        name: Of the new folder in `solutions`.
        source: The solution to copy.
        solutions: Where both are.

    Raises:
        UsageError: The name cannot be imported or is taken, or there is no such source.
        BadArchiveError: The source could not be packed.
    """
    _check_name(name)
    target = solutions / name
    taken = {path.name.lower(): path for path in solutions.glob("*")}
    if other := taken.get(name.lower()):
        raise UsageError(
            f"{other} already exists.",
            why="" if other.name == name else "Some systems do not tell the two names apart.",
            fix=f"Type: invoke test {other.name}; or choose another name.",
        )
    folder = find_solution(source, solutions=solutions)
    chosen = select(folder.resolve(), skip=target / "none", limits=ARCHIVE_LIMITS)
    with atomic_folder(target) as made:
        for file in chosen.files:
            copy = made / file.name
            make_folder(copy.parent)
            shutil.copyfile(file.path, copy)
            copy.chmod(0o755 if file.executable else 0o644)
        for empty in chosen.empty_folders:
            make_folder(made / empty)
    return target


def _check_name(name: str) -> None:
    """Refuse what Python could not import, or the packer's advice could not name."""
    if _NAME.fullmatch(name) and not keyword.iskeyword(name):
        return
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()[:50]
    near = plain if _NAME.fullmatch(plain) and not keyword.iskeyword(plain) else "mine"
    raise UsageError(
        f"{show(name)} cannot be the name of a solution.",
        why="Python must be able to import it: letters, digits and _, beginning with a letter.",
        fix=f"Type: invoke new {near}",
    )
