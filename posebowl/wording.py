"""Strangers' text and long lists, made fit for one line of a message."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Final

_COMMAND: Final = re.compile(r"(?<!uv run )(?<![\w./-])(?=(?:invoke|nox) -?-?[a-z])")


def show(text: str | bytes, limit: int = 40) -> str:
    r"""Quote a stranger's text: shortened, and with all that does not print as an escape.

    Bytes that are no UTF-8 become `\xNN`; so do terminal control sequences and characters
    that turn the direction of writing.
    """
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode(errors="backslashreplace")
    head = text[:limit]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)
    return f'"{safe}{"..." if len(text) > limit else ""}"'


def first_few(names: Iterable[str], count: int, limit: int = 5) -> str:
    """List the first `limit` of `count` names: `a, b, c and 9 more`."""
    shown = [show(name, 60).strip('"') for name in itertools.islice(names, limit)]
    more = count - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def counted(count: int, noun: str, plural: str = "") -> str:
    """Put a number before its noun: `1 image`, `12,000 images`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def typed(text: str) -> str:
    """Put `uv run` before the commands of a text, so that they work in any shell of a checkout."""
    return _COMMAND.sub("uv run ", text)
