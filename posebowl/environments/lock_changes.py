"""What differs between two locks."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posebowl import paths
from posebowl.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Change:
    """A package that two locks hold in different versions, or only one of them holds."""

    name: str
    before: str
    """Its versions; empty if it is new."""
    after: str
    """Its versions; empty if it is gone."""


def changes(before: Path, after: Path = paths.LOCK) -> tuple[Change, ...]:
    """Return what differs from one lock to another, by name.

    A version whose files share no hash with those of the other lock is another one: an index
    has replaced them.

    Raises:
        UsageError: One of them is not a lock.
    """
    old, new = _packages(before), _packages(after)
    found = []
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, {}), new.get(name, {})
        replaced = {one for one in was.keys() & now.keys() if _replaced(was[one], now[one])}
        if replaced or was.keys() != now.keys():
            text = ", ".join(f"{one} (other files)" if one in replaced else one for one in now)
            found.append(Change(name=name, before=", ".join(was), after=text))
    return tuple(found)


def _replaced(was: frozenset[str], now: frozenset[str]) -> bool:
    return bool(was and now) and was.isdisjoint(now)


def _packages(lock: Path) -> dict[str, dict[str, frozenset[str]]]:
    """Read a lock: the versions of each package but the project, each with its files' hashes.

    Raises:
        UsageError: It is not one.
    """
    found: dict[str, dict[str, frozenset[str]]] = {}
    try:
        for package in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
            if "." not in package["source"].values():
                versions = found.setdefault(package["name"], {})
                versions[_version(package)] = _hashes(package)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{lock} cannot be read as a lock of uv.",
            why=str(error) or type(error).__name__,
            fix="Type: git show main:uv.lock > /tmp/before.lock",
        ) from error
    return found


def _version(package: dict[str, Any]) -> str:
    """Return a version, with the place of a package that does not come from an index."""
    version = str(package.get("version", ""))
    ((kind, place),) = itertools.islice(package["source"].items(), 1)
    return version if kind == "registry" else f"{version} from {place}".strip()


def _hashes(package: dict[str, Any]) -> frozenset[str]:
    files = [*package.get("wheels", ()), *filter(None, (package.get("sdist"),))]
    return frozenset(file["hash"] for file in files if "hash" in file)
