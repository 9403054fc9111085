"""Look into a submission.zip without running or unpacking it: is it acceptable, and is it wise?"""

from __future__ import annotations

import difflib
import hashlib
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from posebowl import paths
from posebowl.challenge import ARCHIVE_LIMITS, MAIN_SCRIPT, MIB, ArchiveLimits
from posebowl.errors import BadArchiveError
from posebowl.submission import lint
from posebowl.submission.imports import find_imports
from posebowl.submission.member_names import PLAIN_NAME, WHY_NAMES, name_problem
from posebowl.submission.zip_reader import (
    REMAKE,
    Directory,
    Entry,
    quoted,
    read_directory,
    read_member,
)
from posebowl.util.files import digest_file, open_regular
from posebowl.util.text import counted, first_few
from posebowl.util.units import human_bytes

SCRIPT_BYTES: Final = MIB
"""How much of main.sh, and of any other file that is looked into, is read."""
SOURCES_BYTES: Final = 4 * MIB
"""How much is read of all files that are looked into together."""
SOURCES: Final = 2000
"""How many files are looked into; those near the root go first."""
WHY_MAIN: Final = f"The platform runs `sh {MAIN_SCRIPT}`."
COMMENT: Final = b"posebowl pack 1 "
"""What the comment of a zip that this tool packed begins with; `content_mark` follows."""

_KINDS: Final = {0: "", 0o100000: "a file", 0o040000: "a folder", 0o120000: "a symbolic link"}


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
    warnings: tuple[str, ...]
    """What is allowed but probably not meant, one sentence each."""


def inspect(path: Path, *, limits: ArchiveLimits = ARCHIVE_LIMITS) -> Archive:
    """Check a submission.zip against the rules, and look for what would fail later.

    Nothing is run and nothing unpacked to disk; only small text files are inflated, in memory.

    Raises:
        BadArchiveError: It breaks a rule: the first one found, and what to do about it.
    """
    with open_archive(path) as file:
        return inspect_file(file, path, limits=limits)


