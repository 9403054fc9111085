"""The folder of the results: held by one run at a time, and cleared of nothing but results."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from posebowl.challenge import PREDICTIONS_FILE
from posebowl.errors import BusyError, UsageError
from posebowl.util.files import remove_tree
from posebowl.util.lock import held_alone

LOG_FILE: Final = "log.txt"
RESULT_FILE: Final = "result.json"
REPORT_FILE: Final = "report.html"
RESULT_FILES: Final = (PREDICTIONS_FILE, LOG_FILE, RESULT_FILE, REPORT_FILE)
SCRATCH_PREFIX: Final = ".run-"
RUN_ID: Final = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_TIME: Final = "%Y%m%d-%H%M%S"
_SCRATCH: Final = re.compile(rf"{re.escape(SCRATCH_PREFIX)}{RUN_ID.pattern}")
HISTORY_DIR: Final = "history"
LOCK_FILE: Final = ".lock"


@contextlib.contextmanager
def held(out: Path, *, leave: bool = True) -> Iterator[None]:
    """Hold the folder of the results; the kernel releases it should this process die.

    Args:
        out: The folder, made if need be.
        leave: Leave the lock file, by which a folder of results is known; False removes one that
            did not exist before.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = out / LOCK_FILE
    leave = leave or lock.exists()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held_alone(lock))
        except BlockingIOError:
            raise BusyError(
                f"Another run is using {out}.",
                why="Two runs in one folder would overwrite each other's results.",
                fix="Wait for it to end, or choose another folder with --out.",
            ) from None
        try:
            yield
        finally:
            if not leave:
                lock.unlink(missing_ok=True)


def new_run_id(out: Path, now: datetime) -> str:
    """Return an id that sorts after those in the history, even if the clock was set back.

    Args:
        out: The results folder.
        now: UTC.
    """
    time, place = now.strftime(_TIME), out / HISTORY_DIR
    names = os.listdir(place) if place.is_dir() else []  # noqa: PTH208  # names alone
    last = max((name for name in names if RUN_ID.fullmatch(name)), default="").rpartition("-")[0]
    if last > time:
        with contextlib.suppress(ValueError, OverflowError):  # a user's folder of such a name
            time = (datetime.strptime(last, _TIME) + timedelta(seconds=1)).strftime(_TIME)  # noqa: DTZ007
    return f"{time}-{secrets.token_hex(3)}"


def is_of_results(folder: Path) -> bool:
    """Return whether a run used this folder for its results: it left its lock file there."""
    return (folder / LOCK_FILE).is_file()


def is_scratch(path: Path) -> bool:
    """Return whether this is the scratch folder of a run, by its name."""
    return bool(_SCRATCH.fullmatch(path.name))


def check_replaceable(out: Path) -> None:
    """Check that a run would replace nothing but the results of runs.

    Raises:
        UsageError: It is not a folder, or holds such a file though no run used it before.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(
            f"{out} is not a folder.",
            why="A run writes several files.",
            fix="Choose a folder for the results with --out.",
        )
    taken = [name for name in RESULT_FILES if os.path.lexists(out / name)]
    if taken and not is_of_results(out):
        raise UsageError(
            f"{out} holds {' and '.join(taken)}, which no run put there.",
            why="A run would overwrite it.",
            fix="Move it away, or choose another folder with --out.",
        )


def clear(out: Path) -> None:
    """Remove the results of earlier runs and the remains of killed ones, and nothing else."""
    for name in RESULT_FILES:
        (out / name).unlink(missing_ok=True)
    for left in filter(is_scratch, out.iterdir()):
        remove_tree(left)
