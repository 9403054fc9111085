"""What turns a function into an invoke task: errors in words, exit codes, numbers as flags."""

from __future__ import annotations

import functools
import gc
import inspect
import itertools
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import invoke

from posebowl.cli import arguments
from posebowl.errors import PoseBowlError, StoppedError
from posebowl.util import os_errors

_LOOK_FOR_GARBAGE_AFTER: Final = 100_000
"""New objects: loading libraries makes many and throws none away, and a tenth of its time would
go into looking."""

JSON: Final = "print the result as JSON on stdout"


def command(**options: Any) -> Callable[[Callable[..., int | None]], Any]:
    """Make a function an invoke task that shows errors in words and ends with their exit codes.

    A traceback shows only with `invoke --debug`. The function may return an exit code.

    Args:
        options: As for `invoke.task`: name, help, positional, iterable, ...
    """

    def decorate(function: Callable[..., int | None]) -> Any:
        return invoke.task(klass=arguments.Task, **options)(_guarded(function))

    return decorate


def _guarded(function: Callable[..., int | None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> None:
        _end_as_ctrl_c("SIGTERM", "SIGHUP")
        gc.set_threshold(_LOOK_FOR_GARBAGE_AFTER)
        from posebowl.util import console

        console.tolerate_odd_names()
        try:
            code = function(*args, **options)
        except BrokenPipeError:
            code = 1
        except (PoseBowlError, OSError) as error:
            if _debugging(sys.argv):
                raise
            shown = error if isinstance(error, PoseBowlError) else os_errors.as_error(error)
            console.show_error(shown, as_json=bool(options.get("json")))
            code = shown.exit_code
        except KeyboardInterrupt:
            stopped = StoppedError(
                "Interrupted.",
                why="Ctrl-C, or a signal to end; nothing is left half-written.",
                fix="Type the same command again.",
            )
            console.show_error(stopped, as_json=bool(options.get("json")))
            code = stopped.exit_code
        finally:
            # All that is left goes with the process: nobody needs to look through it.
            gc.freeze()
        if code:
            sys.exit(code)

    signature = inspect.signature(function)
    parameters = [
        item.replace(default=arguments.number(item.name, item.default))
        if type(item.default) is int
        else item
        for item in signature.parameters.values()
    ]
    # Invoke reads flags off the signature, and their types off the defaults.
    vars(wrapper)["__signature__"] = signature.replace(parameters=parameters)
    return wrapper


def _end_as_ctrl_c(*names: str) -> None:
    """Let a closed terminal or a stopped service end a run as Ctrl-C does: cleanly.

    A signal that is ignored already stays so: that is what nohup does.
    """
    for number in (getattr(signal, name, None) for name in names):
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _debugging(argv: Sequence[str]) -> bool:
    """Tell whether invoke was told to debug; behind a task's name, -d is a flag of the task."""
    own = itertools.takewhile(lambda word: word.startswith("-"), argv[1:])
    return "-d" in own or "--debug" in argv
