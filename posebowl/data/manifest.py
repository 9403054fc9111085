"""The manifest of a data set: name, size and SHA-256 of each file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import FORMAT_FILE, IMAGES_DIR, LABELS_FILE
from posebowl.errors import BadDataError
from posebowl.util import hints
from posebowl.util.files import digest_file, make_folder, open_regular, refuse_existing, write_text

MANIFEST_FILE: Final = "manifest.csv"
_COLUMNS: Final = ("file", "bytes", "sha256")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of a data set."""

    name: str
    """Relative to the data folder, with /: images/0a1b.png."""
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """A manifest.csv, and what it lists."""

    path: Path
    files: int
    bytes: int
    """Of all files together."""


def image_name(image_id: str) -> str:
    """Return the name of a photo within a data folder."""
    return f"{IMAGES_DIR}/{image_id}.png"


def look(root: Path, names: Sequence[str], *, memory: Path | None = None) -> tuple[Entry, ...]:
    """Return size and digest of files of a folder.

    Args:
        root: The folder.
        names: The files, relative to it.
        memory: A folder that keeps the digests: a file whose size and time of change are
            still the same is not read again. None reads all.

    Raises:
        BadDataError: A file is missing, or is not a regular file.
    """
    place = hashlib.sha256(str(root.resolve()).encode(errors="surrogateescape")).hexdigest()
    kept = memory / f"{place[:32]}.json" if memory else None
    known = _remembered(kept) if kept else {}
    states = {name: _state(root, name) for name in names}
    unread = [name for name, state in states.items() if known.get(name, [])[:2] != state]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        digests = pool.map(lambda name: _read(root, name), unread)
        fresh: dict[str, list[int | str]] = {
            name: [*states[name], digest] for name, digest in zip(unread, digests, strict=True)
        }
    known |= fresh
    if fresh and kept:
        make_folder(kept.parent)
        write_text(kept, json.dumps(known))
    return tuple(
        Entry(name=name, bytes=int(known[name][0]), sha256=str(known[name][2])) for name in names
    )


def write(root: Path, ids: Iterable[str], *, force: bool = False) -> Written:
    """Write manifest.csv into a data folder, for data that goes to object storage.

    Raises:
        BadDataError: A file is missing.
        UsageError: The manifest already exists.
    """
    target = root / MANIFEST_FILE
    refuse_existing(target, force=force)
    tables = [name for name in (FORMAT_FILE, LABELS_FILE) if (root / name).is_file()]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    entries = look(root, [*tables, *map(image_name, ids)])
    writer.writerows((entry.name, entry.bytes, entry.sha256) for entry in entries)
    write_text(target, table.getvalue())
    return Written(path=target, files=len(entries), bytes=sum(entry.bytes for entry in entries))


def parse(text: str, where: str) -> dict[str, Entry]:
    """Read manifest.csv.

    Raises:
        BadDataError: It is not one.
    """
    rows = list(csv.reader(io.StringIO(text)))
    try:
        if tuple(rows[0]) != _COLUMNS:
            raise ValueError  # noqa: TRY301  # one sentence for all that can be wrong
        return {
            name: Entry(name=name, bytes=int(size), sha256=bytes.fromhex(sha256).hex())
            for name, size, sha256 in rows[1:]
        }
    except (ValueError, IndexError):
        raise BadDataError(
            f"{where} is not a manifest.",
            why=f"Its columns are {', '.join(_COLUMNS)}.",
            fix="Make it again: invoke data.manifest --folder FOLDER --force",
        ) from None


def _state(root: Path, name: str) -> list[int]:
    try:
        found = (root / name).stat()
    except OSError as error:
        raise BadDataError(
            f"{root / name} cannot be read: {error.strerror}.", fix=_to_check(root)
        ) from None
    return [found.st_size, found.st_mtime_ns]


def _read(root: Path, name: str) -> str:
    try:
        with open_regular(root / name) as file:
            return digest_file(file)
    except (OSError, ValueError) as error:
        raise BadDataError(f"{root / name} cannot be read: {error}.", fix=_to_check(root)) from None


def _to_check(root: Path) -> str:
    return f"Type: invoke data.check{hints.flag('folder', root, paths.DATA)}"


def _remembered(kept: Path) -> dict[str, list[int | str]]:
    """Return what is remembered of files by name: size, mtime in ns, SHA-256."""
    try:
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
