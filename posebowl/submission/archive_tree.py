"""The files of an archive as they will lie on disk: check names, kinds, links and sizes."""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import IO, Final

from posebowl.challenge import MIB, ArchiveLimits
from posebowl.errors import BadArchiveError
from posebowl.submission.member_names import WHY_NAMES, link_problem, name_problem
from posebowl.submission.zip_end import REMAKE, quoted
from posebowl.submission.zip_reader import DEFLATED, Entry, read_member
from posebowl.util.units import human_bytes

_KINDS: Final = {0: "", stat.S_IFREG: "a file", stat.S_IFDIR: "a folder"}
_LINK_BYTES: Final = 4096


def by_path(entries: list[Entry], path: Path, limits: ArchiveLimits) -> dict[str, Entry]:
    """Check all names; return the entries by their plain path, folders with a slash at the end."""
    tree: dict[str, Entry] = {}
    for entry in entries:
        # `./` is the archive's own root, which some tools list.
        problem = "" if entry.name == "./" else name_problem(entry.name)
        if problem:
            raise BadArchiveError(
                f"The name {quoted(entry.name)} in {path} {problem}.",
                why=WHY_NAMES,
                fix="Rename it, or make the archive with `invoke pack`.",
            )
        _check_kind(entry, path)
        plain = entry.name.rstrip("/")
        if any(detour in f"/{plain}/" for detour in ("//", "/./")):
            plain = "/".join(part for part in plain.split("/") if part not in {"", "."})
        if plain in tree or f"{plain}/" in tree:
            raise BadArchiveError(
                f"{quoted(entry.name)} is in {path} twice.",
                why="Which of the two counts depends on the unpacker.",
                fix=REMAKE,
            )
        tree[f"{plain}/" if entry.name.endswith("/") else plain] = entry
    tree.pop("/", None)
    _check_folders(tree, path, limits)
    return tree


def is_link(entry: Entry) -> bool:
    """Check whether unzip makes a symbolic link of an entry."""
    return entry.unix and stat.S_ISLNK(entry.mode) and not entry.name.endswith("/")


def _check_kind(entry: Entry, path: Path) -> None:
    if is_link(entry):
        return
    kind = _KINDS.get(stat.S_IFMT(entry.mode), "a device or a pipe")
    expected = "a folder" if entry.name.endswith("/") else "a file"
    if stat.S_ISLNK(entry.mode):
        kind = "a symbolic link for some unpackers, and a file for others"
    if kind in {"", expected} and not (expected == "a folder" and entry.size):
        return
    what = f"is {kind}" if kind not in {"", expected} else "is a folder with content"
    raise BadArchiveError(
        f"{quoted(entry.name)} in {path} {what}.",
        why="Only files, folders, and links between them are allowed.",
        fix=REMAKE,
    )


def check_links(file: IO[bytes], entries: dict[str, Entry], path: Path) -> list[str]:
    """Check that symbolic links stay in the folder that the archive is unpacked to.

    Returns:
        The links that lead to nothing in the archive.
    """
    links = {name: entry for name, entry in entries.items() if is_link(entry)}
    known = _folders(entries) | entries.keys() if links else set()
    dangling = []
    for name, entry in links.items():
        target = b""
        if 0 < entry.size <= _LINK_BYTES:
            target = read_member(file, entry, path, limit=_LINK_BYTES)
        problem = link_problem(name, target)
        if problem:
            raise BadArchiveError(
                f"The link {quoted(name)} in {path} {problem}: {quoted(target)}.",
                why="A link may only lead to what is in the archive, without detours.",
                fix="Put the file itself in its place; `invoke pack` does so.",
            )
        end = posixpath.join(posixpath.dirname(name), target.decode(errors="replace"))
        end = posixpath.normpath(end)
        # What lies behind another link is not followed.
        if end not in known and links.keys().isdisjoint(_above(end)):
            dangling.append(name)
    return dangling


def _folders(entries: dict[str, Entry]) -> set[str]:
    """Return all folders, those that only paths imply included."""
    folders = {"."}
    for name in entries:
        for above in _above(name):
            if above in folders:
                break
            folders.add(above)
    return folders


def _above(name: str) -> Iterator[str]:
    """Yield the folders above a path, from the nearest; of a folder, itself first."""
    while name := name.rpartition("/")[0]:
        yield name


def _check_folders(tree: dict[str, Entry], path: Path, limits: ArchiveLimits) -> None:
    """Check that no file is also a folder, and that paths do not imply too many folders."""
    folders: set[str] = set()
    for name in tree:
        above = name.rstrip("/").rpartition("/")[0]
        while above and above not in folders:
            folders.add(above)
            if above in tree:
                raise BadArchiveError(
                    f"{quoted(above)} in {path} is both a file and a folder.", fix=REMAKE
                )
            above = above.rpartition("/")[0]
        if len(folders) > limits.entries:
            raise BadArchiveError(
                f"{path} unpacks to more than {limits.entries:,} folders.",
                fix="Leave out what main.sh does not need.",
            )


def check_sizes(entries: dict[str, Entry], packed: int, path: Path, limits: ArchiveLimits) -> None:
    """Check that the declared sizes keep the limits and are not those of a zip bomb."""
    total = sum(entry.size for entry in entries.values())
    swells = total > 100 * MIB and total > limits.ratio * packed
    if swells or any(map(_declares_too_much, entries.values())):
        raise BadArchiveError(
            f"{path} is a zip bomb: {human_bytes(packed)} would unpack to {human_bytes(total)}.",
            why=f"More than {limits.ratio} to 1 is refused above 100 MiB.",
            fix="Leave out the files that are nearly all zeros, or make them when main.sh runs.",
        )
    name, size = max(((n, e.size) for n, e in entries.items()), key=itemgetter(1), default=("", 0))
    if size > limits.file_bytes:
        raise BadArchiveError(
            f"{quoted(name)} in {path} has {human_bytes(size)}; "
            f"at most {human_bytes(limits.file_bytes)} are allowed.",
            fix="Split it, or leave it out.",
        )
    if total > limits.unpacked_bytes:
        raise BadArchiveError(
            f"{path} unpacks to {human_bytes(total)}; "
            f"at most {human_bytes(limits.unpacked_bytes)} are allowed.",
            fix="Leave out what main.sh does not need.",
        )


def _declares_too_much(entry: Entry) -> bool:
    """Check whether an entry lies about its size: Deflate shrinks at most 1032-fold."""
    return entry.method == DEFLATED and entry.size > 1032 * entry.packed + 1024
