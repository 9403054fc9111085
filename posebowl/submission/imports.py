"""The modules that a submission needs, read from its Python files, which never run here."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from posebowl.submission.limited import read_by
from posebowl.submission.shell_text import commands, without_comments
from posebowl.util.text import brief, numbered

PARSED_BYTES: Final = 1 << 19
"""How much of all files together is parsed, which takes a tenth of a second."""

# No pattern may search on from each place where it begins: a megabyte would take hours.
_DOTTED: Final = r"\w[\w.]*(?:[ \t]+as[ \t]+\w+)?"
_STATEMENT: Final = re.compile(
    rf"""(?:^|[;"'])[ \t]*(?:from[ \t]+(?P<source>\w+)(?:\.[\w.]*)?[ \t]+import\b
    |import[ \t]+(?P<names>{_DOTTED}(?:[ \t]*,[ \t]*{_DOTTED})*))""",
    re.MULTILINE | re.VERBOSE,
)
_MODULE: Final = re.compile(r"\bpython[\d.]*[ \t]+(?:-\w+[ \t]+){0,9}?-\w{0,9}m[ \t]*(\w+)")
_COMMANDS: Final = {
    "yolo": "ultralytics",
    "torchrun": "torch",
    "ovc": "openvino",
    "benchmark_app": "openvino",
}
"""Programs that a package brings along, and that a script may call without any import."""


_MODULE_ENDS: Final = (".py", "/__init__.py", ".so", ".abi3.so", ".cpython-311-x86_64-linux-gnu.so")
_BUNDLE: Final = re.compile(r"([^/]+?)-\d[^/]*\.(?:whl|zip|tar\.\w+|tgz)$")
_MOST_USES: Final = 20_000
"""Of all files together, in all of which the standard library counts; more are ignored."""
_MOST_STATEMENTS: Final = 2000
"""The same, of a file that is searched by pattern."""
_WORDS: Final = 3
"""Of a line of the parser about a module."""

_Use = tuple[str, int, bool]
"""A module, the line where it is imported, and whether the file copes without it."""

_PARSER: Final = Path(__file__).with_name("python_parser.py")


@dataclass(frozen=True, kw_only=True)
class Import:
    """A module that a submission uses, and where it does so first."""

    module: str
    """Its top-level name."""
    place: str
    """`FILE:LINE`; the file alone where a script calls the program of a package."""
    optional: bool = False
    """The submission copes without it, or it may not be an import at all."""
    bundled: bool = False
    """The submission holds something of this name where only a changed path finds it."""


@dataclass(frozen=True, kw_only=True)
class Imports:
    """What the Python files of a submission import."""

    used: tuple[Import, ...] = ()
    """By module, without the standard library and the submission's own modules."""
    packages: tuple[str, ...] = ()
    """Packages that it bundles as wheels or source archives, by normalized name."""
    unparsable: tuple[str, ...] = ()
    """Files with syntax errors, each with the line; they were searched by pattern."""
    unparsed: tuple[str, ...] = ()
    """Files that take too long or too much memory to parse, also searched by pattern."""

    @property
    def modules(self) -> frozenset[str]:
        """Top-level names of all modules."""
        return frozenset(item.module for item in self.used)


def find_imports(
    sources: Mapping[str, str],
    scripts: Mapping[str, str] | None = None,
    *,
    names: Iterable[str] = (),
    budget: int = PARSED_BYTES,
) -> Imports:
    """Find the top-level modules that Python files and shell scripts use.

    Args:
        sources: Text of each Python file by its path in the archive, most important first:
            once `budget` characters are parsed, the others are searched by pattern.
        scripts: Shell scripts by path, searched for `python -m`, `python -c` and known programs.
        names: Paths of all files of the archive.
        budget: Characters of all files together.
    """
    scripts = scripts or {}
    # What builds a bundled package does not run, unless a script says so.
    built = any("setup.py" in script for script in scripts.values())
    texts = {
        name: text
        for name, text in sources.items()
        if "import" in text and (built or name.rpartition("/")[2] != "setup.py")
    }
    to_parse = _within(texts, budget)
    broken, uses = _parse(to_parse)
    for name, text in texts.items():
        if name not in uses:
            uses[name] = [(module, line, True) for module, line in _matched(text)]
    uses |= {name: [(*use, False) for use in _in_script(text)] for name, text in scripts.items()}
    files = {*names, *sources}
    used = _first(uses, files)
    stems = {part.partition(".")[0] for name in files for part in name.split("/")} if used else ()
    bundles = filter(None, map(_BUNDLE.search, files)) if used else ()
    return Imports(
        used=tuple(replace(item, bundled=item.module in stems) for item in used),
        packages=tuple(sorted({re.sub(r"[-_.]+", "-", match[1]).lower() for match in bundles})),
        unparsable=tuple(f"{brief(name, 100)}:{line}" for name, line in broken.items() if line),
        unparsed=tuple(brief(name, 100) for name in to_parse if name not in broken),
    )


def _first(uses: Mapping[str, list[_Use]], files: set[str]) -> tuple[Import, ...]:
    """Return by module where it is used first, or first without which a file does not cope."""
    first: dict[str, Import] = {}
    several = ((name, use) for name, found in uses.items() for use in found)
    for name, (module, line, optional) in itertools.islice(several, _MOST_USES):
        known = first.get(module)
        if (known is None or known.optional > optional) and not _is_local(module, name, files):
            place = brief(name, 100) + (f":{line}" if line else "")
            first[module] = Import(module=module, place=place, optional=optional)
    return tuple(first[module] for module in sorted(first.keys() - sys.stdlib_module_names))


def _within(texts: Mapping[str, str], budget: int) -> dict[str, str]:
    """Return the first texts, as many as the budget allows."""
    chosen = {}
    for name, text in texts.items():
        if len(text) <= budget:
            chosen[name] = text
        budget -= len(text)
    return chosen


def _parse(texts: Mapping[str, str]) -> tuple[dict[str, int], dict[str, list[_Use]]]:
    """Parse files in a process that may take little time and memory.

    Returns:
        For each file that could be read, the line of its syntax error or 0; and what the files
        without one import. If it takes too long there is nothing of any.
    """
    lines: dict[str, int] = {}
    uses: dict[str, list[_Use]] = {}
    if not texts:
        return lines, uses
    encoded = [text.encode() for text in texts.values()]
    content = b"".join(b"%d\n%b" % (len(text), text) for text in encoded)
    done = read_by([sys.executable, "-I", "-S", "-W", "ignore", _PARSER], content)
    waiting, found = iter(texts), []
    for words in map(str.split, done.stdout.splitlines() if done else ()):
        if len(words) == _WORDS:
            found.append((words[2], int(words[0]), words[1] == "1"))
        else:
            name = next(waiting)
            lines[name] = int(words[0])
            if not lines[name]:
                uses[name] = found
            found = []
    return lines, uses


def _in_script(script: str) -> Iterator[tuple[str, int]]:
    """Yield the modules that a shell script uses, by name or through their programs."""
    yield from _matched(script)
    for line, match in numbered(_MODULE.finditer(without_comments(script)), script):
        yield match[1], line
    yield from ((_COMMANDS[word], 0) for word in sorted(commands(script) & _COMMANDS.keys()))


def _matched(text: str) -> Iterator[tuple[str, int]]:
    """Yield the modules, and lines, of what looks like an import in a broken file or a script."""
    for line, match in itertools.islice(
        numbered(_STATEMENT.finditer(text), text), _MOST_STATEMENTS
    ):
        for name in match[match.lastindex or 0].split(",", 20)[:20]:
            yield name.split()[0].partition(".")[0], line


def _is_local(module: str, importer: str, files: set[str]) -> bool:
    """Check whether the submission brings a module itself, at its root or beside the importer.

    A folder without __init__.py does not count: an installed package would win over it.
    """
    folder = importer.rpartition("/")[0]
    return any(
        f"{prefix}{module}{end}" in files for prefix in ("", f"{folder}/") for end in _MODULE_ENDS
    )
