"""result.json: all that is known of a run, in one documented and versioned table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from posebowl.engines import Sample
from posebowl.errors import BadDataError, Verdict
from posebowl.results.failure import Failure
from posebowl.results.meters import Meter
from posebowl.results.reach import Reach, words
from posebowl.util.files import open_regular, write_text
from posebowl.util.text import counted, show
from posebowl.util.units import duration

_T = TypeVar("_T")

SCHEMA_VERSION: Final = 1
"""Raised when a field changes its meaning or is removed, but not for new fields."""

_LARGEST: Final = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When the run took place and how long it took."""

    started_at: str
    """UTC, ISO 8601."""
    start_s: float
    """From asking the engine to the start of main.sh."""
    wall_s: float
    """From the start of main.sh until its last process is dead."""
    images_per_second: float | None
    """Images of the data set by `wall_s`; None unless main.sh succeeded."""
    cpu_s: float | None = None
    """Processor time of all processes of the run."""
    cpu_s_per_image: float | None = None
    """`cpu_s` by the images of the data set; None unless main.sh succeeded."""


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """How good the predictions are, if there are labels."""

    mean_iou: float
    median_iou: float
    images: int


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """How long the platform would take for the submission; see posebowl.results.calibration."""

    seconds: float
    low: float
    high: float
    """The time is between `low` and `high` with 90 % confidence."""
    points: int
    """How many submissions it is judged by that ran here and on the platform."""

    @property
    def text(self) -> str:
        """Return it in words: `about 1 h 11 min there (56 min to 1 h 29 min), ...`."""
        about, low, high = (duration(_rounded(s)) for s in (self.seconds, self.low, self.high))
        return f"about {about} there ({low} to {high}), by {counted(self.points, 'submission')}"


def _rounded(seconds: float) -> float:
    """Return a time in whole minutes, if it has some: no forecast is better than that."""
    return round(seconds / 60) * 60 if seconds >= 600 else seconds


class Source(StrEnum):
    """How images are counted during a run."""

    READS = "reads"
    """Image files that the run has opened and closed, as the kernel saw it."""
    LOG = "log"
    """Lines such as 120/500 that main.sh printed."""
    NONE = ""


@dataclass(frozen=True, kw_only=True)
class BudgetLine:
    """One line of a budget, and how a run stands to it."""

    name: str
    kept: bool | None
    """None where it could not be checked."""
    text: str
    """A sentence."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run, as result.json holds it."""

    run_id: str
    verdict: Verdict
    message: str
    """One sentence: how the run ended."""
    fix: str
    """What to do or type next; empty if all is well."""
    engine: str
    variant: str
    archive: dict[str, Any]
    """path, sha256, bytes, entries, unpacked_bytes; where `pack` left a record: solution, note."""
    data: dict[str, Any]
    """root, images, labelled, demo; where only some images were chosen, of: how many there are."""
    timing: Timing | None = None
    exit_code: int | None = None
    """Of main.sh; None when it did not end by itself."""
    signal: int | None = None
    meters: dict[str, Meter] = field(default_factory=dict)
    """By name: see posebowl.results.meters.METERS."""
    oom_kills: int = 0
    score: ScoreSummary | None = None
    warnings: tuple[str, ...] = ()
    unenforced: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    images_from: str = ""
    """How the images of each sample were counted; see Source."""
    other_cores: float | None = None
    """Cores that other programs used while main.sh ran; None if unknown."""
    disturbance: dict[str, float] = field(default_factory=dict)
    """What else held the run back; see docs/result.md."""
    reach: Reach | None = None
    """How far main.sh got; None if it passed, or never started."""
    failure: Failure | None = None
    """The first error in the log; None if it passed, or never started."""
    on_platform: Forecast | None = None
    """How long the platform would take; None unless `invoke calibrate` was told a time."""
    budget: tuple[BudgetLine, ...] = ()
    """How it stands to each line of the budget; empty if it did not pass, or none is set."""
    schema_version: int = SCHEMA_VERSION

    @property
    def submission(self) -> str:
        """Return what it is called: the solution that was packed, or the file name of the zip."""
        path = str(self.archive.get("path", ""))
        return str(self.archive.get("solution") or path.rpartition("/")[2])

    @property
    def reached(self) -> tuple[str, ...]:
        """Return how far a run got that did not pass, in sentences."""
        if self.reach is None:
            return ()
        limits = {name: meter.limit for name, meter in self.meters.items()}
        time, memory = limits.get("time"), limits.get("memory")
        return words(self.reach, limit_s=time, memory_bytes=memory)

    @property
    def note(self) -> str:
        """Return what the user wrote when it was packed; often nothing."""
        return str(self.archive.get("note") or "")

    @property
    def part(self) -> str:
        """Return on which part of the images it ran, such as `5 of 24 images`; "" for all."""
        images, of = self.data.get("images"), self.data.get("of")
        if not (isinstance(images, int) and isinstance(of, int)):
            return ""
        return f"{images:,} of {counted(of, 'image')}"

    def to_json(self) -> str:
        """Return the text of result.json, which is valid UTF-8 whatever bytes a path has."""
        text = json.dumps(self, indent=2, ensure_ascii=False, allow_nan=False, default=vars)
        # A byte that is not UTF-8 is a lone surrogate here, and becomes JSON's escape of one.
        return text.encode(errors="backslashreplace").decode() + "\n"


@dataclass(frozen=True)
class _Version:
    schema_version: Any = None


def write(result: Result, path: Path) -> None:
    """Write result.json, whole or not at all."""
    write_text(path, result.to_json())


def read(path: Path) -> Result:
    """Read a result.json; fields that newer versions of this tool added are ignored.

    Raises:
        BadDataError: It is missing, not a result, or of another schema version.
    """
    try:
        with open_regular(path) as file:
            text = file.read(_LARGEST)
        version = _decode(text, _Version).schema_version
        if version == SCHEMA_VERSION:
            return _decode(text, Result)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadDataError(
            f"{path} is not the result of a run ({reason}).", fix="Type: invoke run"
        ) from error
    raise BadDataError(
        f"{path} has schema version {show(str(version))}, not {SCHEMA_VERSION}.",
        why="Another version of this tool wrote it.",
        fix="Run the submission again.",
    )


def _decode(text: bytes, kind: type[_T]) -> _T:
    import msgspec  # a run writes results, and reads none

    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Only the standard library reads lone surrogates, which stand for bytes that are not UTF-8.
        return msgspec.convert(json.loads(text), type=kind)
