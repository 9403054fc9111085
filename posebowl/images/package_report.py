"""What reviewers of a package request want to know of an image, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from posebowl.challenge import Variant
from posebowl.engines.oci import Client, image as identity
from posebowl.environments import Change, requested
from posebowl.images import package_tests
from posebowl.images.package_tests import Packages
from posebowl.util.text import brief
from posebowl.util.units import human_bytes

_COPYLEFT: Final = re.compile(r"(?<![A-Z])A?GPL|General Public License", re.IGNORECASE)
_LESSER: Final = re.compile(r"(?:Lesser|Library) General Public License", re.IGNORECASE)
_SLOW_S: Final = 0.5
"""Imports that are slower are shown for packages that did not change, too."""
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#|!~@&])")


@dataclass(frozen=True, kw_only=True)
class PackageReport:
    """An image, what it holds, and what a change of the lock does to it."""

    variant: Variant
    image_bytes: int
    tested: Packages
    changes: tuple[Change, ...]
    installed: dict[str, Any]
    """What runtime/tests/survey.py writes, by the package's normalized name."""


def examine(
    client: Client, variant: Variant, tested: Packages, changes: tuple[Change, ...]
) -> PackageReport:
    """Return the report on an image whose tests have run.

    Raises:
        EngineError: The image is missing or stale, or a container fails.
    """
    names = requested() | {change.name for change in changes if change.after}
    return PackageReport(
        variant=variant,
        image_bytes=identity.current(client, variant).bytes,
        tested=tested,
        changes=changes,
        installed=package_tests.survey(client, variant, names),
    )


def is_copyleft(licence: str) -> bool:
    """Return whether a licence is the GPL or the AGPL; the LGPL does not count."""
    return bool(_COPYLEFT.search(_LESSER.sub("", licence)))


def markdown(report: PackageReport) -> str:
    """Return the report as Markdown, for the summary of a step in GitHub Actions."""
    return "\n".join([*_head(report), *_changed(report), *_licences(report), *_imports(report)])


def _head(report: PackageReport) -> Iterator[str]:
    ended = list(report.tested.tests.values())
    counts = ", ".join(f"{ended.count(how)} {how}" for how in sorted({*ended}))
    yield f"## The {report.variant} image\n"
    yield f"- Size: **{human_bytes(report.image_bytes)}**, {len(report.installed)} packages"
    yield f"- Tests of the packages: {counts or 'none ran'}"
    failed = sorted(name for name, how in report.tested.tests.items() if how == "failed")
    yield from (f"  - failed: {_plain(name)}" for name in failed)


def _changed(report: PackageReport) -> Iterator[str]:
    yield f"\n### Packages changed in uv.lock: {len(report.changes)}\n"
    rows = [_row(change, report.installed.get(change.name)) for change in report.changes]
    columns = ("package", "from", "to", "size in this image", "licence", "import")
    yield from _table(columns, rows)


def _row(change: Change, installed: dict[str, Any] | None) -> tuple[str, ...]:
    cells = (change.name, change.before or "new", change.after or "removed")
    if installed is None:
        return (*map(_plain, cells), "not in it", "", "")
    size = human_bytes(installed["bytes"])
    return (*map(_plain, cells), size, _licence(installed), _import(installed))


def _licences(report: PackageReport) -> Iterator[str]:
    licences = {name: one["licence"] for name, one in sorted(report.installed.items())}
    copyleft = [name for name, licence in licences.items() if is_copyleft(licence)]
    unknown = [name for name, licence in licences.items() if not licence]
    new = {change.name for change in report.changes}
    yield "\n### Licences\n"
    yield f"- GPL or AGPL: {_names(copyleft, new)}"
    yield f"- Not stated: {_names(unknown, new)}"
    rows = [(_plain(name), _licence(report.installed[name])) for name in licences]
    yield f"\n<details><summary>All {len(rows)} packages</summary>\n"
    yield from _table(("package", "licence"), rows)
    yield "\n</details>"


def _names(names: list[str], new: set[str]) -> str:
    """List packages; those that changed stand out."""
    texts = (f"**{_plain(name)} (changed)**" if name in new else _plain(name) for name in names)
    return ", ".join(texts) or "none"


def _imports(report: PackageReport) -> Iterator[str]:
    timed = [(name, one) for name, one in report.installed.items() if "imported" in one]
    timed.sort(key=lambda item: -item[1]["imported"].get("seconds", float("inf")))
    slow = [item for item in timed if item[1]["imported"].get("seconds", _SLOW_S) >= _SLOW_S]
    yield f"\n### Imports that fail, or take at least {_SLOW_S} s\n"
    rows = [(_plain(name), _plain(one["imported"]["module"]), _import(one)) for name, one in slow]
    yield from _table(("package", "module", "time"), rows)
    yield f"\nThe faster of two tries, each in a new process, for {len(timed)} packages.\n"


def _licence(installed: dict[str, Any]) -> str:
    text = _plain(installed["licence"]) or "not stated"
    return f"⚠️ **{text}**" if is_copyleft(installed["licence"]) else text


def _import(installed: dict[str, Any]) -> str:
    imported = installed.get("imported")
    if imported is None:
        return "no module"
    if "error" in imported:
        return f"❌ {_plain(imported['error'])}"
    return f"{imported['seconds']:.2f} s"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = [*rows]
    if not lines:
        yield "none"
        return
    for cells in (columns, ("---",) * len(columns), *lines):
        yield f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Return untrusted text in one line of Markdown, without a meaning there."""
    return _MARKUP.sub(r"\\\1", brief(text, 160))
