"""What people see: one console for results, one for everything else.

Results go to stdout, notes, progress and errors to stderr, so that `--json` can be piped.
Rich leaves out colours where there is no terminal or NO_COLOR is set. Untrusted text (names of
files, words of a submission) is neither markup nor emoji code, and cannot control the terminal.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any, Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from posebowl.errors import PoseBowlError
from posebowl.util.hints import typed
from posebowl.util.text import visible

_WIDE: Final = 1000
_STDOUT, _STDERR = 1, 2


def _width(stream: TextIO | None) -> int | None:
    """Return a width at which no table wraps in a file, because files are searched by line.

    None for a terminal: Rich asks it each time, as its window can change.
    """
    if os.environ.get("COLUMNS", "0") != "0":
        return None
    if stream is None or not stream.isatty():
        return _WIDE
    # Rich takes COLUMNS=0 at its word, and prints nothing.
    return shutil.get_terminal_size().columns if "COLUMNS" in os.environ else None


class _Results(Console):
    """A console whose failure is a sentence."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print what a command was asked for."""
        with results():
            super().print(*objects, **options)


@contextlib.contextmanager
def results() -> Iterator[None]:
    """Report that stdout cannot be written to, because it is a full disk, say.

    Raises:
        PoseBowlError: It cannot; nothing more is printed to it.
        BrokenPipeError: Its reader has gone.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        discard(sys.stdout)
        raise PoseBowlError(
            f"The result cannot be printed: {error.strerror or error}.",
            why="It goes to a place that takes no more; what the command did is done.",
            fix="Print it somewhere else.",
        ) from error


class _Notes(Console):
    """A console whose failure, on a full disk say, does not stop the work that it is about."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; what cannot be written is dropped, unless its reader has gone."""
        try:
            super().print(*objects, **options)
        except BrokenPipeError:
            raise
        except OSError:
            discard(sys.stderr)


@contextlib.contextmanager
def stdout_on_stderr() -> Iterator[None]:
    """Send to stderr what libraries print on stdout while the block runs, even from C++."""
    print(end="", flush=True)  # unlike sys.stdout.flush, also where it is closed
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        with contextlib.suppress(OSError):  # one of them is closed: nothing can be sent there
            kept = os.dup(_STDOUT)
            stack.callback(os.close, kept)
            os.dup2(_STDERR, _STDOUT)
            stack.callback(os.dup2, kept, _STDOUT)
        yield


def discard(stream: TextIO) -> None:
    """Drop what is still to be printed to a stream that cannot be written to."""
    with contextlib.suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


out = _Results(highlight=False, emoji=False, soft_wrap=True, width=_width(sys.stdout))
err = _Notes(stderr=True, highlight=False, emoji=False, soft_wrap=True, width=_width(sys.stderr))


def print_table(table: Table, to: Console) -> None:
    """Print a table; without a terminal, its lines do not end in spaces."""
    if to.is_terminal:
        to.print(table)
        return
    with to.capture() as caught:
        to.print(table)
    lines = "\n".join(line.rstrip() for line in caught.get().splitlines())
    to.print(lines, markup=False)


def tolerate_odd_names() -> None:
    r"""Make stdout and stderr write what their encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def plain(text: str, style: str = "") -> Text:
    """Return text that is shown as it is, on one line: control characters are escaped."""
    return lines(visible(text).replace("\n", "\\n"), style)


def lines(text: str, style: str = "") -> Text:
    """Return text that is shown as it is, where the ends of its lines are our own."""
    return Text(visible(text), style)


def note(text: str, to: Console | None = None) -> None:
    """Print on stderr what is being done."""
    (to or err).print(lines(typed(text), "dim"))


def warn(text: str, to: Console | None = None) -> None:
    """Print what the user should read though the command goes on."""
    (to or err).print(Text.assemble(("warning:", "yellow"), " ", lines(typed(text))))


def show_error(error: PoseBowlError, to: Console | None = None, *, as_json: bool = False) -> None:
    """Print an error in three parts: what, why, what to do; for programs also as JSON on stdout."""
    parts = {"what": error.what, "why": error.why, "fix": error.fix}
    parts = {name: typed(text) for name, text in parts.items()}
    if as_json:
        document = {"error": {**parts, "exit_code": error.exit_code}}
        out.print(json.dumps(document, indent=2), markup=False)
    screen = to or err
    screen.print(Text.assemble(("error:", "bold red"), " ", plain(parts["what"])))
    for name in ("why", "fix"):
        if parts[name]:
            screen.print(Text.assemble("  ", (f"{name}:", "bold"), " ", lines(parts[name])))
