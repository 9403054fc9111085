"""The modules that a submission needs, read from its Python files, which never run here."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from posebowl.submission.shell_text import commands, without_comments
from posebowl.util.text import brief

PARSED_BYTES: Final = 1 << 20
"""How much of all files together is parsed, which takes a second for a few MB."""

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


@dataclass(frozen=True, kw_only=True)
class Imports:
    """What the Python files of a submission import."""

    modules: frozenset[str]
    """Top-level names, without the standard library and the submission's own modules."""
    unparsable: tuple[str, ...] = ()
    """Files with syntax errors, each with the line; they were searched by pattern."""


def find_imports(
    sources: Mapping[str, str], scripts: Iterable[str] = (), *, budget: int = PARSED_BYTES
) -> Imports:
    """Find the top-level modules that Python files and shell scripts use.

    Args:
        sources: Text of each Python file by its path in the archive, most important first:
            once `budget` characters are parsed, the others are searched by pattern.
        scripts: Shell scripts, searched for `python -m`, `python -c` and known programs.
        budget: Characters of all files together.
    """
    scripts = list(scripts)
    modules: set[str] = set()
    unparsable = []
    files = set(sources)
    # What builds a bundled package does not run, unless a script says so.
    built = any("setup.py" in script for script in scripts)
    for name, text in sources.items():
        if "import" not in text or (name.rpartition("/")[2] == "setup.py" and not built):
            continue
        found, line = _in_file(text) if len(text) <= budget else (set(_matched(text)), 0)
        if line:
            unparsable.append(f"{brief(name, 100)}:{line}")
        budget -= len(text)
        modules |= {module for module in found if not _is_local(module, name, files)}
    for script in scripts:
        modules |= {name for name in _in_script(script) if not _is_local(name, "main.sh", files)}
    return Imports(
        modules=frozenset(modules - sys.stdlib_module_names), unparsable=tuple(unparsable)
    )


def _in_file(text: str) -> tuple[set[str], int]:
    """Return the modules that a Python file imports, and the line of its syntax error or 0."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in their strings
            tree = ast.parse(text)
        return {module for node in ast.walk(tree) for module in _of_node(node)}, 0
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        return set(_matched(text)), line or 1


def _in_script(script: str) -> set[str]:
    """Return the modules that a shell script uses, by name or through their programs."""
    programs = {_COMMANDS[word] for word in commands(script) & _COMMANDS.keys()}
    return {*_matched(script), *_MODULE.findall(without_comments(script)), *programs}


def _of_node(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield alias.name.partition(".")[0]
        case ast.ImportFrom(module=str(module), level=0):
            yield module.partition(".")[0]
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(module)), *_],
        ) if not module.startswith("."):
            yield module.partition(".")[0]


def _matched(text: str) -> Iterator[str]:
    """Yield the modules of what looks like an import: for broken files and shell scripts."""
    for match in _STATEMENT.finditer(text):
        if match["source"]:
            yield match["source"]
        else:
            for name in match["names"].split(","):
                yield name.split()[0].partition(".")[0]


def _is_local(module: str, importer: str, files: set[str]) -> bool:
    """Check whether the submission brings a module itself, at its root or beside the importer.

    A folder without __init__.py does not count: an installed package would win over it.
    """
    folder = importer.rpartition("/")[0]
    return any(
        f"{prefix}{module}{end}" in files
        for prefix in ("", f"{folder}/")
        for end in (".py", "/__init__.py")
    )
