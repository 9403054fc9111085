"""From what the engine saw, or what failed, to a verdict by the documented precedence."""

from __future__ import annotations

import logging
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.challenge import Limits
from posebowl.engines import Outcome, Stop
from posebowl.environments import too_new
from posebowl.errors import PoseBowlError, Verdict, VerdictError
from posebowl.results import LOG_FILE
from posebowl.util import os_errors
from posebowl.util.text import counted, shorten
from posebowl.util.units import duration, human_bytes

_NO_MODULE: Final = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_TOO_LARGE: Final = "File too large"
"""EFBIG in words, for programs that ignore SIGXFSZ, such as Python."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict in words."""

    verdict: Verdict
    message: str
    fix: str = ""
    signal: int | None = None
    warnings: tuple[str, ...] = ()


PASSED: Final = Judgement(
    verdict=Verdict.OK, message="main.sh ran within its limits and wrote valid predictions."
)


def judge(
    outcome: Outcome, limits: Limits, log_tail: str = "", *, log: Path = Path(LOG_FILE)
) -> Judgement:
    """Judge an execution, before its predictions are read; OK means: go on.

    TIME_LIMIT takes precedence over OUTPUT_LIMIT, MEMORY_LIMIT, and SIGNALED or RUNTIME_ERROR.

    Args:
        outcome: What the engine saw.
        limits: What the run was allowed.
        log_tail: The end of the log, for a hint about what to do; it decides nothing.
        log: How advice names the log.
    """
    verdict = outcome.verdict(limits)
    if verdict is Verdict.OK:
        return Judgement(verdict=verdict, message="", warnings=_warnings(outcome))
    if verdict in {Verdict.SIGNALED, Verdict.RUNTIME_ERROR} and outcome.exit_code is not None:
        return _judge_exit_code(outcome.exit_code, outcome.signal, limits, log_tail, log)
    return _judge_limit(verdict, outcome, limits)


def _judge_limit(verdict: Verdict, outcome: Outcome, limits: Limits) -> Judgement:
    """Judge a run that has no exit code, or whose exit code does not count."""
    wrote = f"wrote more than {human_bytes(limits.output_bytes)} to disk"
    if outcome.stopped_by is Stop.FILES:
        wrote = f"left more than {limits.output_files:,} files and folders on disk"
    elif outcome.stopped_by is Stop.UNSEEN:
        wrote = "left folders on disk that cannot be measured: too deep, or moved all the time"
    elif outcome.stopped_by is None and outcome.output_bytes <= limits.output_bytes:
        wrote = f"tried to make a file larger than {human_bytes(limits.file_bytes)}"
    message, fix = {
        Verdict.TIME_LIMIT: (
            f"main.sh was stopped after {duration(limits.wall_time_s)}, its time limit.",
            "Make it faster; the report shows how many images a second it reached.",
        ),
        Verdict.OUTPUT_LIMIT: (
            f"main.sh {wrote}.",
            "Write less, and delete what is no longer needed while it runs.",
        ),
        Verdict.MEMORY_LIMIT: (
            f"main.sh used more than {human_bytes(limits.memory_bytes)} of memory.",
            "Hold fewer images or batches at once, or use fewer worker processes.",
        ),
        Verdict.ENGINE_ERROR: (
            "The engine lost track of the run: main.sh has no exit code.",
            "Run it again.",
        ),
    }[verdict]
    return Judgement(verdict=verdict, message=message, fix=fix)


def _judge_exit_code(
    code: int, number: int | None, limits: Limits, log_tail: str, log: Path
) -> Judgement:
    if number == signal.SIGILL:
        return Judgement(
            verdict=Verdict.SIGNALED,
            message="main.sh died of signal 4 (SIGILL): the processor lacks an instruction that a "
            "package needs.",
            fix=_newer_processor(log),
            signal=number,
        )
    if number is not None:
        return Judgement(
            verdict=Verdict.SIGNALED,
            message=f"main.sh died of signal {number} ({_signal_name(number)}).",
            fix=f"The end of the log, {log}, shows what it did last.",
            signal=number,
        )
    if missing := _NO_MODULE.findall(log_tail):
        name = missing[-1].partition(".")[0]
        fix = (
            f"Python found no module {name}: if it is one of yours, pack it; otherwise type "
            f"`uv add` with its package and `nox -s build`, and ask for it on the platform."
        )
    elif _TOO_LARGE in log_tail:
        fix = (
            f'The log says "{_TOO_LARGE}": no file may be larger than '
            f"{human_bytes(limits.file_bytes)}, even if most of it is empty."
        )
    else:
        fix = f"The end of the log, {log}, says why."
    message = f"main.sh ended with exit code {code}."
    return Judgement(verdict=Verdict.RUNTIME_ERROR, message=message, fix=fix)


def _newer_processor(log: Path) -> str:
    """Return what to do about an instruction that the processor lacks."""
    if not (lacking := too_new()):
        return f"Run it on a newer processor; the end of the log, {log}, shows what it did last."
    which = " and ".join(f"{name} ({instructions})" for name, instructions in lacking.items())
    return f"This machine's is too old for {which}: do without, or run it on a newer one."


def _warnings(outcome: Outcome) -> tuple[str, ...]:
    if outcome.oom_kills == 0:
        return ()
    text = (
        f"{counted(outcome.oom_kills, 'process', 'processes')} of the run ran out of memory and "
        "died, though main.sh succeeded: results may be missing."
    )
    return (text,)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "real-time signal"


def judge_failure(error: BaseException, place: Path) -> Judgement:
    """Judge a run that was ended by something other than main.sh.

    Args:
        error: What ended it; if it is a bug of this tool, `invoke --debug` shows its traceback.
        place: Where the results go, for errors of the system that name no file.
    """
    verdict = error.verdict if isinstance(error, VerdictError) else Verdict.ENGINE_ERROR
    match error:
        case PoseBowlError():
            message, fix = f"{error.what} {error.why}".strip(), error.fix
        case KeyboardInterrupt():
            verdict = Verdict.INTERRUPTED
            message, fix = "The run was interrupted; none of its processes is left.", ""
        case OSError():
            where = f" ({error.filename})" if error.filename else ""
            why, fix = os_errors.explain(error, place)
            what = f"This machine failed the run: {error.strerror or error}{where}."
            message = f"{what} {why}".strip()
        case _:
            logging.getLogger(__name__).debug("The run failed.", exc_info=error)
            message = f"This tool failed the run: {shorten(f'{type(error).__name__}: {error}')}."
            fix = "Report it, with what `invoke --debug run` prints."
    return Judgement(verdict=verdict, message=message, fix=fix)
