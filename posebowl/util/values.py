"""Kinds of values that people type: how each is written, read and checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from posebowl.errors import UsageError
from posebowl.util import units
from posebowl.util.text import show

_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

UNREADABLE: Final = (ValueError, UsageError)
"""What `Kind.read` raises."""


class OutOfRangeError(ValueError):
    """A number that is too small or too large; the text completes `It must be ...`."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of value: how it is written, and what is allowed."""

    expects: str
    """What it is: completes `--name must be ...`."""
    example: str
    read: Callable[[str], Any]
    """Raises ValueError, OutOfRangeError or UsageError for other texts."""
    write: Callable[[Any], str] = str
    """Returns a text that `read` turns into the same value."""
    toml: type = str
    """What a table must hold; a string may stand for a duration or size, beside a number."""
    choices: tuple[str, ...] = ()
    """All words that are allowed, where there are but few."""
    suggest: Callable[[], Sequence[str]] | None = None
    """Returns words that completion offers, where the choices are not known in advance."""
    is_path: bool = False
    must_exist: bool = False
    """A path where there must be something, before anything is done."""

    def from_table(self, value: object) -> str | None:
        """Return a value of a table as it would be typed, or None if its type is wrong."""
        if self.toml is list:
            words = value if isinstance(value, list) else None
            is_text = words is not None and all(isinstance(word, str) for word in words)
            return ",".join(words) if words is not None and is_text else None
        if type(value) is bool:
            return str(value).lower() if self.toml is bool else None
        if (type(value) is int and self.toml in {int, float}) or (
            type(value) is float and self.toml is float
        ):
            return str(value)
        return value if isinstance(value, str) and self.toml in {str, float} else None

    def literal(self, text: str) -> str:
        """Return a value as a table holds it."""
        if self.toml is list:
            return json.dumps(text.split(","))
        bare = self.toml in {int, bool} or (self.toml is float and _NUMBER.fullmatch(text))
        return text if bare else json.dumps(text, ensure_ascii=False)

    def nearest(self, text: str) -> str:
        """Return what was probably meant: the choices nearest to the words typed, or an example."""
        import difflib

        words = text.strip('"').split(",") if self.toml is list else [text.strip('"')]
        near = (difflib.get_close_matches(word, self.choices, n=1) for word in words)
        return ",".join(found[0] for found in near if found) or self.example

    def requirement(self, error: Exception, text: str) -> str:
        """Return the part of a sentence that says what a refused text must be, and what it is."""
        if isinstance(error, OutOfRangeError):
            return f"must be {error}, got {text.strip()}"
        return f"must be {self.expects}, got {show(text)}"


def either(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: `a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def choice(words: type[StrEnum] | Sequence[str], example: str = "") -> Kind:
    """Return the kind of one of several words."""
    allowed = tuple(str(word) for word in words)

    def read(text: str) -> Any:
        if text not in allowed:
            raise ValueError(text)
        return words(text) if isinstance(words, type) else text

    return Kind(expects=either(allowed), example=example or allowed[0], read=read, choices=allowed)


def whole(least: int, example: int, *, none_at_zero: str = "") -> Kind:
    """Return the kind of whole numbers from `least` on.

    Args:
        least: The smallest number allowed.
        example: One of them.
        none_at_zero: What 0 stands for, where it is more than a number.
    """

    def read(text: str) -> int:
        if not text.strip().isascii() or "_" in text:
            raise ValueError(text)
        if (value := int(text)) < least:
            raise OutOfRangeError(f"at least {least}")
        return value

    special = f", or 0 for {none_at_zero}" if none_at_zero else ""
    expects = "a whole number" + (special or f" of {least} or more")
    return Kind(expects=expects, example=str(example), read=read, toml=int)


def number(least: float, most: float, example: str, *, without_least: bool = False) -> Kind:
    """Return the kind of finite numbers from `least` to `most`, with or without `least` itself."""
    allowed = f"between {least:g} and {most:g}"
    if without_least:
        end = "" if most == math.inf else f" and at most {most:g}"
        allowed = f"greater than {least:g}{end}"

    def read(text: str) -> float:
        value = float(text)
        if math.isnan(value) or math.isinf(value) or "_" in text:
            raise ValueError(text)
        if not least <= value <= most or (without_least and value == least):
            raise OutOfRangeError(allowed)
        return value

    return Kind(expects=f"a number {allowed}", example=example, read=read, write=repr, toml=float)


def multiple_pair(step: int, example: str) -> Kind:
    """Return the kind of a height and a width, both multiples of `step`: `256x320`."""
    expects = f"a height and a width, both multiples of {step}, such as {example}"

    def read(text: str) -> tuple[int, int]:
        height, width = (int(edge) for edge in text.lower().split("x"))
        if min(height, width) <= 0 or height % step or width % step:
            raise ValueError(text)
        return height, width

    def write(edges: Sequence[int]) -> str:
        return "x".join(map(str, edges))

    return Kind(expects=expects, example=example, read=read, write=write)


def word(example: str) -> Kind:
    """Return the kind of names and addresses, with one of those that are meant."""
    return Kind(expects="a name or an address, without spaces", example=example, read=_word)


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE + _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError(text)
    return Path(text).expanduser()


def _word(text: str) -> str:
    if not text or not text.isprintable() or " " in text:
        raise ValueError(text)
    return text


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError(text)
    return text


def _text(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


TRUTH: Final = Kind(expects="true or false", example="true", read=_truth, toml=bool)
DURATION: Final = Kind(
    expects="a duration, such as 90s, 10m or 1h",
    example="10m",
    read=units.seconds,
    write=repr,
    toml=float,
)
FOLDER: Final = Kind(expects="a folder", example="~/folder", read=_path, is_path=True)
FILE: Final = Kind(expects="a file", example="~/file", read=_path, is_path=True)
PATH: Final = Kind(expects="a path", example="~/file", read=_path, is_path=True)
EXISTING: Final = Kind(
    expects="a path", example="~/file", read=_path, is_path=True, must_exist=True
)
DIGEST: Final = Kind(
    expects="a digest: sha256: and 64 hex digits", example=f"sha256:{'0' * 64}", read=_digest
)
TEXT: Final = Kind(expects="some text", example="anything", read=_text)
