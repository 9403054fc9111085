"""What to type next: places as the user sees them, flags, and commands that work in any shell."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

from posebowl.util.text import escape

_COMMAND: Final = re.compile(r"(?<!uv run )(?<![\w./-])(?=(?:invoke|nox) -?-?[a-z])")


def local(path: Path) -> Path:
    """Return a path relative to the working directory if it lies below it."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except (ValueError, FileNotFoundError):  # the working directory may be gone
        return path


def flag(name: str, place: Path, default: Path) -> str:
    """Return the flag that names a place, with a space before it; nothing for the default."""
    if place.resolve() == default.resolve():
        return ""
    return f" --{name} {word(local(place))}"


def word(place: Path) -> str:
    """Return a path as one word of a command, on one line whatever its name holds."""
    text = str(place)
    if text.isprintable():
        return shlex.quote(text)
    # What bash and zsh read as the same name.
    return "$'" + escape(text.replace("\\", r"\\").replace("'", r"\'")) + "'"


def typed(text: str) -> str:
    """Return a text with `uv run` before its commands, so that they work in any shell."""
    return _COMMAND.sub("uv run ", text)
