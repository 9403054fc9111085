"""The data of an evaluation, and the shards that it is split into."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from posebowl.batch.storage import Storage, is_uri, open_storage
from posebowl.challenge import FORMAT_FILE, LABELS_FILE
from posebowl.data import (
    MANIFEST_FILE,
    Entry,
    checks,
    evenly,
    folder as data_folder,
    image_name,
    manifest,
)
from posebowl.errors import BadDataError, UsageError
from posebowl.scoring import read_format
from posebowl.util.text import first_few

SAMPLE: Final = 50
"""Images that shards are checked with, unless shards are so small that these are about as many."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Photos in their order, the table that names them, and their labels if there are any."""

    source: str
    """A folder or a URI."""
    submission_format: bytes
    labels: bytes | None
    """They stay where the jobs are handed out; no machine that runs submissions is sent them."""
    entries: tuple[Entry, ...]
    in_place: bool
    """The source is a folder that holds just this: it need not be copied."""

    @property
    def digest(self) -> str:
        """SHA-256 of all that a run on this data can see; not of its place, nor of its labels."""
        whole = hashlib.sha256()
        whole.update(len(self.submission_format).to_bytes(8) + self.submission_format)
        for entry in self.entries:
            whole.update(f"{entry.name} {entry.bytes} {entry.sha256}\n".encode())
        return whole.hexdigest()


def load(where: str | None, look: Callable[[Path, list[str]], tuple[Entry, ...]]) -> Dataset:
    """Describe the whole of a data set; a folder is checked as `invoke data.check` does.

    Args:
        where: A folder or URI; None takes data/, or the demo set while that is empty.
        look: Returns size and digest of the named files of a folder.

    Raises:
        BadDataError: It is incomplete.
        UsageError: The folder does not exist, or cloudpathlib is missing.
    """
    if where is not None and is_uri(where):
        return _of_bucket(where)
    with tempfile.TemporaryDirectory() as name:
        folder = data_folder.find(Path(where) if where else None, scratch=Path(name))
        checks.check(folder)
        ids = read_format(folder.submission_format)
        return Dataset(
            source=str(folder.root.resolve()),
            submission_format=folder.submission_format.read_bytes(),
            labels=folder.labels.read_bytes() if folder.labels else None,
            entries=look(folder.root, [image_name(image_id) for image_id in ids]),
            in_place=True,
        )


def _of_bucket(where: str) -> Dataset:
    source = open_storage(where)
    listing, form = (_read(source, name) for name in (MANIFEST_FILE, FORMAT_FILE))
    known = manifest.parse(listing.decode(errors="replace"), f"{where}/{MANIFEST_FILE}")
    labels = source.read(LABELS_FILE)
    for name, content in ((FORMAT_FILE, form), (LABELS_FILE, labels)):
        listed = known.get(name)
        if content is not None and (
            listed is None or listed.sha256 != hashlib.sha256(content).hexdigest()
        ):
            raise BadDataError(
                f"{where}/{name} is not the file that its manifest lists.",
                fix="Upload both of the same folder, after: "
                "invoke data.manifest --folder FOLDER --force",
            )
    with _as_file(form, FORMAT_FILE) as path:
        names = [image_name(image_id) for image_id in read_format(path)]
    if absent := [name for name in names if name not in known]:
        raise BadDataError(
            f"{where}/{MANIFEST_FILE} does not list {first_few(absent, len(absent), 1)}.",
            fix="Make it again: invoke data.manifest --folder FOLDER --force",
        )
    return Dataset(
        source=source.where,
        submission_format=form,
        labels=labels,
        entries=tuple(known[name] for name in names),
        in_place=False,
    )


def _read(source: Storage, name: str) -> bytes:
    content = source.read(name)
    if content is None:
        raise BadDataError(
            f"{source.where} has no {name}.",
            why="The manifest lists the size and digest of each photo.",
            fix="Make it before you upload a folder: invoke data.manifest --folder FOLDER",
        )
    return content


def split(whole: Dataset, count: int) -> tuple[Dataset, ...]:
    """Split a data set into shards of nearly the same size, in its order, without its labels.

    Raises:
        UsageError: There are fewer photos than shards.
        BadDataError: The table does not have a line for each photo.
    """
    photos = len(whole.entries)
    if not 1 <= count <= photos:
        raise UsageError(
            f"--shards must be between 1 and {photos:,}, got {count}.",
            why="Each shard is a run on at least one photo.",
            fix=f"Type: --shards {min(max(count, 1), photos)}",
        )
    if count == 1:
        return (replace(whole, labels=None),)
    ends = [photos * index // count for index in range(count + 1)]
    return tuple(_part(whole, range(low, high)) for low, high in itertools.pairwise(ends))


def sample(whole: Dataset, parts: Sequence[Dataset]) -> Dataset:
    """Return evenly chosen images, in their order, for a run to compare with those of shards.

    Their number is far from that of any shard, and each shard has some of them where it can.

    Args:
        whole: All images.
        parts: The shards that it is split into.
    """
    sizes = [len(part.entries) for part in parts]
    count = SAMPLE if min(sizes) >= 2 * SAMPLE else 2 * max(sizes)
    positions = range(len(whole.entries))
    if count >= len(positions):
        return replace(whole, labels=None)
    return _part(whole, evenly(positions, count))


def _part(whole: Dataset, positions: Sequence[int]) -> Dataset:
    """Return a data set of some of the images, without labels.

    Raises:
        BadDataError: The table does not have a line for each photo.
    """
    header, *lines = whole.submission_format.splitlines(keepends=True)
    if len(lines) != len(whole.entries):
        raise BadDataError(
            f"{FORMAT_FILE} has {len(lines):,} lines for {len(whole.entries):,} photos: "
            "it cannot be split.",
            fix="Make it again: invoke data.format --force; or omit --shards.",
        )
    return Dataset(
        source=whole.source,
        submission_format=header + b"".join(lines[at] for at in positions),
        labels=None,
        entries=tuple(whole.entries[at] for at in positions),
        in_place=False,
    )


@contextlib.contextmanager
def _as_file(content: bytes, name: str) -> Iterator[Path]:
    """Write content to a temporary file, for functions that read one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path
