"""What is known of a run after each of its steps: each adds to what the one before knew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posebowl.challenge import LIMITS, EngineName, Limit, Limits, Variant
from posebowl.data import DataFolder
from posebowl.engines import Engine, Outcome, RunSpec
from posebowl.results import LOG_FILE, BudgetCheck, Source
from posebowl.run.judge import Judgement
from posebowl.run.machine_load import Load
from posebowl.settings import MOST_RUNS, MOST_ZIP_BYTES
from posebowl.submission import Archive, Inspected, Packed, ZipRecord

if TYPE_CHECKING:
    from posebowl.data import DataReport
    from posebowl.scoring import Predictions, Score


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for."""

    archive: Path
    out: Path
    """Where submission.csv, log.txt, result.json and report.html go."""
    data: Path | None = None
    """A data folder; None takes data/, or the demo set while that is empty."""
    variant: Variant = Variant.CPU
    engine: EngineName | None = None
    """None takes the first that works here."""
    limits: Limits = LIMITS[Variant.CPU]
    waived: frozenset[Limit] = frozenset()
    full: bool = False
    """Give the embedded engine the whole cpu group, whatever the submission imports."""
    allow_cpu: bool = False
    """Run the gpu image without a GPU where there is none."""
    runtime: str = ""
    """What is to start the container, as docker or podman knows it; empty: their own choice."""
    image: str = ""
    """Any other image to run in; empty: the one that is made from uv.lock."""
    cache: Path
    """Where the embedded engine keeps its environments."""
    keep_runs: int = MOST_RUNS
    """How many runs the history of `out` keeps, this one among them."""
    packed: Packed | Inspected | None = None
    """The archive as it was packed or inspected in this process: it is not checked again."""
    record: ZipRecord | None = None
    """Where the archive comes from; ignored if it is about other bytes."""
    most_images: int | None = None
    """Run on at most so many of the images, chosen evenly by name."""
    keep_zip_bytes: int = MOST_ZIP_BYTES
    """How many bytes the zips in the history of `out` may take together."""
    log_called: Path | None = None
    """How advice names the log; None: by its place in `out`."""
    budget: BudgetCheck | None = None
    """What it is held to, if it passes; the result says how it stands to that."""
    unscored: bool = False
    """Leave score and report to the caller: the labels of the data are not even read."""
    archive_called: str = ""
    """How the result names the archive; empty: by its path."""


class DataCheck:
    """The check of a data folder, made once, when it is first needed."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self.report: DataReport | None = None

    def __call__(self) -> None:
        """Check the data, unless that was done.

        Raises:
            BadDataError: The data is incomplete.
        """
        from posebowl.data import check

        if self.report is None:
            self.report = check(self._folder)

    @property
    def images(self) -> int:
        """How many there are; 0 before the check."""
        return self.report.images if self.report else 0


@dataclass(frozen=True, kw_only=True)
class Started:
    """A run that has a name and a folder of its own."""

    request: Request
    run_id: str
    scratch: Path

    @property
    def log(self) -> Path:
        """Where the engine writes what main.sh prints."""
        return self.scratch / LOG_FILE

    @property
    def reserve(self) -> Path:
        """Space that is freed once main.sh has ended, in case it filled the disk."""
        return self.scratch / "reserve"


@dataclass(frozen=True, kw_only=True)
class Checked(Started):
    """The archive is acceptable."""

    archive: Archive
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Staged(Checked):
    """The data is found, and the folders that the engine works in are made."""

    folder: DataFolder
    data: DataCheck
    spec: RunSpec


@dataclass(frozen=True, kw_only=True)
class Ready(Staged):
    """An engine is chosen and has what it needs."""

    engine: Engine


@dataclass(frozen=True, kw_only=True)
class Executed(Ready):
    """main.sh has ended."""

    started_at: str
    """UTC, ISO 8601."""
    outcome: Outcome
    images_from: Source
    last_image: str
    """Read by main.sh, as far as that was seen."""
    load: Load | None
    """Of this machine by other programs, while main.sh ran; None if unknown."""


@dataclass(frozen=True, kw_only=True)
class Judged(Executed):
    """What the engine saw has a verdict; OK means: look at the predictions."""

    judgement: Judgement


@dataclass(frozen=True, kw_only=True)
class Collected(Judged):
    """The host has a copy of submission.csv that no other process can change."""

    copy: Path


@dataclass(frozen=True, kw_only=True)
class Validated(Collected):
    """The predictions have the right format."""

    predictions: Predictions


@dataclass(frozen=True, kw_only=True)
class Scored(Validated):
    """The predictions are compared with the labels, if there are any."""

    score: Score | None
