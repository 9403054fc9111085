"""Untrusted text, made fit for a page: the entries of a result, and the end of a log."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from posebowl.results import SUSPECT, Failure, first_error, searched
from posebowl.util.files import open_regular
from posebowl.util.text import redrawn, shorten

_LOG_BYTES: Final = 48 << 10
_LOG_LINES: Final = 200
_LONGEST_LINE: Final = 1000


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


_NONE: Final = Failure()


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
    failure: Failure = _NONE
    """The first error of the whole log; empty if there is none."""


def read_log(path: Path, *, failed: bool) -> LogExcerpt:
    """Read the end of a log; a missing log is taken for an empty one.

    Args:
        path: The log of a run.
        failed: Also look for signs of an error, which only mean something after a failed run.
    """
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            data = searched(file)
    except (OSError, ValueError):
        return LogExcerpt()
    tail = data[-_LOG_BYTES:].decode(errors="backslashreplace").rstrip()
    lines = [redrawn(line) for line in tail.split("\n")[-_LOG_LINES:]] if tail else []
    shown = (shorten(line, _LONGEST_LINE) for line in lines)
    return LogExcerpt(
        lines=tuple(
            LogLine(
                text=line, suspect=failed and bool(SUSPECT.search(line.encode(errors="replace")))
            )
            for line in shown
        ),
        total_bytes=size,
        cut=size > _LOG_BYTES or tail.count("\n") >= _LOG_LINES,
        failure=first_error(data) if failed else _NONE,
    )
