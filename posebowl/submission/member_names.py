"""Names of files that mean the same on every system, and those that do not."""

from __future__ import annotations

import re
from typing import Final

WHY_NAMES: Final = "A name must mean the same file on every system."
PLAIN_NAME: Final = re.compile(
    r"(?:[a-z0-9_][a-z0-9_.+-]{0,99}/){0,9}[a-z0-9_][a-z0-9_.+-]{0,99}", re.IGNORECASE
)
"""What nearly all names are, told in one step: a hundred thousand must take no time."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def name_problem(name: str) -> str:
    """Say why a path may not be in an archive, or nothing if it may.

    Args:
        name: Parts between slashes; a folder ends with one.
    """
    if PLAIN_NAME.fullmatch(name):
        return ""
    raw = name.encode("utf-8", "surrogateescape")
    parts = raw.rstrip(b"/").split(b"/")
    rules = (
        (raw != name.encode("utf-8", "replace"), "is not UTF-8"),
        (_CONTROL.search(name) is not None, "contains control characters"),
        (name.startswith("/"), "is an absolute path"),
        ("\\" in name, "contains a backslash, which some systems take for a folder's end"),
        (name[1:2] == ":", "begins with a drive letter"),
        (b".." in parts, "leads out of the archive"),
        (not name.strip("/."), "is no name"),
        (max(map(len, parts)) > 255 or len(raw) > 1024, "is too long for a file system"),
    )
    return next((problem for broken, problem in rules if broken), "")
