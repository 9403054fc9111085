"""What makes `sh main.sh` fail: line ends, syntax, and what only bash understands."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.submission.limited import STDIN, read_by
from posebowl.submission.shell_text import COMMAND, masked
from posebowl.util.text import brief, numbered

BOM: Final = b"\xef\xbb\xbf"
SHELLCHECK_BYTES: Final = 16 << 10
"""How much of a script is searched for what only bash understands."""

TOO_MUCH: Final = "it nests too deeply, or takes too long to read"

_PIPEFAIL: Final = re.compile(COMMAND + r"set\s[^\n;&|]{0,80}?-\w*o\s+(pipefail)", re.MULTILINE)


def bashisms(script: bytes, name: str) -> list[str]:
    """Return warnings, with line numbers, of what parses but fails under a plain sh such as dash.

    They come from shellcheck, where it is installed. It is slow with scripts that nest deeply, so
    it reads SHELLCHECK_BYTES and has two seconds.
    """
    found = {
        (line, f"{text[:1].lower()}{text[1:].rstrip('.')} (SC{code})")
        for line, code, text in _shellcheck(script[:SHELLCHECK_BYTES])
        # 3000 to 3999 is what sh does not know, 2112 and 2113 are about the word `function`.
        if code // 1000 == 3 or code in {2112, 2113}
    }
    text = script[:SHELLCHECK_BYTES].decode(errors="replace")
    for line, _ in numbered(_PIPEFAIL.finditer(masked(text)[0]), text):
        found.add((line, "`set -o pipefail` ends the script at once under sh; leave it out"))
    return [f"{name}:{line}: {what}." for line, what in sorted(found)]


def _shellcheck(script: bytes) -> list[tuple[int, int, str]]:
    """Return line, code and text of all that shellcheck says, or nothing where there is none."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    program = shutil.which("shellcheck", path=places)
    if program is None:
        return []
    done = read_by([program, "--norc", "--shell=dash", "--format=json", STDIN], script)
    try:
        found = json.loads(done.stdout) if done else []
    except ValueError:
        return []
    return [(item["line"], item["code"], item["message"]) for item in found]


@dataclass(frozen=True, kw_only=True)
class SyntaxCheck:
    """What a shell says about a script that it only reads."""

    error: str = ""
    """The shell's own words, or nothing if it can parse the script."""
    shell: str = ""
    """Which shell read it: "dash", or what stands in for it; nothing where there is none."""


def check_syntax(script: bytes, argv: Sequence[str] | None = None) -> SyntaxCheck:
    """Have a plain sh parse a script without running it.

    The platform's sh is dash. Where neither sh nor any other command is dash, bash in its
    posix mode stands in, which lets many of bash's own constructs pass.
    """
    argv = parser() if argv is None else argv
    if not argv:
        return SyntaxCheck()
    shell, done = Path(argv[0]).name, read_by([*argv, STDIN], script)
    if done is None or done.returncode < 0:
        return SyntaxCheck(error=TOO_MUCH, shell=shell)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    error = lines[0].replace(STDIN, "main.sh", 1) if lines else "unknown error"
    return SyntaxCheck(error=brief(error, 160) if done.returncode else "", shell=shell)


def parser() -> list[str]:
    """Return the command of a shell that parses as the platform's does, or the nearest to it."""
    dash = shutil.which("dash")
    if dash:
        return [dash, "-n"]
    sh = shutil.which("sh")
    if sh and Path(os.path.realpath(sh)).name in {"dash", "ash", "busybox"}:
        return [sh, "-n"]
    bash = shutil.which("bash")
    return [bash, "--posix", "-n"] if bash else []
