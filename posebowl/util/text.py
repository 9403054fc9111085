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


# All C0 and C1 control characters but tab and newline, DEL, and the bidirectional overrides,
# with which text on a terminal can pass for other text.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Replace control characters by their escaped form, so that a terminal only shows them.

    Tabs and newlines stay; ESC becomes the four characters ``\x1b``.
    """
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def clean(text: str) -> str:
    r"""Escape all that does not print, so that text shows what it holds and nothing else.

    Control characters, line separators, characters that turn the direction of writing and
    lone surrogates (which UTF-8 cannot hold) become ``\x1b``, ``\u2028`` and so on; tabs and
    newlines stay.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\t\n" else char.encode("unicode_escape").decode()
        for char in text
    )


def shorten(value: object, limit: int = 300) -> str:
    """Give a value as text of at most `limit` characters."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
