"""Why main.sh failed, by its log: the first error, and the line of the solution behind it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from posebowl.challenge import CODE_EXECUTION
from posebowl.util.files import open_regular
from posebowl.util.text import shorten

_SEARCHED_BYTES: Final = 16 << 20
"""How much of a log is searched at most: escapes make one longer than what is kept of it."""

_HOME: Final = f"{CODE_EXECUTION}/workdir/"
_TRACEBACK: Final = re.compile(rb"Traceback \(most recent call last\):")
_EXCEPTION: Final = re.compile(rb"^[A-Za-z_][\w.]{0,200}(?::|$)", re.MULTILINE)
_FRAME: Final = re.compile(
    rb'^ {1,8}File "([^"\n]{1,1000})", line (\d{1,9})(?:, in ([^\n]{1,200}))?\n(?: {4,}([^\n]*))?',
    re.MULTILINE,
)
SUSPECT: Final = re.compile(
    rb"error|exception|traceback|not found|no such file|permission denied|killed"
    rb"|segmentation fault|cannot |unable to|out of memory",
    re.IGNORECASE,
)
"""What lines say that report an error."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The first error in a log; all of it is what the submission printed."""

    error: str = ""
    """The exception of the first traceback, or the first line that reports an error."""
    file: str = ""
    """The file of the solution that is innermost in that traceback, as the zip has it."""
    line: int | None = None
    function: str = ""
    source: str = ""
    """The text of that line."""

    @property
    def place(self) -> str:
        """Return where it failed, such as `main.py line 12, in predict: boxes = model(photo)`."""
        if self.line is None:
            return ""
        inside = f", in {self.function}" if self.function else ""
        return f"{self.file} line {self.line}{inside}" + (f": {self.source}" if self.source else "")


def of_log(path: Path) -> Failure:
    """Return the first error in a log; a missing log is taken for an empty one."""
    try:
        with open_regular(path) as file:
            return first_error(searched(file))
    except (OSError, ValueError):
        return Failure()


def searched(log: IO[bytes]) -> bytes:
    """Read a log, or its head and its tail where it is long."""
    size = log.seek(0, os.SEEK_END)
    log.seek(0)
    if size <= _SEARCHED_BYTES:
        return log.read(_SEARCHED_BYTES)
    head = log.read(_SEARCHED_BYTES // 2)
    log.seek(size - _SEARCHED_BYTES // 2)
    return head + b"\n" + log.read(_SEARCHED_BYTES // 2)


def first_error(log: bytes) -> Failure:
    """Return the first error in a log."""
    start = _TRACEBACK.search(log)
    found = _EXCEPTION.search(log, start.end()) if start else SUSPECT.search(log)
    found = found or start
    if not found:
        return Failure()
    at = found.start()
    begin = max(log.rfind(b"\n", 0, at) + 1, log.rfind(b"\r", 0, at) + 1, at - 200)
    end = log.find(b"\n", at)
    error = _text(log[begin : min(end if end >= 0 else len(log), at + 400)])
    frames = _FRAME.finditer(log, start.end(), at) if start else ()
    own = [frame for frame in frames if _is_own(frame[1])]
    if not own:
        return Failure(error=error)
    file, line, function, source = own[-1].groups()
    return Failure(
        error=error,
        file=_text(file).removeprefix(_HOME),
        line=int(line),
        function=_text(function or b""),
        source=_text(source or b""),
    )


def _is_own(file: bytes) -> bool:
    """Check whether a file came with the submission: packages and `<string>` did not."""
    inside = file.startswith(_HOME.encode()) or not file.startswith((b"/", b"<"))
    return inside and b"/site-packages/" not in file


def _text(data: bytes) -> str:
    return shorten(data.decode(errors="backslashreplace").strip(), 400)
