"""result.json: all that is known of a run, in one documented and versioned table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

from posebowl.challenge import Limits
from posebowl.engines import Outcome, Sample
from posebowl.errors import BadDataError, Verdict
from posebowl.util.files import open_regular, write_text
from posebowl.util.text import show

_T = TypeVar("_T")

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
    """Images of the data set by `wall_s`; None unless main.sh ended well."""


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


def meters(outcome: Outcome, limits: Limits) -> dict[str, Meter]:
    """Return what a run used of each of its limits."""
    cores = outcome.cpu_s / outcome.wall_s if outcome.wall_s > 0 else 0.0
    return {
        "time": Meter(used=outcome.wall_s, limit=limits.wall_time_s, unit="s"),
        "memory": Meter(used=outcome.peak_memory_bytes, limit=limits.memory_bytes, unit="bytes"),
        "cpu": Meter(used=cores, limit=limits.cpus, unit="cores"),
        "output": Meter(used=outcome.output_bytes, limit=limits.output_bytes, unit="bytes"),
        "log": Meter(used=outcome.log_bytes, limit=limits.log_bytes, unit="bytes"),
    }


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
    images_from: str = ""
    """What told how many images each sample counts: see posebowl.results.result.Source."""
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the text of result.json, fit for UTF-8 whatever bytes a path is made of."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False)
        # A byte that is no UTF-8 is a lone surrogate here, and becomes JSON's escape of one.
        return text.encode(errors="backslashreplace").decode() + "\n"


def write(result: Result, path: Path) -> None:
    """Write result.json, whole or not at all."""
    write_text(path, result.to_json())


def read(path: Path) -> Result:
    """Read a result.json; fields that newer versions of this tool added are passed over.

    Raises:
        BadDataError: It is missing, no result, or of another schema version.
    """
    try:
        with open_regular(path) as file:
            table = json.loads(file.read(_LARGEST))
        version = _expect(table, dict, "the whole").get("schema_version")
        if version == SCHEMA_VERSION:
            return _build(Result, table)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadDataError(
            f"{path} is no result of a run ({reason}).", fix="Type: invoke run"
        ) from error
    raise BadDataError(
        f"{path} has schema version {show(str(version))}, not {SCHEMA_VERSION}.",
        why="Another version of this tool wrote it.",
        fix="Run the submission again.",
    )


def _build(kind: type[_T], table: object) -> _T:
    """Make a dataclass of what JSON gave, each field of the type that it is declared with."""
    given = _expect(table, dict, kind.__name__)
    return kind(
        **{
            name: _convert(hint, given[name], name)
            for name, hint in _hints(cast("Any", kind)).items()
            if name in given
        }
    )


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """Return the types of a dataclass's fields; asked once, as a run has thousands of samples."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _convert(hint: Any, value: object, name: str) -> Any:
    """Return a value as its type hint has it.

    Raises:
        ValueError: It is of another type, or no member of an enumeration.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return None if value is None else _convert(arguments[0], value, name)
    if origin is tuple:
        items = _expect(value, list, name)
        return tuple(_convert(arguments[0], item, name) for item in items)
    if origin is dict:
        table = _expect(value, dict, name)
        return {key: _convert(arguments[1], item, name) for key, item in table.items()}
    if is_dataclass(hint):
        return _build(cast("type[Any]", hint), value)
    if hint is Any or issubclass(hint, StrEnum):
        return value if hint is Any else hint(value)
    return _expect(value, hint, name)


def _expect(value: object, kind: type[_T], name: str) -> _T:
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"{name} is no {_JSON_NAMES[kind]}")
    return value


_JSON_NAMES: Final = {
    dict: "object",
    list: "list",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
}


class Source(StrEnum):
    """What tells how many images are done."""

    READS = "reads"
    """Image files that the run has opened and closed, as the kernel saw it."""
    LOG = "log"
    """Lines such as 120/500 that main.sh printed."""
    NONE = ""
