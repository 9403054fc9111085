"""Durations and sizes as people type them: 90, 90s, 10m, 1.5h; 512m, 4GiB."""

from __future__ import annotations

import math
import re
from typing import Final

from posebowl.errors import UsageError
from posebowl.util.text import shorten

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


def duration(seconds: float) -> str:
    """Give a time span in the two units that matter: `0.42 s`, `12 min 5 s`, `1 h 45 min`."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    return f"{whole} s"


def quantity(value: float, unit: str) -> str:
    """Give a measured value with its unit: seconds as a time span, bytes as MiB or GiB."""
    if not math.isfinite(value):
        return "unknown"
    match unit:
        case "s":
            return duration(value)
        case "bytes":
            return human_bytes(value)
        case "cores":
            return f"{value:.2g} cores" if value < 1 else f"{value:.1f} cores".replace(".0 ", " ")
        case _:
            return f"{value:,.4g} {shorten(unit, 20)}"


def human_bytes(count: float) -> str:
    """Give a size in the largest binary unit that leaves one digit before the point."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(abs(count), 1) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
