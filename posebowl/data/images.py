"""The photos of a data folder: check at the speed of the disk that each is a whole PNG."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.util.console import err
from posebowl.util.files import closed_to_runs, open_regular

# https://www.w3.org/TR/png-3/: eight bytes of signature, the chunk IHDR (length, name, 13 bytes
# that begin with width and height, CRC), more chunks, and IEND, which is always the same.
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_IEND: Final = b"\0\0\0\0IEND\xaeB`\x82"
_HEAD: Final = struct.Struct(">8sI4sII5sI")

_BATCH: Final = 200
_MANY: Final = 2000
"""A progress bar is shown from this many photos on."""


class Flaw(StrEnum):
    """What can be wrong with a photo; the value completes "12 images ..."."""

    MISSING = "are missing"
    LINK = "are links, which would lead nowhere inside a run"
    SPECIAL = "are not regular files"
    UNREADABLE = "cannot be read"
    CLOSED = "are closed to all but their owner, and a run is an ordinary user even for root"
    BROKEN = "are broken PNG files"
    SIZE = f"are not {IMAGE_WIDTH}x{IMAGE_HEIGHT} pixels"


@dataclass(frozen=True, kw_only=True)
class Photos:
    """What was found in a folder of photos."""

    flawed: dict[Flaw, list[str]]
    """The image_ids in their order, a wrong size with the size behind it."""
    extra: list[str]
    """Names of PNG files that belong to no id."""


def look_at_photos(images: Path, ids: Sequence[str], *, deep: bool = False) -> Photos:
    """Check the photo of each id.

    Args:
        images: The folder of <image_id>.png.
        ids: Plain names: they are made into file names.
        deep: Decode every photo; otherwise only its first 33 and last 12 bytes are read.
    """
    batches = [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
    # Reading waits for the disk, decoding for a processor.
    workers = (os.cpu_count() or 1) if deep else 8
    flawed: dict[Flaw, list[str]] = {}
    with ThreadPoolExecutor(workers) as pool, _progress(len(ids)) as advance:
        for batch, found in zip(
            batches,
            pool.map(lambda batch: [look(images / f"{i}.png", deep=deep) for i in batch], batches),
            strict=True,
        ):
            for image_id, flaw in zip(batch, found, strict=True):
                if flaw is not None:
                    flawed.setdefault(flaw[0], []).append(f"{image_id}{flaw[1]}")
            advance(len(batch))
    named = {f"{image_id}.png" for image_id in ids}
    names = (entry.name for entry in os.scandir(images))
    extra = sorted(name for name in names if name.endswith(".png") and name not in named)
    return Photos(flawed=flawed, extra=extra)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar where there is a terminal and much to do."""
    if total < _MANY or not err.is_terminal:
        yield lambda _: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("checking photos"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def look(path: Path, *, deep: bool = False) -> tuple[Flaw, str] | None:
    """Return what is wrong with a photo, with details in brackets, or None."""
    try:
        with open_regular(path) as file:
            return _look_inside(file, deep=deep)
    except FileNotFoundError:
        return Flaw.MISSING, ""
    except ValueError as error:
        return (Flaw.LINK, "") if path.is_symlink() else (Flaw.SPECIAL, f" ({error})")
    except OSError as error:
        return Flaw.UNREADABLE, f" ({error.strerror or error})"


def _look_inside(file: IO[bytes], *, deep: bool) -> tuple[Flaw, str] | None:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return Flaw.BROKEN, ""
    signature, length, name, width, height, _, crc = _HEAD.unpack(head)
    if (signature, length, name) != (_SIGNATURE, 13, b"IHDR") or zlib.crc32(head[12:29]) != crc:
        return Flaw.BROKEN, ""
    if (width, height) != (IMAGE_WIDTH, IMAGE_HEIGHT):
        return Flaw.SIZE, f" ({width}x{height})"
    file.seek(-len(_IEND), os.SEEK_END)
    # A decoder does not mind what stands behind IEND, so only that file is decoded to be sure.
    if (deep or file.read() != _IEND) and not _decodes(file):
        return Flaw.BROKEN, ""
    return (Flaw.CLOSED, "") if closed_to_runs(os.fstat(file.fileno())) else None


def _decodes(file: IO[bytes]) -> bool:
    """Check whether all chunks of a photo are sound, and can be decoded to the last pixel."""
    from PIL import Image

    file.seek(0)
    try:
        # Loading alone forgives wrong checksums and a missing end.
        Image.open(file, formats=["PNG"]).verify()
        file.seek(0)
        Image.open(file, formats=["PNG"]).load()
    # Pillow raises what its decoders raise: OSError, SyntaxError, ValueError, zlib.error ...
    except Exception:  # noqa: BLE001
        return False
    return True
