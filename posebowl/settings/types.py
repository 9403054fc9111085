"""Kinds of values that a setting may have: how each is written, and read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from posebowl.challenge import MIB, EngineName, Limit, Variant
from posebowl.errors import UsageError
from posebowl.util import units

_REGISTRY: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d+)?(/[a-z0-9._/-]+)?")
_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")
AUTO: Final = "auto"
LEAST_MEMORY: Final = 16 * MIB
"""With less, engines cannot even start main.sh."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way to write a value."""

    expects: str
    """What it is, for a sentence that starts with `It takes`."""
    example: str
    read: Callable[[str], Any]
    """Raises ValueError, or UsageError, for what is none."""
    toml: type = str
    """What a table must hold; a string may stand for a duration or size, beside a number."""
    choices: tuple[str, ...] = ()
    is_path: bool = False

    def text(self, value: object) -> str | None:
        """Return a value of a table as it would be typed, or None if its type is wrong."""
        if self.toml is list:
            words = value if isinstance(value, list) else None
            is_text = words is not None and all(isinstance(word, str) for word in words)
            return ",".join(words) if words is not None and is_text else None
        if type(value) is bool:
            return str(value).lower() if self.toml is bool else None
        if type(value) is int and self.toml in {int, float}:
            return str(value)
        return value if isinstance(value, str) and self.toml in {str, float} else None

    def literal(self, text: str) -> str:
        """Write a value as a table holds it."""
        if self.toml is list:
            return json.dumps(text.split(","))
        return text if self.toml in {int, bool} else json.dumps(text, ensure_ascii=False)


def choice(kind: type[StrEnum]) -> Kind:
    """Make the kind of one of several words."""
    return Kind(
        expects=f"one of: {', '.join(kind)}",
        example=next(iter(kind)).value,
        read=kind,
        choices=tuple(kind),
    )


def _engine(text: str) -> EngineName | None:
    return None if text == AUTO else EngineName(text)


def _limits(text: str) -> frozenset[Limit]:
    return frozenset(Limit(name.strip()) for name in text.split(",") if name.strip())


def _whole(text: str) -> int:
    number = int(text) if text.strip().isascii() else 0
    if number < 1:
        raise ValueError(text)
    return number


def _memory(text: str) -> int:
    size = units.size(text)
    if size < LEAST_MEMORY:
        raise ValueError(text)
    return size


def _count(text: str) -> int:
    return 0 if text.strip() == "0" else _whole(text)


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE + _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _path(text: str) -> Path:
    if "\0" in text:
        raise ValueError(text)
    return Path(text).expanduser()


def _registry(text: str) -> str:
    chosen = text.strip().rstrip("/")
    if not _REGISTRY.fullmatch(chosen):
        raise ValueError(text)
    return chosen


def _word(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise ValueError(text)
    return text


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


VARIANT: Final = choice(Variant)
ENGINE: Final = Kind(
    expects=f"one of: {_listed([AUTO, *EngineName])}",
    example="docker",
    read=_engine,
    choices=(AUTO, *EngineName),
)
LIMITS: Final = Kind(
    expects=f"limits, separated by commas, of: {_listed(Limit)}",
    example="memory,cpus",
    read=_limits,
    toml=list,
    choices=tuple(Limit),
)
WHOLE: Final = Kind(expects="a whole number of 1 or more", example="3", read=_whole, toml=int)
COUNT: Final = Kind(expects="a whole number, or 0 for none", example="20", read=_count, toml=int)
TRUTH: Final = Kind(expects="true or false", example="true", read=_truth, toml=bool)
DURATION: Final = Kind(
    expects="a duration, such as 90s, 10m or 1h",
    example="10m",
    read=units.seconds,
    toml=float,
)
MEMORY: Final = Kind(
    expects="a size of 16m or more, such as 512m or 4g", example="4g", read=_memory, toml=float
)
FOLDER: Final = Kind(expects="a folder", example="~/posebowl", read=_path, is_path=True)
FILE: Final = Kind(expects="a file", example="~/ca.pem", read=_path, is_path=True)
REGISTRY: Final = Kind(
    expects="a host, with a port and a path if need be, and no https:// in front",
    example="registry.example:5000/team",
    read=_registry,
)
WORD: Final = Kind(expects="a name or an address, without spaces", example="debian:12", read=_word)

REFUSALS: Final = (ValueError, UsageError)
"""What `Kind.read` raises."""
