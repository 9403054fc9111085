"""Untrusted text, made fit for a page: the entries of a result, and the end of a log."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from posebowl.util.files import open_regular
from posebowl.util.text import shorten

_LOG_BYTES: Final = 48 << 10
_LOG_LINES: Final = 200
_LONGEST_LINE: Final = 1000
_SEARCHED: Final = 16 << 20
_TRACEBACK: Final = re.compile(rb"^Traceback \(most recent call last\):", re.MULTILINE)
_EXCEPTION: Final = re.compile(rb"^[A-Za-z_][\w.]{0,200}(?::|$)", re.MULTILINE)
_SUSPECT: Final = re.compile(
    rb"error|exception|traceback|not found|no such file|permission denied|killed"
    rb"|segmentation fault|cannot |unable to|out of memory",
    re.IGNORECASE,
)


def get(table: Mapping[str, Any], key: str, limit: int = 300) -> str:
    """Return an entry of a table as text; empty without one."""
    value = table.get(key)
    return "" if value is None else shorten(value, limit)


def signal_name(number: int) -> str:
    """Return the name of a signal, such as `SIGSEGV`, or its number if it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of the log."""

    text: str
    suspect: bool
    """Whether it mentions an error."""


@dataclass(frozen=True, kw_only=True)
class LogExcerpt:
    """What a page shows of a log."""

    lines: tuple[LogLine, ...] = ()
    """The last ones."""
    total_bytes: int = 0
    cut: bool = False
    """Whether there is more before the first line."""
    first_error: str = ""
    """The first line of the whole log that reports an error; empty if none does."""


def read_log(path: Path, *, failed: bool) -> LogExcerpt:
    """Read the end of a log; a missing log is taken for an empty one.

    Args:
        path: The log of a run.
        failed: Also look for signs of an error, which only mean something after a failed run.
    """
    try:
        with open_regular(path) as file:
            data = file.read(_SEARCHED)
    except (OSError, ValueError):
        return LogExcerpt()
    tail = data[-_LOG_BYTES:].decode(errors="backslashreplace").rstrip()
    lines = re.split(r"\r\n|\n|\r", tail)[-_LOG_LINES:] if tail else []
    shown = (shorten(line, _LONGEST_LINE) for line in lines)
    return LogExcerpt(
        lines=tuple(
            LogLine(
                text=line, suspect=failed and bool(_SUSPECT.search(line.encode(errors="replace")))
            )
            for line in shown
        ),
        total_bytes=len(data),
        cut=len(data) > _LOG_BYTES or tail.count("\n") >= _LOG_LINES,
        first_error=_first_error(data) if failed else "",
    )


def _first_error(data: bytes) -> str:
    """Return the exception of the first traceback, or else the first line that reports an error."""
    start = _TRACEBACK.search(data)
    found = _EXCEPTION.search(data, start.end()) if start else _SUSPECT.search(data)
    found = found or start
    if not found:
        return ""
    at = found.start()
    begin = max(data.rfind(b"\n", 0, at) + 1, at - 200)
    end = data.find(b"\n", at)
    line = data[begin : min(end if end >= 0 else len(data), at + 400)]
    return shorten(line.decode(errors="backslashreplace").strip(), 400)
