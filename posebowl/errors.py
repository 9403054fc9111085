"""Verdicts and errors: how a run can end, and everything that this project raises on purpose."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final


class Verdict(StrEnum):
    """How a run ended."""

    OK = "OK"
    BAD_ARCHIVE = "BAD_ARCHIVE"
    TIME_LIMIT = "TIME_LIMIT"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    RUNTIME_ERROR = "RUNTIME_ERROR"
    SIGNALED = "SIGNALED"
    BAD_OUTPUT = "BAD_OUTPUT"
    INVALID_PREDICTIONS = "INVALID_PREDICTIONS"
    ENGINE_ERROR = "ENGINE_ERROR"
    BUSY = "BUSY"
    LIMIT_UNENFORCED = "LIMIT_UNENFORCED"
    BAD_DATA = "BAD_DATA"
    INTERRUPTED = "INTERRUPTED"

    @property
    def exit_code(self) -> int:
        """Exit code of `invoke run`: 1, 2 and 125 to 129 stay free for the tools around it."""
        return EXIT_CODES[self]

    @property
    def is_infrastructure_failure(self) -> bool:
        """Whether the machine, the engine, the data or the user ended it, not the submission."""
        return self in INFRASTRUCTURE_FAILURES


EXIT_CODES: Final = {
    Verdict.OK: 0,
    Verdict.BAD_ARCHIVE: 10,
    Verdict.TIME_LIMIT: 11,
    Verdict.MEMORY_LIMIT: 12,
    Verdict.OUTPUT_LIMIT: 13,
    Verdict.RUNTIME_ERROR: 14,
    Verdict.SIGNALED: 15,
    Verdict.BAD_OUTPUT: 16,
    Verdict.INVALID_PREDICTIONS: 17,
    Verdict.ENGINE_ERROR: 20,
    Verdict.BUSY: 21,
    Verdict.LIMIT_UNENFORCED: 22,
    Verdict.BAD_DATA: 23,
    Verdict.INTERRUPTED: 130,
}

INFRASTRUCTURE_FAILURES: Final = (
    Verdict.ENGINE_ERROR,
    Verdict.BUSY,
    Verdict.LIMIT_UNENFORCED,
    Verdict.BAD_DATA,
    Verdict.INTERRUPTED,
)
"""Verdicts that say nothing about the submission, in their order of precedence."""


class PoseBowlError(Exception):
    """Something a person can put right: what is wrong, why, and what to type next.

    Args:
        what: One sentence: what is wrong, and where.
        why: One sentence: the reason, where it is not plain from `what`.
        fix: What to do or type next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.fix) if part)


class UsageError(PoseBowlError):
    """A wrong argument: nothing was done."""

    exit_code = 2


class OverBudgetError(PoseBowlError):
    """A run passed, but not within the budget that the user set for it."""

    exit_code = 30


class VerdictError(PoseBowlError):
    """An error that is at the same time the verdict of a run."""

    verdict: ClassVar[Verdict]

    def __init_subclass__(cls) -> None:
        cls.exit_code = cls.verdict.exit_code


class BadArchiveError(VerdictError):
    """submission.zip is not acceptable."""

    verdict = Verdict.BAD_ARCHIVE


class BadOutputError(VerdictError):
    """submission.csv is missing, not a regular file, or too large."""

    verdict = Verdict.BAD_OUTPUT


class InvalidPredictionsError(VerdictError):
    """The content of submission.csv breaks the format."""

    verdict = Verdict.INVALID_PREDICTIONS


class EngineError(VerdictError):
    """The engine or this tool failed, not the submission: the only one worth a retry."""

    verdict = Verdict.ENGINE_ERROR


class BusyError(VerdictError):
    """Another run holds the submission folder."""

    verdict = Verdict.BUSY


class LimitUnenforcedError(VerdictError):
    """A required limit does not hold on this engine."""

    verdict = Verdict.LIMIT_UNENFORCED


class BadDataError(VerdictError):
    """The data folder or the labels are broken."""

    verdict = Verdict.BAD_DATA


class StoppedError(VerdictError):
    """The user, or the system, ended the command."""

    verdict = Verdict.INTERRUPTED
