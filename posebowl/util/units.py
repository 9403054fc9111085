"""Durations and sizes as people type them (90, 90s, 10m, 1.5h; 512m, 4GiB) and read them."""

from __future__ import annotations

import math
import re
from typing import Final

from posebowl.errors import UsageError
from posebowl.util.text import shorten

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
_BYTES: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_LARGEST: Final = 1e15
_SHORTEST_S: Final = 0.1
"""Processor time is counted in ticks of 10 ms, so over less than this a rate says nothing."""
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*")


def seconds(text: str) -> float:
    """Read a duration, in seconds.

    Raises:
        UsageError: It is not one, or zero.
    """
    number, unit = _split(text, "duration", "90s, 10m or 1h")
    if unit not in _SECONDS:
        raise UsageError(f"{text!r} is not a duration.", fix="Write it as 90s, 10m or 1h.")
    return number * _SECONDS[unit]


def size(text: str) -> int:
    """Read a size, in bytes; k, m, g and t are powers of 1024, as container engines read them.

    Raises:
        UsageError: It is not one, or zero.
    """
    number, unit = _split(text, "size", "512m or 4g")
    unit = re.sub(r"(?<=[kmgt])i?b$", "", unit)
    if unit not in _BYTES or not 1 <= number * _BYTES[unit] < 1 << 60:
        raise UsageError(f"{text!r} is not a size.", fix="Write it as 512m or 4g.")
    return int(number * _BYTES[unit])


def _split(text: str, what: str, example: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None or not 0 < float(match[1]) < _LARGEST:
        raise UsageError(f"{text!r} is not a {what}.", fix=f"Write it as {example}.")
    return float(match[1]), match[2].lower()


def duration(seconds: float) -> str:
    """Return a time span as people read it: 0.42 s, 3.0 s, 12 min 5 s, 1 h 45 min."""
    if not math.isfinite(seconds):
        return "unknown"
    if round(seconds, 1) < 10:
        return f"{round(seconds, 3):.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    parts = zip((*divmod(minutes, 60), rest), ("h", "min", "s"), strict=True)
    return " ".join(f"{count:,} {unit}" for count, unit in parts if count)


def quantity(value: float, unit: str) -> str:
    """Return a measured value with its unit: seconds as a time span, bytes as MiB or GiB."""
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
    """Return a size in the largest binary unit that leaves one digit before the point."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(abs(count), 1) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def rate(amount: float, duration_s: float) -> float | None:
    """Return an amount per second; None where the time is too short for a rate."""
    return amount / duration_s if duration_s >= _SHORTEST_S else None
