"""How functions and modules end as programs: an error is a sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeVar

from posebowl.errors import PoseBowlError, StoppedError, UsageError
from posebowl.util import options as declarations
from posebowl.util.options import Option

_T = TypeVar("_T")


def run(main: Callable[[_T], int | None], options: Callable[..., _T], *, task: str) -> NoReturn:
    """Run a module as a program, and exit with its code.

    Args:
        main: What it does; it may return an exit code.
        options: The dataclass of its options.
        task: The task that offers the same options, for advice.
    """
    sys.exit(guard(lambda: main(read(options, sys.argv[1:], task=task))))


def read(options: Callable[..., _T], words: Sequence[str], *, task: str) -> _T:
    """Return the dataclass of options that a command line gives.

    Raises:
        UsageError: It cannot be read, or a value is not of its kind.
    """
    known = declarations.declared(options)
    given = vars(parser(known).parse_args(words))
    return declarations.call(options, declarations.read(known, given, task))


def guard(main: Callable[[], int | None], *, as_json: bool = False, debug: bool = False) -> int:
    """Return the exit code of a function; its errors become sentences.

    Args:
        main: What to do; it may return an exit code.
        as_json: Errors are printed as JSON on stdout too.
        debug: Errors are raised as they are.
    """
    from posebowl.util import console, native, os_errors

    native.settle_environment()
    native.refuse_old_processors()
    open_closed_streams()
    end_as_ctrl_c("SIGTERM", "SIGHUP")
    console.tolerate_odd_names()
    try:
        code = main() or 0
        with console.results():
            sys.stdout.flush()
    except BrokenPipeError:
        silence()
        return 1
    except (PoseBowlError, OSError) as error:
        if debug:
            raise
        shown = error if isinstance(error, PoseBowlError) else os_errors.as_error(error)
        console.show_error(shown, as_json=as_json)
        return shown.exit_code
    except KeyboardInterrupt:
        stopped = StoppedError(
            "Interrupted.",
            why="Ctrl-C, or a signal to end; nothing is left half-written.",
            fix="Type the same command again.",
        )
        console.show_error(stopped, as_json=as_json)
        return stopped.exit_code
    return code


def open_closed_streams() -> None:
    """Connect stdin, stdout and stderr, where closed, to nothing.

    Otherwise, a file that is opened later gets the number of one, and what is printed with it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def parser(options: Iterable[Option]) -> argparse.ArgumentParser:
    """Return what reads a command line of options; the texts are not checked yet.

    Its errors are `UsageError`.
    """
    made = _Parser(allow_abbrev=False)
    for option in options:
        if option.positional and not option.many:
            # A word or a flag; without a default, neither overwrites the other.
            absent = argparse.SUPPRESS
            made.add_argument(option.name, nargs="?", help=option.explained, default=absent)
            made.add_argument(option.flag, help=absent, default=absent)
        elif option.positional:
            made.add_argument(option.name, nargs="*", help=option.explained)
        elif option.is_switch:
            made.add_argument(option.flag, action="store_true", help=option.explained)
        else:
            action = "append" if option.many else "store"
            made.add_argument(option.flag, action=action, help=option.explained)
    return made


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are sentences."""

    def error(self, message: str) -> NoReturn:
        what = message.removeprefix("argument ").rstrip(".")
        fix = "The same command with --help lists the options."
        raise UsageError(f"{what[:1].upper()}{what[1:]}.", fix=fix)


def end_as_ctrl_c(*names: str) -> None:
    """Make a closed terminal or a stopped service end a program as Ctrl-C does: cleanly.

    A signal that is already ignored stays ignored: nohup relies on that.
    """
    for number in (getattr(signal, name, None) for name in names):
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def silence() -> None:
    """Discard what is still to be printed, because its reader, such as `head`, has gone."""
    from posebowl.util import console

    console.discard(sys.stdout)
