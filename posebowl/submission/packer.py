"""Pack a solution folder into submission.zip: the same bytes for the same files, anywhere."""

from __future__ import annotations

import contextlib
import difflib
import os
import shlex
import shutil
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from rich.console import Console

from posebowl.challenge import ARCHIVE_LIMITS, MAIN_SCRIPT, ArchiveLimits
from posebowl.errors import BadArchiveError, PoseBowlError, UsageError
from posebowl.paths import SOLUTIONS
from posebowl.submission.archive import (
    SCRIPT_BYTES,
    WHY_MAIN,
    Archive,
    inspect_file,
    nearly_main,
    script_problem,
)
from posebowl.submission.selection import Selection, Source, select
from posebowl.submission.shell_lint import BOM, check_syntax
from posebowl.util import os_errors
from posebowl.util.console import err
from posebowl.util.files import atomic_write, digest_file, refuse_existing
from posebowl.util.text import counted, first_few
from posebowl.util.units import human_bytes

PROGRESS_BYTES: Final = 200_000_000
"""From here on a progress bar is shown."""

_BLOCK: Final = 4 << 20
_FIX_SOURCE: Final = f"Name the folder that holds {MAIN_SCRIPT}: invoke pack FOLDER"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
_ZIP64_BYTES: Final = (1 << 31) - 1
_UNIX: Final = 3


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A submission.zip that was just made."""

    path: Path
    files: int
    bytes: int
    """Size of the zip."""
    seconds: float
    sha256: str
    left_out: tuple[str, ...]
    """Files and folders of the solution that are not in it."""
    warnings: tuple[str, ...]
    """What the user should read, one sentence each, with those of `archive`."""
    archive: Archive


def find_solution(name: str, *, solutions: Path = SOLUTIONS) -> Path:
    """Return the folder of a solution by its name.

    Raises:
        UsageError: No solution has that name; the error suggests the nearest one.
    """
    folder = solutions / name
    if name not in {"", ".", ".."} and Path(name).name == name and folder.is_dir():
        return folder
    there = sorted(path.name for path in solutions.glob("*") if path.is_dir())
    raise UsageError(f"There is no solution named {name}.", fix=_did_you_mean(name, there))


def find_folder(word: str, *, solutions: Path = SOLUTIONS) -> Path:
    """Return the folder of a solution by its name, or any folder by its path.

    Raises:
        UsageError: There is neither.
    """
    try:
        return find_solution(word, solutions=solutions)
    except UsageError:
        folder = Path(word).expanduser()
        if folder.is_dir() or folder.name != word:
            return folder
        raise


def _did_you_mean(name: str, there: list[str]) -> str:
    near = difflib.get_close_matches(name, there, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    if there:
        return f"There are: {first_few(there, len(there), 12)}."
    return _FIX_SOURCE


def pack(
    source: Path,
    target: Path,
    *,
    force: bool = False,
    limits: ArchiveLimits = ARCHIVE_LIMITS,
    console: Console = err,
    progress_bytes: int = PROGRESS_BYTES,
) -> Packed:
    """Pack a solution folder into a zip, whole or not at all.

    Args:
        source: The folder that holds main.sh.
        target: The zip to make; its folder is made too.
        force: Replace the zip if there is one.
        limits: What the zip may hold.
        console: Where progress is shown.
        progress_bytes: Progress is shown from this many bytes on.

    Raises:
        UsageError: No such folder, or the zip already exists.
        BadArchiveError: The solution breaks a rule of the platform.
        PoseBowlError: Reading or writing failed.
    """
    start = time.perf_counter()
    _check_arguments(source, target, force=force)
    try:
        notes = _check_main(source)
        selection = select(source.resolve(), skip=_place(target), limits=limits)
        _check_total(selection, source, target, limits)
        target.parent.mkdir(parents=True, exist_ok=True)
        shown = console.is_terminal and selection.size >= progress_bytes
        with (
            atomic_write(target) as file,
            _progress(source.name, selection.size, console, shown=shown) as advance,
        ):
            _write(file, selection, advance)
            archive = inspect_file(file, target, limits=limits)
            sha256 = _synced_digest(file)
    except OSError as error:
        raise _not_packed(target, error) from error
    return Packed(
        path=target,
        files=len(selection.files),
        bytes=archive.packed_bytes,
        seconds=time.perf_counter() - start,
        sha256=sha256,
        left_out=selection.left_out,
        warnings=(*_on_left_out(selection), *notes, *archive.warnings),
        archive=archive,
    )


def _synced_digest(file: IO[bytes]) -> str:
    """Return the digest of a file, while the disk takes its time to write what memory holds."""
    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(os.fsync, file.fileno())
        sha256 = digest_file(file)
        synced.result()
    return sha256


def _not_packed(target: Path, error: OSError) -> PoseBowlError:
    place = target if isinstance(error.filename, int | None) else error.filename
    why, fix = os_errors.explain(error, target)
    what = f"{place}: {error.strerror}."
    return PoseBowlError(what, why=f"{why} Nothing was packed.".strip(), fix=fix)


def _check_arguments(source: Path, target: Path, *, force: bool) -> None:
    if not source.is_dir():
        if source.exists():
            raise UsageError(f"{source} is not a folder.", fix=_FIX_SOURCE)
        there = sorted(path.parent.name for path in source.parent.glob(f"*/{MAIN_SCRIPT}"))
        raise UsageError(f"There is no folder {source}.", fix=_did_you_mean(source.name, there))
    if target.is_dir():
        inside = shlex.quote(str(target / "submission.zip"))
        raise UsageError(f"{target} is a folder.", fix=f"Type: --out {inside}")
    if target.is_symlink() or target.exists():
        if target.is_symlink() or not target.is_file():
            raise UsageError(
                f"{target} already exists and is not a regular file.",
                why="Only a plain file is replaced.",
                fix="Remove it, or name another --out.",
            )
        refuse_existing(target, force=force)


def _place(target: Path) -> Path:
    """Resolve the folder of a file that need not exist yet."""
    return target.parent.resolve() / target.name


def _check_main(source: Path) -> list[str]:
    """Refuse a main.sh that cannot work; return notes on what could not be checked."""
    main = source / MAIN_SCRIPT
    if not main.is_file():
        raise _no_main(source)
    with main.open("rb") as file:
        content = file.read(SCRIPT_BYTES)
    problem = script_problem(content)
    if problem:
        raise BadArchiveError(f"{main} {problem[0]}.", fix=problem[1])
    if content.startswith(BOM):
        raise BadArchiveError(
            f"{main} begins with a byte order mark (UTF-8 BOM).",
            why="sh takes it for part of the first command.",
            fix="Save it as UTF-8 without BOM.",
        )
    result = check_syntax(content)
    if result.error:
        raise BadArchiveError(
            f"sh cannot parse {main}: {result.error}.",
            why=f"The platform runs it as `sh {MAIN_SCRIPT}`, and its sh is not bash.",
            fix=f"Write it for plain sh, or put `exec bash other.sh` into {MAIN_SCRIPT}.",
        )
    return unchecked(result.shell)


def unchecked(shell: str) -> list[str]:
    """Return a note on what the shell that parsed main.sh could not check."""
    if shell == "bash":
        note = (
            f"The syntax of {MAIN_SCRIPT} was checked by bash, which accepts some things that the "
            "platform's sh (dash) does not; install dash to be sure."
        )
        return [note]
    return [] if shell else [f"The syntax of {MAIN_SCRIPT} was not checked: no sh was found here."]


def _no_main(source: Path) -> BadArchiveError:
    nested = [path.parent for path in sorted(source.glob(f"*/{MAIN_SCRIPT}"))]
    near = [path.name for path in source.iterdir() if nearly_main(path.name)]
    fix = f"Add the {MAIN_SCRIPT} that starts all; solutions/template has one."
    if nested:
        fix = f"Pack the folder that holds it: `invoke pack {shlex.quote(str(nested[0]))}`."
    elif near:
        fix = f"Rename {near[0]} to {MAIN_SCRIPT}."
    return BadArchiveError(f"There is no {MAIN_SCRIPT} in {source}.", why=WHY_MAIN, fix=fix)


def _check_total(selection: Selection, source: Path, target: Path, limits: ArchiveLimits) -> None:
    if all(file.name != MAIN_SCRIPT for file in selection.files):
        raise BadArchiveError(
            f"The .gitignore of {source} leaves out {MAIN_SCRIPT}.", fix="Remove that rule."
        )
    total = selection.size
    most = min(limits.unpacked_bytes, limits.archive_bytes)
    if total > most:
        largest = sorted(selection.files, key=lambda file: -file.size)[:3]
        names = [f"{file.name} ({human_bytes(file.size)})" for file in largest]
        raise BadArchiveError(
            f"{source} has {human_bytes(total)}; at most {human_bytes(most)} are allowed.",
            why=f"The largest: {first_few(names, len(names))}.",
            fix="List what main.sh does not need in the solution's .gitignore.",
        )
    place = next(path for path in _place(target).parents if path.is_dir())
    free = shutil.disk_usage(place).free
    if total > free:
        raise PoseBowlError(
            f"{place} has {human_bytes(free)} free; the zip needs {human_bytes(total)}.",
            why="Nothing was packed: half a zip helps nobody.",
            fix=f"Make room (type: df -h {shlex.quote(str(place))}), or name another --out.",
        )


@contextlib.contextmanager
def _progress(
    name: str, total: int, console: Console, *, shown: bool
) -> Iterator[Callable[[int], None]]:
    """Show how far packing has come; what is yielded takes the count of bytes just written."""
    if not shown:
        yield lambda _: None
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn(f"packing {name}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("pack", total=total)
        yield lambda count: progress.advance(task, count)


def _write(file: IO[bytes], selection: Selection, advance: Callable[[int], None]) -> None:
    """Write the zip, down to the last byte of what Python buffers.

    Everything is stored, nothing deflated: deflated bytes differ between builds of zlib
    (zlib-ng, which many Pythons now carry, is one), so only stored ones are the same on every
    machine. It costs a few kilobytes of source code; weights, which are nearly all of a
    submission, do not shrink anyway.
    """
    buffer = bytearray(_BLOCK)
    folders = [(name, None) for name in selection.empty_folders]
    names = [*((item.name, item) for item in selection.files), *folders]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, item in sorted(names, key=lambda pair: os.fsencode(pair[0])):
            if item is None:
                archive.writestr(_info(name, stat.S_IFDIR | 0o755), b"")
            else:
                _add(archive, item, buffer, advance)
    file.flush()


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    """Return the header of an entry, in which nothing depends on the machine or the time."""
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.create_system = _UNIX
    info.external_attr = mode << 16 | (0x10 if name.endswith("/") else 0)
    info.compress_type = zipfile.ZIP_STORED
    return info


def _add(
    archive: zipfile.ZipFile, item: Source, buffer: bytearray, advance: Callable[[int], None]
) -> None:
    info = _info(item.name, stat.S_IFREG | (0o755 if item.executable else 0o644))
    # zipfile decides by the size whether to write 64-bit fields, with a margin of 5 % that not
    # all versions handle alike; this leaves no margin.
    info.file_size = item.size if item.size > _ZIP64_BYTES else 0
    view = memoryview(buffer)
    written = 0
    with item.path.open("rb", buffering=0) as source, archive.open(info, "w") as out:
        while count := source.readinto(buffer):
            written += count
            if written > item.size:
                break
            out.write(view[:count])
            advance(count)
    if written != item.size:
        raise PoseBowlError(
            f"{item.path} changed while it was packed.", fix="Pack again when nothing writes to it."
        )


def _on_left_out(selection: Selection) -> list[str]:
    weights = selection.weights_left_out
    if not weights:
        return []
    note = (
        f"{counted(len(weights), 'file')} of weights left out by the solution's own .gitignore: "
        f"{first_few(weights, len(weights), 3)}. If main.sh needs them, change that rule."
    )
    return [note]
