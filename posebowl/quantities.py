"""Durations and sizes as people type them: 90, 90s, 10m, 1.5h; 512m, 4GiB."""

from __future__ import annotations

import re
from typing import Final

from posebowl.errors import UsageError

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
_BYTES: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_LARGEST: Final = 1e15
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*")


def seconds(text: str) -> float:
    """Read a duration, in seconds.

    Raises:
        UsageError: It is none, or zero.
    """
    number, unit = _split(text, "duration", "90s, 10m or 1h")
    if unit not in _SECONDS:
        raise UsageError(f"{text!r} is no duration.", fix="Write it as 90s, 10m or 1h.")
    return number * _SECONDS[unit]


def size(text: str) -> int:
    """Read a size, in bytes; k, m, g and t are powers of 1024, as container engines read them.

    Raises:
        UsageError: It is none, or zero.
    """
    number, unit = _split(text, "size", "512m or 4g")
    unit = re.sub(r"(?<=[kmgt])i?b$", "", unit)
    if unit not in _BYTES or not 1 <= number * _BYTES[unit] < 1 << 60:
        raise UsageError(f"{text!r} is no size.", fix="Write it as 512m or 4g.")
    return int(number * _BYTES[unit])


def _split(text: str, what: str, example: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None or not 0 < float(match[1]) < _LARGEST:
        raise UsageError(f"{text!r} is no {what}.", fix=f"Write it as {example}.")
    return float(match[1]), match[2].lower()


def clock(duration_s: float) -> str:
    """Write a duration as people read it: 0.4 s, 12 s, 3:05, 1:45:00."""
    if round(duration_s, 1) < 10:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
