"""Untrusted text and long lists, made fit for a message, a log or a page."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Final

# Blanks and joiners that many languages are written with: harmless, though not "printable".
_BLANKS: Final = "\t\n\u00a0\u2009\u200c\u200d\u202f\u3000"
_ODD: Final = re.compile(r"[^ -~\t\n]")
_FREQUENT: Final = 0x3000
"""Code points below it are remembered, which bounds what hostile text makes a table hold."""


def escape(text: str, keep: str = "") -> str:
    r"""Replace each character that does not print, unless it is in `keep`, by its escape.

    Control characters, line separators, characters that turn the direction of writing and
    lone surrogates (which UTF-8 cannot hold) become ``\x1b``, ``\u2028`` and so on.
    """
    return text if text.isprintable() else text.translate(_escapes(keep))


class _Escapes(dict[int, str]):
    """The table of `str.translate` for `escape`, filled as characters come up."""

    def __init__(self, keep: str) -> None:
        self._keep = keep

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if not (char.isprintable() or char in self._keep):
            char = char.encode("unicode_escape").decode()
        if code < _FREQUENT:
            self[code] = char
        return char


_escapes = functools.cache(_Escapes)


def visible(text: str) -> str:
    """Escape what could steer a terminal or pass for other text; line ends and tabs stay."""
    return text if _ODD.search(text) is None else escape(text, _BLANKS)


def redrawn(line: str) -> str:
    """Return what is left of a line that a program drew again after each carriage return."""
    return next((part for part in reversed(line.split("\r")) if part), "")


def brief(text: str | bytes, limit: int = 40) -> str:
    r"""Return untrusted text for the middle of a sentence: escaped, and cut after `limit`.

    Bytes that are not UTF-8 become ``\xNN``.
    """
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode(errors="backslashreplace")
    return escape(text[:limit]) + ("..." if len(text) > limit else "")


def show(text: str | bytes, limit: int = 40) -> str:
    """Return untrusted text in quotes, escaped and cut as `brief` does."""
    return f'"{brief(text, limit)}"'


def shorten(value: object, limit: int = 300) -> str:
    """Return a value as text of at most `limit` characters."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def first_few(names: Iterable[str], count: int, limit: int = 5) -> str:
    """List the first `limit` of `count` names: `a, b, c and 9 more`."""
    shown = [brief(name, 60) for name in itertools.islice(names, limit)]
    more = count - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def reason(error: BaseException) -> str:
    """Return the first line of what an exception says, or its type where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def numbered(matches: Iterable[re.Match[str]], text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield matches in the order of a text, each with the line where its last group begins."""
    line, at = 1, 0
    for match in matches:
        start = match.start(match.lastindex or 0)
        line += text.count("\n", at, start)
        at = start
        yield line, match


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number before its noun: `1 image`, `12,000 images`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
