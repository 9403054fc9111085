"""Check a submission.zip without running or unpacking it: does it keep the rules, will it work?"""

from __future__ import annotations

import dataclasses
import difflib
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from posebowl import paths
from posebowl.challenge import ARCHIVE_LIMITS, MAIN_SCRIPT, MIB, ArchiveLimits
from posebowl.errors import BadArchiveError, UsageError
from posebowl.submission import lint
from posebowl.submission.archive_tree import by_path, check_links, check_sizes, is_link
from posebowl.submission.imports import Import, find_imports
from posebowl.submission.weights import on_weights
from posebowl.submission.zip_end import quoted
from posebowl.submission.zip_reader import (
    BZIP2,
    DEFLATED64,
    Directory,
    Entry,
    read_directory,
    read_member,
)
from posebowl.util import hints
from posebowl.util.files import closed_to_runs, digest_file, open_regular
from posebowl.util.text import counted, escape, first_few
from posebowl.util.units import human_bytes

SCRIPT_BYTES: Final = MIB
"""How much is read of main.sh, and of any other file whose text is checked."""
SOURCES_BYTES: Final = 4 * MIB
"""How much is read of all these files together."""
SCRIPTS_BYTES: Final = 256 << 10
"""How much is read of all shell scripts but main.sh together."""
SOURCES: Final = 2000
"""How many of these files are read, beginning with those nearest to the root."""
WHY_MAIN: Final = f"The platform runs `sh {MAIN_SCRIPT}`."
LINKS: Final = 8
"""How many links in a row are followed to main.sh."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An acceptable submission.zip."""

    path: Path
    entries: int
    """Files and folders listed."""
    files: int
    packed_bytes: int
    """Size of the zip."""
    unpacked_bytes: int
    """Size of all files in it, as declared."""
    main_script: str
    """Text of main.sh, at most SCRIPT_BYTES of it."""
    imports: frozenset[str]
    """Top-level modules its Python files and scripts import, beyond the standard library."""
    uses: tuple[Import, ...] = ()
    """The same, each with where it is imported first."""
    packages: tuple[str, ...] = ()
    """Packages that it bundles as wheels or source archives, by normalized name."""
    warnings: tuple[str, ...]
    """What is allowed but probably not intended, one sentence each."""


def inspect(path: Path, *, limits: ArchiveLimits = ARCHIVE_LIMITS) -> Archive:
    """Check a submission.zip against the rules, and warn of what would fail later.

    Nothing is run and nothing is unpacked to disk; only small text files are inflated, in memory.

    Raises:
        BadArchiveError: It breaks a rule: the first one found, and what to do about it.
    """
    # A name with the end of a line in it would forge lines wherever a message is shown or kept.
    shown = Path(escape(str(path)))
    with open_archive(path) as file:
        found = inspect_file(file, shown, limits=limits)
        closed = closed_to_runs(os.fstat(file.fileno()))
    warnings = found.warnings
    if closed:
        warning = (
            f"{shown} is closed to all but its owner, and a run is an ordinary user even for root. "
            f"Type: chmod a+r {hints.word(path)}"
        )
        warnings = (*warnings, warning)
    return dataclasses.replace(found, path=path, warnings=warnings)


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """A zip that was inspected, and which one that was."""

    archive: Archive
    sha256: str


def inspected(path: Path) -> Inspected:
    """Inspect a zip once for several runs; errors are those of `inspect`."""
    return Inspected(archive=inspect(path), sha256=digest(path))


def inspect_file(file: IO[bytes], path: Path, *, limits: ArchiveLimits = ARCHIVE_LIMITS) -> Archive:
    """Check an open archive as `inspect` does; messages call it `path`."""
    packed = file.seek(0, os.SEEK_END)
    directory, entries, dangling = _read_entries(file, packed, path, limits)
    sizes = {name: entry.size for name, entry in entries.items() if not name.endswith("/")}
    main = _read_main(file, entries, path)
    sources = _read_sources(file, entries, path)
    imports = find_imports(
        {name: text for name, text in sources.items() if name.endswith(".py")},
        {name: text for name, text in sources.items() if name.endswith(".sh")},
        names=sizes,
    )
    return Archive(
        path=path,
        entries=len(directory.entries),
        files=len(sizes),
        packed_bytes=packed,
        unpacked_bytes=sum(sizes.values()),
        main_script=main.decode(errors="replace"),
        imports=imports.modules,
        uses=imports.used,
        packages=imports.packages,
        warnings=(
            *lint.on_script(main),
            *lint.on_sources(sources, imports),
            *lint.on_calls(sources, {name: e.mode * e.unix for name, e in entries.items()}),
            *lint.on_names(sizes, imports.modules, packed),
            *_on_weights(file, entries, sizes, path),
            *_on_structure(directory, entries),
            *_on_access(entries, dangling),
        ),
    )