def inspect_file(file: IO[bytes], path: Path, *, limits: ArchiveLimits = ARCHIVE_LIMITS) -> Archive:
    """Check an open archive as `inspect` does; `path` is how messages call it."""
    packed = file.seek(0, 2)
    if packed > limits.archive_bytes:
        raise BadArchiveError(
            f"{path} has {human_bytes(packed)}; "
            f"at most {human_bytes(limits.archive_bytes)} are allowed.",
            fix="Leave out what main.sh does not need: data sets, checkpoints, environments.",
        )
    directory = read_directory(file, path, max_entries=limits.entries)
    entries = _by_path(directory.entries, path, limits)
    _check_sizes(entries, packed, path, limits)
    main = _read_main(file, entries, path)
    sources = _read_sources(file, entries, path)
    imports = find_imports(
        {name: text for name, text in sources.items() if name.endswith(".py")},
        [text for name, text in sources.items() if name.endswith(".sh")],
    )
    sizes = {name: entry.size for name, entry in entries.items() if not name.endswith("/")}
    return Archive(
        path=path,
        entries=len(directory.entries),
        files=len(sizes),
        packed_bytes=packed,
        unpacked_bytes=sum(sizes.values()),
        main_script=main.decode(errors="replace"),
        imports=imports.modules,
        warnings=(
            *lint.on_script(main),
            *lint.on_sources(sources, imports),
            *lint.on_names(sizes, imports.modules, packed),
            *_on_structure(directory, entries),
        ),
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of a zip as 64 hexadecimal digits.

    Raises:
        BadArchiveError: It is missing, or not a regular file.
    """
    with open_archive(path) as file:
        return digest_file(file)


def open_archive(path: Path) -> IO[bytes]:
    """Open what should be a submission.zip, without waiting for a FIFO or a device.

    The user named it, so a link is followed; what it leads to must be a regular file.

    Raises:
        BadArchiveError: It is missing, unreadable or no regular file.
    """
    try:
        return open_regular(path.resolve(strict=True))
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, _zips_in(path.parent), n=1, cutoff=0.0)
        raise BadArchiveError(
            f"There is no {path}.",
            fix=f"Did you mean {path.parent / near[0]}?" if near else f"Type: {_to_make(path)}",
        ) from None
    except ValueError as error:
        fix = "Give the path of a zip that `invoke pack` made."
        if (path / MAIN_SCRIPT).is_file():
            fix = f"Type: invoke pack --source {shlex.quote(str(path))}"
        elif inside := _zips_in(path):
            fix = f"Did you mean {path / inside[0]}?"
        raise BadArchiveError(f"{path} is {error}, not a zip.", fix=fix) from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        why = getattr(error, "strerror", None) or str(error)
        raise BadArchiveError(
            f"{path} cannot be read: {why}.", fix="Check its permissions, or make it again."
        ) from None


def _to_make(path: Path) -> str:
    out = paths.flag("out", path, paths.SUBMISSION / "submission.zip")
    return f"invoke pack --solution NAME{out}"


def _zips_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.glob("*.zip") if path.is_file())
    except OSError:
        return []


def content_mark(contents: Iterable[tuple[str, int, int, int]]) -> bytes:
    """Give the comment that `pack` writes into a zip of these (name, mode, size, CRC-32).

    It tells a zip that the tool packed from one that the user made or changed since: whoever
    adds, removes or replaces a file changes the list, and zip tools keep the comment as it was.
    It guards against mistakes, not against forgery.
    """
    hasher = hashlib.sha256()
    for name, mode, size, crc in sorted(contents):
        hasher.update(f"{mode:o} {size} {crc:08x} {name}\0".encode())
    return COMMENT + hasher.hexdigest().encode()


def packed_by_us(path: Path) -> bool:
    """Tell whether a file is a zip that `pack` wrote and nobody changed since."""
    try:
        with open_regular(path) as file:
            directory = read_directory(file, path, max_entries=ARCHIVE_LIMITS.entries)
    except (OSError, ValueError, BadArchiveError):
        return False
    listed = ((entry.name, entry.mode, entry.size, entry.crc) for entry in directory.entries)
    return directory.comment == content_mark(listed)


def _by_path(entries: list[Entry], path: Path, limits: ArchiveLimits) -> dict[str, Entry]:
    """Check all names; give the entries by their plain path, folders with a slash at the end."""
    tree: dict[str, Entry] = {}
    for entry in entries:
        # `./` alone is the archive's own root, which some tools list.
        problem = "" if entry.name in {"./", "."} else name_problem(entry.name)
        if problem:
            raise BadArchiveError(
                f"The name {quoted(entry.name)} in {path} {problem}.",
                why=WHY_NAMES,
                fix="Rename it, or make the archive with `invoke pack`.",
            )
        _check_kind(entry, path)
        plain = entry.name
        if not PLAIN_NAME.fullmatch(plain):
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


def _check_kind(entry: Entry, path: Path) -> None:
    kind = _KINDS.get(entry.mode & 0o170000, "a device or a pipe")
    expected = "a folder" if entry.name.endswith("/") else "a file"
    if kind in {"", expected} and not (expected == "a folder" and entry.size):
        return
    if kind == "a symbolic link":
        fix = "Put the file itself in its place; `invoke pack` does so."
    else:
        fix = REMAKE
    what = f"is {kind}" if kind not in {"", expected} else "is a folder with content"
    raise BadArchiveError(
        f"{quoted(entry.name)} in {path} {what}.",
        why="Only files and folders are allowed.",
        fix=fix,
    )


def _check_folders(tree: dict[str, Entry], path: Path, limits: ArchiveLimits) -> None:
    """Check that no file is a folder too, and that folders implied by paths are not too many."""
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


def _check_sizes(entries: dict[str, Entry], packed: int, path: Path, limits: ArchiveLimits) -> None:
    total = sum(entry.size for entry in entries.values())
    largest = max(entries.items(), key=lambda item: item[1].size, default=None)
    # Deflate shrinks at most 1032-fold, so a file that claims more does not hold what it says.
    liar = next((n for n, e in entries.items() if e.size > 1032 * e.packed + 1024), None)
    if (total > 100 * MIB and total > limits.ratio * packed) or liar is not None:
        raise BadArchiveError(
            f"{path} is a zip bomb: {human_bytes(packed)} would unpack to {human_bytes(total)}.",
            why=f"More than {limits.ratio} to 1 is refused above 100 MiB.",
            fix="Leave out the files that are nearly all zeros, or make them when main.sh runs.",
        )
    if largest is not None and largest[1].size > limits.file_bytes:
        raise BadArchiveError(
            f"{quoted(largest[0])} in {path} has {human_bytes(largest[1].size)}; "
            f"at most {human_bytes(limits.file_bytes)} are allowed.",
            fix="Split it, or leave it out.",
        )
    if total > limits.unpacked_bytes:
        raise BadArchiveError(
            f"{path} unpacks to {human_bytes(total)}; "
            f"at most {human_bytes(limits.unpacked_bytes)} are allowed.",
            fix="Leave out what main.sh does not need.",
        )


def _read_main(file: IO[bytes], entries: dict[str, Entry], path: Path) -> bytes:
    """Read main.sh and check it as far as its bytes go.

    Raises:
        BadArchiveError: It is missing, a folder, empty, no text, or has Windows line ends.
    """
    if f"{MAIN_SCRIPT}/" in entries or any(n.startswith(f"{MAIN_SCRIPT}/") for n in entries):
        raise BadArchiveError(
            f"{MAIN_SCRIPT} in {path} is a folder.",
            why=WHY_MAIN,
            fix=f"Make {MAIN_SCRIPT} a shell script.",
        )
    if MAIN_SCRIPT not in entries:
        raise _no_main(entries, path)
    content = read_member(file, entries[MAIN_SCRIPT], path, limit=SCRIPT_BYTES)
    problem = script_problem(content)
    if problem:
        what, fix = problem
        raise BadArchiveError(f"{MAIN_SCRIPT} in {path} {what}.", fix=fix)
    return content


def script_problem(content: bytes) -> tuple[str, str] | None:
    """Say what makes main.sh useless whatever it does, and what to do, or None."""
    if not content.strip():
        return "is empty", "Write into it the commands that make submission.csv."
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16, which sh cannot read", "Save it as UTF-8 with LF line ends."
    if b"\0" in content.partition(b"\n")[0]:
        return "is a program, not a text", "Write a shell script that calls it."
    if b"\r\n" in content or b"\r" in content.partition(b"\n")[0]:
        return (
            "has Windows line ends (CRLF), which sh takes for part of each command",
            "Save it with LF line ends, for instance with `sed -i 's/\\r$//' main.sh`.",
        )
    return None


def _no_main(entries: dict[str, Entry], path: Path) -> BadArchiveError:
    files = [name for name in entries if not name.endswith("/")]
    nested = sorted((n for n in files if n.endswith(f"/{MAIN_SCRIPT}")), key=lambda n: n.count("/"))
    if nested:
        folder = nested[0].rpartition("/")[0]
        return BadArchiveError(
            f"{MAIN_SCRIPT} is not at the root of {path} but in the folder {quoted(folder)}.",
            why="It is looked for at the root only.",
            fix="Zip the contents, not the folder: `invoke pack --source FOLDER` does so.",
        )
    near = next((name for name in files if name.lower().strip() == MAIN_SCRIPT), "")
    return BadArchiveError(
        f"{path} has no {MAIN_SCRIPT} at its root.",
        why=f"It has {quoted(near)}, but the case of letters counts." if near else WHY_MAIN,
        fix=f"Rename it to {MAIN_SCRIPT}." if near else f"Add the {MAIN_SCRIPT} that starts all.",
    )


def _read_sources(file: IO[bytes], entries: dict[str, Entry], path: Path) -> dict[str, str]:
    """Read the scripts and settings, those near the root first, within the limits."""
    names = sorted(
        (name for name in entries if name.endswith(lint.SOURCE_SUFFIXES)),
        key=lambda name: (not name.endswith((".sh", ".py")), name.count("/"), name),
    )
    sources = {}
    budget = SOURCES_BYTES
    for name in names[:SOURCES]:
        if entries[name].size > min(SCRIPT_BYTES, budget):
            continue
        budget -= entries[name].size
        sources[name] = read_member(file, entries[name], path, limit=SCRIPT_BYTES).decode(
            errors="replace"
        )
    return sources


def _on_structure(directory: Directory, entries: dict[str, Entry]) -> Iterator[str]:
    """Warn of names that not every system keeps apart, and of bytes that belong to no file."""
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
            f"{counted(len(odd), 'name')} outside ASCII not marked as UTF-8, which unpackers "
            f"may garble: {first_few(odd, len(odd), 3)}."
        )
    if directory.gap_bytes:
        yield f"{human_bytes(directory.gap_bytes)} in the zip belong to no file of it."
