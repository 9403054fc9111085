"""The text of a shell script: which of it is code, which commands it names, which files it runs."""

from __future__ import annotations

import functools
import re
from typing import Final

from posebowl.util.text import numbered

LINT_BYTES: Final = 64 << 10
"""How much of a script is searched for commands."""

_TOKENS: Final = r"""(?P<comment>(?<![^\s;&|()])\#[^\n]*)
    | (?P<single>(?:'[^']*')+)
    | (?P<double>(?:"(?:[^"\\]|\\.)*")+)
    | (?P<escape>\\\n|(?:\\[^\n])+)
    | (?P<here>(?<!<)<<(?!<)-?[ \t]*(?P<quote>['"\\]?)(?P<tag>\w+)['"]?)"""
_TOKEN: Final = re.compile(_TOKENS, re.VERBOSE | re.DOTALL)
_TOKEN_OR_LINE: Final = re.compile(rf"{_TOKENS}|(?P<newline>\n)", re.VERBOSE | re.DOTALL)
COMMAND: Final = r"(?:^|[;&|({!`]|\b(?:if|then|elif|else|while|until|do)\b)[ \t]*"
"""Where a command can begin."""
_FILE: Final = re.compile(
    COMMAND + r"(?:(?:exec|nohup|time)[ \t]+)?(?:/code_execution/workdir/|\./)?"
    r"((?:[\w.-]+/){0,20}[\w.-]+)(?=[\s;&|)]|$)",
    re.MULTILINE,
)


def commands(script: str) -> set[str]:
    """Return the first word of every command, quoted ones left out."""
    before = r"exec|time|nohup|nice|if|then|elif|else|while|until|do"
    # Bounded, since `a=(a=(a=(` and so on would be read to its end from every parenthesis.
    pattern = COMMAND + rf"(?:\w+=[^\s;&|]{{0,200}}[ \t]+|(?:{before})[ \t]+)*([\w.-]+)"
    return set(re.findall(pattern, masked(script[:LINT_BYTES])[0], re.MULTILINE))


def without_comments(script: str) -> str:
    """Replace comments, and what quoted here-documents hold, by blanks; lines stay."""
    return masked(script[:LINT_BYTES])[1]


@functools.lru_cache(maxsize=32)
def masked(script: str) -> tuple[str, str]:
    """Replace what is not code by blanks, so that offsets stay.

    Returns:
        The script without anything quoted, and the script with double quotes and unquoted
        here-documents left in. A line continued by a backslash becomes one line.
    """
    bare: list[str] = []
    expanded: list[str] = []
    waiting: list[tuple[str, bool]] = []
    at = 0

    def put(end: int, *, in_bare: bool, in_expanded: bool) -> None:
        nonlocal at
        text = script[at:end]
        blank = re.sub(r"[^\n]", " ", text) if "\n" in text else " " * len(text)
        bare.append(text if in_bare else blank)
        expanded.append(text if in_expanded else blank)
        at = end

    # The end of a line matters only where a here-document begins.
    while match := (_TOKEN_OR_LINE if waiting else _TOKEN).search(script, at):
        put(match.start(), in_bare=True, in_expanded=True)
        kind = match.lastgroup if match.lastgroup not in {"quote", "tag"} else "here"
        if kind == "here":
            waiting.append((match["tag"], not match["quote"]))
        if match[0] == "\\\n":
            bare.append("  ")
            expanded.append("  ")
            at = match.end()
            continue
        put(
            match.end(),
            in_bare=kind in {"here", "newline"},
            in_expanded=kind not in {"comment", "single"},
        )
        while kind == "newline" and waiting:
            tag, expands = waiting.pop(0)
            put(_end_of_here(script, at, tag), in_bare=False, in_expanded=expands)
    put(len(script), in_bare=True, in_expanded=True)
    return "".join(bare), "".join(expanded)


def _end_of_here(script: str, at: int, tag: str) -> int:
    """Return where the line that closes a here-document ends; the script's end without one."""
    end = script.find("\n", at)
    while end >= 0 and script[at:end].lstrip("\t") != tag:
        at, end = end + 1, script.find("\n", end + 1)
    return end if end >= 0 else len(script)


def called_files(script: str) -> list[tuple[int, str]]:
    """List the files that a script runs as programs: their line, and their path in the workdir."""
    bare = masked(script[:LINT_BYTES])[0]
    return [
        (line, match[1])
        for line, match in numbered(_FILE.finditer(bare), script)
        if "/" in match[0] and ".." not in match[1].split("/")
    ]
