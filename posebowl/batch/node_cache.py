"""What a node keeps of an evaluation: slices of the data and zips, each filled once, checked."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from filelock import FileLock

from posebowl.batch.plan import Submission
from posebowl.batch.shards import Slice
from posebowl.batch.storage import open_source
from posebowl.challenge import FORMAT_FILE, IMAGES_DIR, LABELS_FILE
from posebowl.data import manifest
from posebowl.errors import EngineError, PoseBowlError
from posebowl.util.files import atomic_folder, atomic_write, make_folder
from posebowl.util.text import first_few

_DOWNLOADS: Final = 16


def data_folder(piece: Slice) -> Path:
    """Return a data folder that holds just a slice, filled first where it is not there yet.

    However many tasks ask at once, one of them fills it. It is filled or it is not there.

    Raises:
        EngineError: The data cannot be had here, or is not what was planned.
    """
    if piece.in_place:
        _check_in_place(piece)
        return Path(piece.source)
    target = manifest.cache_root() / "slices" / piece.digest
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not _is_whole(target, piece):
            _fill(target, piece)
    return target


def archive(submission: Submission, chunks: Iterable[bytes] | None) -> Path | None:
    """Return a zip as this node has it, or None where it has to be sent.

    Args:
        submission: The zip; its path is taken if this machine has the same file there.
        chunks: Its bytes, asked for only where they are needed.

    Raises:
        EngineError: The bytes are not those that were planned.
    """
    own = submission.archive
    if own.is_file() and own.stat().st_size == submission.bytes:
        seen = manifest.look(own.parent, [own.name])[0]
        if seen.sha256 == submission.sha256:
            return own
    kept = manifest.cache_root() / "archives" / submission.sha256 / own.name
    if kept.is_file():
        return kept
    if chunks is None:
        return None
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(kept.parent.with_suffix(".lock")):
        if not kept.is_file():
            _write_checked(kept, chunks, submission)
    return kept


def _write_checked(target: Path, chunks: Iterable[bytes], submission: Submission) -> None:
    partial = target.with_suffix(".part")
    with partial.open("wb") as file:
        file.writelines(chunks)
    if manifest.look(partial.parent, [partial.name], afresh=True)[0].sha256 != submission.sha256:
        partial.unlink()
        raise EngineError(
            f"{submission.archive} changed while it was evaluated.",
            fix="Leave the zips alone until the end, and type the same command with --resume.",
        )
    partial.rename(target)


def _check_in_place(piece: Slice) -> None:
    root = Path(piece.source)
    try:
        seen = manifest.look(root, [entry.name for entry in piece.entries])
    except PoseBowlError as error:
        raise EngineError(
            error.what,
            why="Each machine reads the data at the path that was given.",
            fix="Put it into a folder that all machines share, or into object storage.",
        ) from None
    _compare(seen, piece, piece.source)


def _compare(seen: Iterable[manifest.Entry], piece: Slice, where: str) -> None:
    wrong = [have.name for have, want in zip(seen, piece.entries, strict=True) if have != want]
    if wrong:
        raise EngineError(
            f"{where} holds other photos than planned: {first_few(wrong, len(wrong), 1)}.",
            fix="Give all machines the same data, unchanged until the end.",
        )


def _is_whole(target: Path, piece: Slice) -> bool:
    """Look at all sizes: what was filled was also checked by hash."""
    try:
        return all((target / entry.name).stat().st_size == entry.bytes for entry in piece.entries)
    except OSError:
        return False


def _fill(target: Path, piece: Slice) -> None:
    source = open_source(piece.source)
    with atomic_folder(target) as partial:
        make_folder(partial / IMAGES_DIR)
        with ThreadPoolExecutor(max_workers=_DOWNLOADS) as pool:
            for _ in pool.map(
                lambda entry: source.fetch(entry.name, partial / entry.name), piece.entries
            ):
                pass
        names = [entry.name for entry in piece.entries]
        _compare(manifest.look(partial, names, afresh=True), piece, piece.source)
        for name, content in ((FORMAT_FILE, piece.submission_format), (LABELS_FILE, piece.labels)):
            if content is not None:
                with atomic_write(partial / name) as file:
                    file.write(content)
