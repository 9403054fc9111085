"""The data and zips that a machine keeps for evaluations, each written once and checked."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from posebowl.batch.shards import Dataset
from posebowl.batch.storage import Storage, is_uri, open_storage
from posebowl.batch.submissions import Submission
from posebowl.challenge import FORMAT_FILE, IMAGES_DIR
from posebowl.data import Entry, manifest
from posebowl.environments import check_owner
from posebowl.errors import BadDataError, EngineError, PoseBowlError
from posebowl.util.files import atomic_folder, atomic_write, digest_file, make_folder
from posebowl.util.text import first_few

_DOWNLOADS: Final = 16


@dataclass(frozen=True)
class NodeCache:
    """The folder in which a machine keeps what evaluations need; all its processes share it."""

    home: Path
    """The cache of the settings, which also holds the environments of runs."""

    @property
    def root(self) -> Path:
        """Return its folder for evaluations."""
        return self.home / "evaluate"

    def _own(self, name: str) -> Path:
        """Return a folder in it that nobody else can write to, and make it.

        Raises:
            EngineError: Another user can put files into it.
        """
        place = make_folder(self.root / name)
        for folder in (self.root, place):
            check_owner(folder, "What lies there is taken for what was checked before.")
        return place

    def entries(self, folder: Path, names: Sequence[str]) -> tuple[Entry, ...]:
        """Return the size and digest of files, which are read again only if they changed."""
        return manifest.look(folder, names, memory=self._own("digests"))

    def data_folder(self, shard: Dataset) -> Path:
        """Return a data folder that holds just a shard, and fill it first if need be.

        However many processes ask at once, one of them fills it.

        Raises:
            EngineError: The data cannot be read here, or is not what was planned.
        """
        if shard.in_place:
            self._check_in_place(shard)
            return Path(shard.source)
        target = self._own("slices") / shard.digest
        with FileLock(target.with_suffix(".lock")):
            if not _is_whole(target, shard):
                self._fill(target, shard)
        return target

    def archive(self, submission: Submission, chunks: Iterable[bytes] | None) -> Path | None:
        """Return this machine's copy of a zip, or None if it has to be sent.

        Args:
            submission: The zip; its own path is returned if this machine has the same file there.
            chunks: Its bytes, read only if they are needed.

        Raises:
            EngineError: The bytes are not those that were planned.
        """
        own = submission.archive
        if own.is_file() and own.stat().st_size == submission.bytes:
            (seen,) = self.entries(own.parent, [own.name])
            if seen.sha256 == submission.sha256:
                return own
        kept = self._own("archives") / submission.sha256 / own.name
        if not kept.is_file():
            if chunks is None:
                return None
            make_folder(kept.parent)
            with FileLock(kept.parent.with_suffix(".lock")):
                if not kept.is_file():
                    _write_checked(kept, chunks, submission)
        return kept

    def _fill(self, target: Path, shard: Dataset) -> None:
        storage = open_storage(shard.source)

        def fetch(entry: Entry) -> None:
            if is_uri(shard.source):
                os.link(self._photo(storage, entry), folder / entry.name)
            else:
                storage.fetch(entry.name, folder / entry.name)

        with atomic_folder(target) as folder:
            make_folder(folder / IMAGES_DIR)
            with ThreadPoolExecutor(max_workers=_DOWNLOADS) as pool:
                waiting = [pool.submit(fetch, entry) for entry in shard.entries]
                try:
                    for one in waiting:
                        one.result()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
            if not is_uri(shard.source):
                names = [entry.name for entry in shard.entries]
                _check_same(manifest.look(folder, names), shard)
            with atomic_write(folder / FORMAT_FILE) as file:
                file.write(shard.submission_format)

    def _photo(self, storage: Storage, entry: Entry) -> Path:
        """Return this machine's copy of a photo of a bucket, downloaded once and checked.

        Raises:
            BadDataError: It is not the one that the manifest lists.
        """
        kept = self._own("photos") / entry.sha256[:2] / entry.sha256
        if kept.is_file() and kept.stat().st_size == entry.bytes:
            return kept
        make_folder(kept.parent)
        partial = kept.with_name(f".{secrets.token_hex(8)}.part")
        try:
            storage.fetch(entry.name, partial)
            with partial.open("rb") as file:
                seen = digest_file(file)
            if seen != entry.sha256:
                raise BadDataError(
                    f"{storage.where}/{entry.name} is not the file that the manifest lists.",
                    why="It was changed, or cut short, after the manifest was made.",
                    fix="Upload it again, or make the manifest again: "
                    "invoke data.manifest --folder FOLDER --force",
                )
            partial.chmod(0o644)
            partial.replace(kept)
        finally:
            partial.unlink(missing_ok=True)
        return kept

    def _check_in_place(self, shard: Dataset) -> None:
        try:
            seen = self.entries(Path(shard.source), [entry.name for entry in shard.entries])
        except PoseBowlError as error:
            raise EngineError(
                f"{platform.node()}: {error.what}",
                why="Each machine reads the data at the path that was given.",
                fix="Put it into a folder that all machines share, or into object storage.",
            ) from None
        _check_same(seen, shard)


def _write_checked(target: Path, chunks: Iterable[bytes], submission: Submission) -> None:
    with atomic_write(target) as file:
        file.writelines(chunks)
        if digest_file(file) != submission.sha256:
            raise EngineError(
                f"{submission.archive} changed while it was evaluated.",
                fix="Leave the zips alone until the end, and repeat the command with --resume.",
            )


def _check_same(seen: Iterable[Entry], shard: Dataset) -> None:
    wrong = [have.name for have, want in zip(seen, shard.entries, strict=True) if have != want]
    if wrong:
        raise EngineError(
            f"{shard.source} holds other photos than planned: {first_few(wrong, len(wrong), 1)}.",
            fix="Give all machines the same data, unchanged until the end.",
        )


def _is_whole(target: Path, shard: Dataset) -> bool:
    """Return whether all sizes are right; digests were checked when it was filled."""
    try:
        return all((target / entry.name).stat().st_size == entry.bytes for entry in shard.entries)
    except OSError:
        return False
