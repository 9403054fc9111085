"""What `pack` notes beside a zip: the solution that it was made from, and why it was made.

The record is bound to the bytes of the zip by their hash, and is never in it: the same files
give the same zip, whatever is noted.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from posebowl.submission.archive import digest
from posebowl.util.files import open_regular, write_text

_NAME: Final = re.compile(r"\..+\.zip\.json")
_LARGEST: Final = 64 << 10


@dataclass(frozen=True, kw_only=True)
class ZipRecord:
    """Where a zip comes from."""

    sha256: str
    solution: str
    """Name of the folder that was packed."""
    note: str = ""
    """What the user wrote about it."""
    bytes: int = 0
    mtime_ns: int = 0


def write_record(path: Path, sha256: str, *, solution: str, note: str = "") -> ZipRecord:
    """Write the record of a zip beside it, and return it."""
    seen = path.stat()
    record = ZipRecord(
        sha256=sha256,
        solution=solution,
        note=note,
        bytes=seen.st_size,
        mtime_ns=seen.st_mtime_ns,
    )
    write_text(_place(path), json.dumps(asdict(record), indent=2) + "\n")
    return record


def read_record(path: Path) -> ZipRecord | None:
    """Return the record beside a zip; None where there is none that can be read.

    It holds only if the zip has this hash.
    """
    try:
        with open_regular(_place(path)) as file:
            found = json.loads(file.read(_LARGEST))
        record = ZipRecord(**found)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts, numbers = (record.sha256, record.solution, record.note), (record.bytes, record.mtime_ns)
    sound = all(isinstance(text, str) for text in texts)
    return record if sound and all(isinstance(number, int) for number in numbers) else None


def is_as_packed(path: Path) -> bool:
    """Check whether a zip is one that this tool packed there, unchanged since.

    It is read only if its size and time do not say so already.
    """
    record = read_record(path)
    if record is None or path.is_symlink() or not path.is_file():
        return False
    seen = path.stat()
    if (seen.st_size, seen.st_mtime_ns) == (record.bytes, record.mtime_ns):
        return True
    return digest(path) == record.sha256


def is_record(path: Path) -> bool:
    """Check whether a file is the record of a zip, by its name."""
    return _NAME.fullmatch(path.name) is not None


def _place(path: Path) -> Path:
    return path.with_name(f".{path.name}.json")