def _read_entries(
    file: IO[bytes], packed: int, path: Path, limits: ArchiveLimits
) -> tuple[Directory, dict[str, Entry], list[str]]:
    """Read the table of contents, and check all that follows from it."""
    if packed > limits.archive_bytes:
        raise BadArchiveError(
            f"{path} has {human_bytes(packed)}; "
            f"at most {human_bytes(limits.archive_bytes)} are allowed.",
            fix="Leave out what main.sh does not need: data sets, checkpoints, environments.",
        )
    directory = read_directory(file, path, max_entries=limits.entries)
    entries = by_path(directory.entries, path, limits)
    check_sizes(entries, packed, path, limits)
    return directory, entries, check_links(file, entries, path)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    Raises:
        UsageError: It is missing, unreadable or not a regular file.
    """
    with open_archive(path) as file:
        return digest_file(file)


def open_archive(path: Path) -> IO[bytes]:
    """Open what should be a submission.zip, without waiting for a FIFO or a device.

    The user named it, so a link is followed; what it leads to must be a regular file.

    Raises:
        UsageError: It is missing, unreadable or not a regular file.
    """
    shown = escape(str(path))
    try:
        return open_regular(path.resolve(strict=True))
    except FileNotFoundError:
        raise UsageError(f"{shown} does not exist.", fix=_instead_of_missing(path)) from None
    except ValueError as error:
        what = f"{shown} is {error}, not a zip."
        raise UsageError(what, fix=_instead_of_folder(path)) from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{shown} cannot be read: {why}.", fix="Check its permissions, or make it again."
        ) from None


def _instead_of_missing(path: Path) -> str:
    if near := difflib.get_close_matches(path.name, _zips_in(path.parent), n=1):
        return f"Did you mean {escape(str(path.parent / near[0]))}?"
    out = hints.flag("out", path, paths.SUBMISSION / "submission.zip")
    made = f"invoke pack NAME{out}"
    return f"Check the path, or make the zip: {made}" if out else f"Type: {made}"


def _instead_of_folder(path: Path) -> str:
    if (path / MAIN_SCRIPT).is_file():
        return f"Type: invoke pack {hints.word(path)}"
    if inside := _zips_in(path):
        return f"Did you mean {escape(str(path / inside[0]))}?"
    return "Give the path of a zip that `invoke pack` made."


def _zips_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.glob("*.zip") if path.is_file())
    except OSError:
        return []


def _read_main(file: IO[bytes], entries: dict[str, Entry], path: Path) -> bytes:
    """Read main.sh and check it as far as its bytes go.

    Raises:
        BadArchiveError: It is missing, a folder, empty, not text, or has Windows line ends.
    """
    if f"{MAIN_SCRIPT}/" in entries or any(n.startswith(f"{MAIN_SCRIPT}/") for n in entries):
        raise BadArchiveError(
            f"{MAIN_SCRIPT} in {path} is a folder.",
            why=WHY_MAIN,
            fix=f"Make {MAIN_SCRIPT} a shell script.",
        )
    if MAIN_SCRIPT not in entries:
        raise _no_main(entries, path)
    entry = _followed(file, entries, path)
    if entry.method == DEFLATED64:
        return b""
    content = read_member(file, entry, path, limit=SCRIPT_BYTES)
    problem = script_problem(content)
    if problem:
        what, fix = problem
        raise BadArchiveError(f"{MAIN_SCRIPT} in {path} {what}.", fix=fix)
    return content


def _followed(file: IO[bytes], entries: dict[str, Entry], path: Path) -> Entry:
    """Return the entry of main.sh itself, or of the file to which it links."""
    name, entry = MAIN_SCRIPT, entries[MAIN_SCRIPT]
    for _ in range(LINKS):
        if not is_link(entry):
            return entry
        target = read_member(file, entry, path, limit=entry.size).decode(errors="replace")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if name not in entries:
            break
        entry = entries[name]
    raise BadArchiveError(
        f"{MAIN_SCRIPT} in {path} is a link that does not lead to a file.",
        why=WHY_MAIN,
        fix="Put the script itself in its place; `invoke pack` does so.",
    )


def script_problem(content: bytes) -> tuple[str, str] | None:
    """Return why main.sh cannot work, whatever its commands do, and the fix; None if it can."""
    if not content.strip():
        return "is empty", "Write into it the commands that make submission.csv."
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16, which sh cannot read", "Save it as UTF-8 with LF line ends."
    if content.startswith(b"{\\rtf"):
        return (
            "is a formatted document (RTF), not plain text",
            "Save it as plain text; in TextEdit: Format, Make Plain Text.",
        )
    if b"\0" in content.partition(b"\n")[0]:
        return "is a program, not a text", "Write a shell script that calls it."
    if b"\r\n" in content or b"\r" in content.partition(b"\n")[0]:
        return (
            "has Windows line ends (CRLF), which sh takes for part of each command",
            "Save it with LF line ends, for instance with `sed -i 's/\\r$//' main.sh`.",
        )
    return None


def nearly_main(name: str) -> bool:
    """Check whether a name is main.sh except for case, blanks, or a suffix that an editor added."""
    return re.fullmatch(r"\s*main\.sh(\.txt|\.sh|\.bak|~)?\s*", name, re.IGNORECASE) is not None


def _no_main(entries: dict[str, Entry], path: Path) -> BadArchiveError:
    files = [name for name in entries if not name.endswith("/")]
    nested = sorted((n for n in files if n.endswith(f"/{MAIN_SCRIPT}")), key=lambda n: n.count("/"))
    if nested:
        folder = nested[0].rpartition("/")[0]
        return BadArchiveError(
            f"{MAIN_SCRIPT} is not at the root of {path} but in the folder {quoted(folder)}.",
            why="It is looked for at the root only.",
            fix="Zip the contents, not the folder: `invoke pack FOLDER` does so.",
        )
    inner = next((name for name in files if name.lower().endswith(".zip")), "")
    if inner:
        return BadArchiveError(
            f"{path} has no {MAIN_SCRIPT} at its root.",
            why=f"It has a zip, {quoted(inner)}, and a zip within a zip is not unpacked.",
            fix=f"If that is the submission, take it out and use it in place of {path.name}.",
        )
    near = next((name for name in files if nearly_main(name)), "")
    return BadArchiveError(
        f"{path} has no {MAIN_SCRIPT} at its root.",
        why=f"It has {quoted(near)}, but the name must be the same to the letter."
        if near
        else WHY_MAIN,
        fix=f"Rename it to {MAIN_SCRIPT}." if near else f"Add the {MAIN_SCRIPT} that starts all.",
    )


def _read_sources(file: IO[bytes], entries: dict[str, Entry], path: Path) -> dict[str, str]:
    """Read scripts and settings within the limits, those nearest to the root first."""
    names = sorted(
        (
            name
            for name, entry in entries.items()
            if name.endswith(lint.SOURCE_SUFFIXES) and not is_link(entry)
        ),
        key=lambda name: (not name.endswith((".sh", ".py")), name.count("/"), name),
    )
    sources = {}
    budget, of_scripts = SOURCES_BYTES, SCRIPTS_BYTES
    for name in names[:SOURCES]:
        size, is_script = entries[name].size, name.endswith(".sh") and name != MAIN_SCRIPT
        room = min(SCRIPT_BYTES, budget, of_scripts if is_script else budget)
        if size > room or entries[name].method == DEFLATED64:
            continue
        budget -= size
        of_scripts -= size * is_script
        sources[name] = read_member(file, entries[name], path, limit=SCRIPT_BYTES).decode(
            errors="replace"
        )
    return sources


def _on_weights(
    file: IO[bytes], entries: dict[str, Entry], sizes: dict[str, int], path: Path
) -> Iterator[str]:
    """Warn of files that look like weights and cannot be loaded, as far as Python reads them."""
    weights = [
        name
        for name in sizes
        if name[name.rfind(".") :].lower() in lint.WEIGHT_SUFFIXES
        # Nobody packs weights by bzip2, and it is slow to read.
        and entries[name].method not in {DEFLATED64, BZIP2}
        and not is_link(entries[name])
    ]
    return on_weights(
        sizes, weights, lambda name, limit: read_member(file, entries[name], path, limit=limit)
    )


def _on_structure(directory: Directory, entries: dict[str, Entry]) -> Iterator[str]:
    """Warn of names that not every system tells apart, and of bytes that belong to no file."""
    seen: dict[str, str] = {}
    for name in entries:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield (
                f"{quoted(other)} and {quoted(name)} differ only by case: "
                "on macOS and Windows one replaces the other."
            )
            break
    odd = [entry.name for entry in directory.entries if not entry.plain_name]
    if odd:
        yield (
            f"{counted(len(odd), 'name')} outside ASCII not marked as UTF-8 so that all unpackers "
            f"know it; the platform's may garble them: {first_few(odd, len(odd), 3)}."
        )
    closed = [name for name, entry in entries.items() if entry.method == DEFLATED64]
    if closed:
        yield (
            f"{counted(len(closed), 'file')} packed by Deflate64, not looked into: unzip alone "
            f"reads it ({first_few(closed, len(closed), 3)})."
        )
    if directory.gap_bytes:
        yield f"{human_bytes(directory.gap_bytes)} in the zip belong to no file of it."


def _on_access(entries: dict[str, Entry], dangling: list[str]) -> Iterator[str]:
    """Warn of what will lie on disk and cannot be opened."""
    if dangling:
        yield (
            f"{counted(len(dangling), 'link')} to what is not in the zip: "
            f"{first_few(dangling, len(dangling), 3)}. Unless main.sh makes it, opening fails."
        )
    closed = [
        name
        for name, entry in entries.items()
        if entry.unix
        and not is_link(entry)
        and ~entry.mode & (0o500 if name.endswith("/") else 0o400)
    ]
    if closed:
        yield (
            f"{counted(len(closed), 'entry', 'entries')} that not even the owner may read; the "
            "platform's unzip keeps it so, and opening fails there: "
            f"{first_few(closed, len(closed), 3)}. Type: chmod -R u+rX . and pack again."
        )
