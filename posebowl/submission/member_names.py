"""Names in an archive: which of them mean the same file on every system."""

from __future__ import annotations

import re
from typing import Final

WHY_NAMES: Final = "A name must mean the same file on every system."
PLAIN_NAME: Final = re.compile(
    r"(?:[a-z0-9_][a-z0-9_.+-]{0,99}/){0,9}[a-z0-9_][a-z0-9_.+-]{0,99}", re.IGNORECASE
)
"""What nearly all names are, recognised in one step: a hundred thousand must take no time."""

_VERSION: Final = re.compile(r";[0-9]+\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def name_problem(name: str) -> str:
    """Return why a path may not be in an archive, or nothing if it may.

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
        (not name.strip("/."), "is not a name"),
        (name.endswith("/."), "ends with a dot alone"),
        (_VERSION.search(name) is not None, "ends with a version number, which unzip cuts off"),
        (max(map(len, parts)) > 255 or len(raw) > 1024, "is too long for a file system"),
    )
    return next((problem for broken, problem in rules if broken), "")


def link_problem(name: str, target: bytes) -> str:
    """Return why a link may not be in an archive, or nothing if it may.

    `..` may stand only in front, where it counts from the folder of the link, which is a real
    one, since nothing in an archive lies below a link. Behind a name it could count from
    wherever another link leads.

    Args:
        name: The link's path in the archive.
        target: Where it leads.
    """
    parts = [part for part in target.split(b"/") if part not in {b"", b"."}]
    up = next((number for number, part in enumerate(parts) if part != b".."), len(parts))
    depth = len([part for part in name.split("/")[:-1] if part not in {"", "."}])
    rules = (
        (not target, "leads nowhere, or to a name that is too long"),
        (b"\0" in target, "leads to a name with a NUL byte"),
        (target.startswith(b"/"), "leads to an absolute path"),
        (up > depth, "leads out of the archive"),
        (b".." in parts[up:], "goes down and up again"),
    )
    return next((problem for broken, problem in rules if broken), "")
