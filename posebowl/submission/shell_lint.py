"""What `sh main.sh` would trip over: line ends, syntax, and what only bash understands."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from posebowl.util import process
from posebowl.util.process import ProcessError
from posebowl.util.text import brief

BOM: Final = b"\xef\xbb\xbf"
LINT_BYTES: Final = 64 << 10
"""How much of a script is looked at for what only bash understands."""

_TOKEN: Final = re.compile(
    r"""(?P<comment>(?<![^\s;&|()])\#[^\n]*)
    | (?P<single>'[^']*')
    | (?P<double>"(?:[^"\\]|\\.)*")
    | (?P<escape>\\.)
    | (?P<here>(?<!<)<<(?!<)-?[ \t]*(?P<quote>['"\\]?)(?P<tag>\w+)['"]?)
    | (?P<newline>\n)""",
    re.VERBOSE | re.DOTALL,
)
_COMMAND: Final = r"(?:^|[;&|({!`]|\b(?:if|then|elif|else|while|until|do)\b)[ \t]*"
"""Where a command can begin."""


@dataclass(frozen=True, kw_only=True)
class _Rule:
    pattern: re.Pattern[str]
    text: str
    inside_quotes: bool = False
    """Look into double quotes and here-documents too, where the shell still expands."""


def _rule(pattern: str, text: str, *, inside_quotes: bool = False) -> _Rule:
    return _Rule(pattern=re.compile(pattern, re.MULTILINE), text=text, inside_quotes=inside_quotes)


_BASHISMS: Final = (
    _rule(_COMMAND + r"\[\[(?=\s)", "`[[` is bash; write `[ ... ]`"),
    _rule(_COMMAND + r"source\s+[^\s=;&|]", "`source` is bash; write `.`"),
    _rule(_COMMAND + r"function\s+\w", "`function` is bash; write `name() { ...; }`"),
    _rule(r"(?<![\w$])\w+\+?=\(", "arrays are bash; write words after `set --`"),
    _rule(
        _COMMAND + r"(?:declare|typeset|shopt|pushd|popd|mapfile|readarray|let)\s",
        "this command is bash's own",
    ),
    _rule(r"<<<", "`<<<` is bash; write `printf '%s\\n' ... |`"),
    _rule(
        _COMMAND + r"set\s[^\n;&|]{0,80}?-\w*o\s+pipefail",
        "`set -o pipefail` ends the script at once under sh; leave it out",
    ),
    _rule(r"&>", "`&>` is bash; write `>file 2>&1`"),
    _rule(r"\|&", "`|&` is bash; write `2>&1 |`"),
    _rule(r"[<>]\((?!\()", "process substitution is bash; write to a file first"),
    _rule(_COMMAND + r"\(\(", "`((...))` is bash; write `[ $((...)) -ne 0 ]` or `x=$((...))`"),
    _rule(r"(?<!\S)\[ [^][\n;&|]{0,200}\s==\s", "`==` in `[ ]` is bash; write `=`"),
    _rule(r"\{\w+\.\.\w+\}", "`{1..9}` is bash; write `$(seq 1 9)`"),
    _rule(
        r"\$\{(?:!\w|\w+(?:\[|//?|\^|,|:[0-9$(]|@))",
        "this expansion is bash; sh stops at it with `Bad substitution`",
        inside_quotes=True,
    ),
)
_INSTALL: Final = re.compile(r"\bpip3?(?:\.\d+)?\s+install\b[^\n;&|]*")
_DOWNLOAD: Final = re.compile(
    _COMMAND
    + r"(?:sudo\s+)?(curl|wget|git\s+clone|gdown|apt(?:-get)?\s|conda\s+install|gsutil|aws\s+s3"
    r"|huggingface-cli\s+download|hf\s+download|kaggle)\b",
    re.MULTILINE,
)


def bashisms(script: str, name: str) -> list[str]:
    """Warn, with line numbers, of what parses but fails under a plain sh such as dash.

    Quotes, comments and here-documents are looked into only as far as the shell itself does.
    """
    bare, expanded = _masked(script[:LINT_BYTES])
    found: dict[tuple[int, str], str] = {}
    for rule in _BASHISMS:
        text = expanded if rule.inside_quotes else bare
        for match in rule.pattern.finditer(text):
            line = script.count("\n", 0, match.end() - 1) + 1
            found.setdefault((line, rule.text), f"{name}:{line}: {rule.text}.")
    return [found[key] for key in sorted(found)]


def network_uses(script: str, name: str) -> list[str]:
    """Warn, with line numbers, of commands that need the network, which a run does not have."""
    bare, expanded = _masked(script[:LINT_BYTES])
    found = []
    for match in _INSTALL.finditer(expanded):
        if not re.search(r"--no-deps|--no-index", match[0]):
            line = script.count("\n", 0, match.start()) + 1
            found.append((line, "`pip install` without --no-deps or --no-index asks the network"))
    for match in _DOWNLOAD.finditer(bare):
        line = script.count("\n", 0, match.start(1)) + 1
        found.append((line, f"`{' '.join(match[1].split())}` needs the network"))
    return [f"{name}:{line}: {text}, and a run has none." for line, text in sorted(found)]


def commands(script: str) -> set[str]:
    """Give the first word of every command, quoted ones left out."""
    before = r"exec|time|nohup|nice|if|then|elif|else|while|until|do"
    # Bounded, since `a=(a=(a=(` and so on would be read to its end from every parenthesis.
    pattern = _COMMAND + rf"(?:\w+=[^\s;&|]{{0,200}}[ \t]+|(?:{before})[ \t]+)*([\w.-]+)"
    return set(re.findall(pattern, _masked(script[:LINT_BYTES])[0], re.MULTILINE))


def without_comments(script: str) -> str:
    """Blank the comments of a script, and what a quoted here-document holds; lines stay."""
    return _masked(script[:LINT_BYTES])[1]


def _masked(script: str) -> tuple[str, str]:
    """Blank what is no code, at unchanged offsets.

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
        blank = re.sub(r"[^\n]", " ", text)
        bare.append(text if in_bare else blank)
        expanded.append(text if in_expanded else blank)
        at = end

    while match := _TOKEN.search(script, at):
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
    """Find the end of the line that closes a here-document; the script's, if none does."""
    while True:
        end = script.find("\n", at)
        if end < 0 or script[at:end].lstrip("\t") == tag:
            return end if end >= 0 else len(script)
        at = end + 1


@dataclass(frozen=True, kw_only=True)
class SyntaxCheck:
    """What a shell says about a script that it only reads."""

    error: str = ""
    """The shell's own words, or nothing if it can parse the script."""
    shell: str = ""
    """Which shell read it: "dash", or what stands in for it; nothing where there is none."""


def check_syntax(script: bytes) -> SyntaxCheck:
    """Let a plain sh parse the script without running it.

    The platform's sh is dash. Where neither sh nor any other command is dash, bash in its
    posix mode stands in, which lets many of bash's own constructs pass.
    """
    argv = _parser()
    if not argv:
        return SyntaxCheck()
    with TemporaryDirectory(prefix="posebowl-") as folder:
        Path(folder, "main.sh").write_bytes(script)
        try:
            # Relative, so that messages begin with "main.sh: 3:" wherever it was checked.
            done = process.run(
                [*argv, "main.sh"], cwd=Path(folder), check=False, timeout_s=5, env={"LC_ALL": "C"}
            )
        except ProcessError:
            return SyntaxCheck()
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    error = brief(lines[0] if lines else "unknown error", 160) if done.returncode else ""
    return SyntaxCheck(error=error, shell=Path(argv[0]).name)


def _parser() -> list[str]:
    """Find a shell that parses as the platform's does; the nearest one else."""
    dash = shutil.which("dash")
    if dash:
        return [dash, "-n"]
    sh = shutil.which("sh")
    if sh and Path(os.path.realpath(sh)).name in {"dash", "ash", "busybox"}:
        return [sh, "-n"]
    bash = shutil.which("bash")
    return [bash, "--posix", "-n"] if bash else []
