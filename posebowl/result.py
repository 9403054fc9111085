"""result.json: all that is known of a run, in one documented and versioned table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from posebowl.engines.base import Sample
from posebowl.errors import BadDataError, Verdict
from posebowl.files import open_regular, write_text

SCHEMA_VERSION: Final = 1
"""Raised when a field changes its meaning or goes; new fields alone do not raise it."""

_LARGEST: Final = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When the run took place and how long it took."""

    started_at: str
    """UTC, ISO 8601."""
    start_s: float
    """From asking the engine to the start of main.sh."""
    wall_s: float
    """From the start of main.sh to its end."""
    images_per_second: float | None
    """Images of the data set by `wall_s`; None unless the run produced predictions."""


@dataclass(frozen=True, kw_only=True)
class Meter:
    """What was used of one limit."""

    used: float
    limit: float
    unit: str
    """"s", "bytes" or "cores"."""

    @property
    def share(self) -> float:
        """Used, as a share of the limit."""
        return self.used / self.limit if self.limit else 0.0


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """How good the predictions are, where labels are at hand."""

    mean_iou: float
    median_iou: float
    images: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run, as result.json holds it."""

    run_id: str
    verdict: Verdict
    message: str
    """One sentence: how the run ended."""
    fix: str
    """What to do or type next; empty when all is well."""
    engine: str
    variant: str
    archive: dict[str, Any]
    """path, sha256, bytes, entries, unpacked_bytes."""
    data: dict[str, Any]
    """root, images, labelled, demo."""
    timing: Timing | None = None
    exit_code: int | None = None
    """Of main.sh; None when it did not end by itself."""
    signal: int | None = None
    meters: dict[str, Meter] = field(default_factory=dict)
    """By limit: time, memory, cpu (mean cores), output, log."""
    oom_kills: int = 0
    score: ScoreSummary | None = None
    warnings: tuple[str, ...] = ()
    unenforced: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the text of result.json."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def write(result: Result, path: Path) -> None:
    """Write result.json, whole or not at all."""
    write_text(path, result.to_json())


def read(path: Path) -> Result:
    """Read a result.json.

    Raises:
        BadDataError: It is missing, no result, or of another schema version.
    """
    try:
        with open_regular(path) as file:
            table = json.loads(file.read(_LARGEST))
        if table["schema_version"] != SCHEMA_VERSION:
            raise BadDataError(
                f"{path} has schema version {table['schema_version']}, not {SCHEMA_VERSION}.",
                fix="Run the submission again.",
            )
        return _from_table(table)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadDataError(
            f"{path} is no result of a run ({error}).", fix="Type: invoke run"
        ) from error


def _from_table(table: dict[str, Any]) -> Result:
    timing = table["timing"]
    score = table["score"]
    rest = {
        "verdict": Verdict(table["verdict"]),
        "timing": Timing(**timing) if timing else None,
        "meters": {name: Meter(**meter) for name, meter in table["meters"].items()},
        "score": ScoreSummary(**score) if score else None,
        "warnings": tuple(table["warnings"]),
        "samples": tuple(Sample(**sample) for sample in table["samples"]),
    }
    return Result(**{**table, **rest})
