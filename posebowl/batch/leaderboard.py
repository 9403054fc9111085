"""The leaderboard as rows, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from posebowl.batch import ranking, repeats
from posebowl.batch.merge import IOU_FILE, key_of
from posebowl.batch.plan import Job, Plan, base_key
from posebowl.batch.ranking import Standing
from posebowl.batch.repeats import Repeats
from posebowl.batch.result_store import RESULTS, ResultStore
from posebowl.batch.storage import is_uri
from posebowl.batch.submissions import Submission
from posebowl.batch.tables import Subsets
from posebowl.engines.oci import image
from posebowl.errors import Verdict
from posebowl.results import LOG_FILE, REPORT_FILE, Result
from posebowl.run import BUSY
from posebowl.util.text import visible

SCHEMA_VERSION: Final = 1
TIMES: Final = ("images_per_second", "wall_s")
"""The columns that a busy machine spoils."""
MORE_IS_BETTER: Final = ("mean_iou", "median_iou", "images_per_second")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A submission's line."""

    rank: int | None
    """Equal scores share a rank, and the ranks after it are skipped; None: not ranked."""
    submission: str
    verdict: Verdict
    message: str
    mean_iou: float | None
    median_iou: float | None
    images: int
    images_per_second: float | None
    wall_s: float | None
    """Of all shards together."""
    peak_memory_bytes: int | None
    """Of the shard that used most."""
    shards: int
    tries: int
    retried: tuple[str, ...]
    """The failures of machines that led to another attempt, a sentence each."""
    engine: str
    machines: tuple[str, ...]
    """The names of those that its shards ran on, and their processors."""
    unenforced: tuple[str, ...]
    """Limits that did not hold as they do in a container, each with the reason."""
    warnings: tuple[str, ...]
    sha256: str
    report: str
    """Relative to the leaderboard; empty without a report."""
    log: str
    team: str = ""
    rank_low: int | None = None
    """The best rank that the images do not rule out; see `ranking.Standing`."""
    rank_high: int | None = None
    beats_next: float | None = None
    """The probability that it is better than the next one."""
    beats: tuple[float, ...] = ()
    """The probability that it is better than each of the first ten, if it is one of them."""
    quiet: bool = False
    """Nothing disturbed the time of its runs, as far as the machines report it."""
    speed_rank: int | None = None
    """By images a second, among those that passed on quiet machines."""
    repeats: str = ""
    """How several runs of it compare, in a sentence; empty where it was not run again."""
    reproducible: bool | None = None
    """Whether all these runs gave the same predictions; None: unknown."""
    subsets: Mapping[str, Standing] = field(default_factory=dict)

    @property
    def ranks(self) -> str:
        """Return the ranks that the images do not rule out, such as `1 to 3`; often nothing."""
        same = self.rank_low == self.rank_high
        return "" if same else f"{self.rank_low} to {self.rank_high}"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How an organizer wants submissions ranked."""

    ties: tuple[str, ...] = ()
    """The columns that decide between equal mean IoUs, in this order."""
    teams: Mapping[str, str] = field(default_factory=dict)
    """By submission."""
    subsets: Subsets = field(default_factory=dict)
    repeats: Repeats = field(default_factory=dict)
    """The runs of those that were run several times."""


def rows(plan: Plan, store: ResultStore, rules: Rules | None = None) -> tuple[Row, ...]:
    """Rank all submissions: those that passed by mean IoU, then the others by verdict and name."""
    rules = rules or Rules()
    passed: list[Row] = []
    others: list[Row] = []
    for submission in plan.submissions:
        line = _row(plan, store, submission)
        line = replace(line, team=rules.teams.get(line.submission, ""))
        if runs := rules.repeats.get(line.submission):
            line = _verified(line, store, runs)
        ranks = line.verdict is Verdict.OK and line.mean_iou is not None
        (passed if ranks else others).append(line)
    others.sort(key=lambda line: (line.verdict.exit_code, line.submission))
    ranked = [*_ranked(passed, ("mean_iou", *rules.ties))]
    return (*_speed_ranked(_compared(plan, store, ranked, rules.subsets)), *others)


def _verified(line: Row, store: ResultStore, runs: Sequence[Sequence[str]]) -> Row:
    """Return a row that tells how the runs of the submission compare."""
    found = repeats.compare(store, runs)
    if found is None:
        return replace(line, repeats="Not all of its runs were made.")
    return replace(line, repeats=found.text, reproducible=found.same)


def _ranked(lines: Sequence[Row], columns: Sequence[str]) -> Iterator[Row]:
    """Yield rows from the best to the worst, with their ranks."""
    named = {line.submission: line for line in lines}
    values = [{line.submission: _worth(line, column) for line in lines} for column in columns]
    rank = 1
    for group in ranking.tied([*named], values) if named else ():
        yield from (replace(named[name], rank=rank) for name in group)
        rank += len(group)


def _worth(line: Row, column: str) -> float | None:
    """Return the value of a column of which more is better; no time that was disturbed."""
    value = getattr(line, column)
    if value is None or (column in TIMES and not line.quiet):
        return None
    return float(value) if column in MORE_IS_BETTER else -float(value)


def _speed_ranked(lines: Sequence[Row]) -> Iterator[Row]:
    """Yield rows with the rank of their speed, where their machine was quiet."""
    speeds = sorted((w for line in lines if (w := _worth(line, "images_per_second"))), reverse=True)
    for line in lines:
        worth = _worth(line, "images_per_second")
        yield replace(line, speed_rank=1 + speeds.index(worth)) if worth else line


def _compared(
    plan: Plan, store: ResultStore, lines: Sequence[Row], subsets: Subsets
) -> tuple[Row, ...]:
    """Return ranked rows with the ranks that their images rule out, and their place in subsets."""
    named = {item.name: item for item in plan.submissions}
    files = [
        store.results.folder(key_of(plan, named[line.submission])) / IOU_FILE for line in lines
    ]
    if not lines or not all(file.is_file() for file in files):
        return tuple(lines)
    ious = np.array([pl.read_csv(file, columns=["iou"])["iou"].to_numpy() for file in files])
    whole = ranking.standings(ious)
    parts = {name: ranking.standings(ious[:, images]) for name, images in subsets.items()}
    first = next(iter(parts.values()), [])
    return tuple(
        replace(
            line,
            rank_low=whole[at].rank_low,
            rank_high=whole[at].rank_high,
            beats_next=whole[at].beats_next,
            beats=whole[at].beats,
            subsets={
                name: replace(found[at], moved=first[at].rank - found[at].rank)
                for name, found in parts.items()
            },
        )
        for at, line in enumerate(lines)
    )


def of_subset(lines: Sequence[Row], name: str, images: int) -> tuple[Row, ...]:
    """Return the leaderboard of one subset, for competitors: nothing in it tells of the others.

    It names no machine and links to nothing, as reports show all images.

    Args:
        lines: Those of all images.
        name: Of the subset.
        images: How many it has.
    """
    shown = [
        replace(
            line,
            images=images,
            rank=None,
            rank_low=None,
            rank_high=None,
            beats_next=None,
            beats=(),
            mean_iou=None,
            median_iou=None,
            machines=(),
            retried=(),
            warnings=(),
            report="",
            log="",
            subsets={},
        )
        for line in lines
    ]
    places = [line.subsets.get(name) for line in lines]
    ranked = [
        replace(line, **{key: value for key, value in vars(place).items() if key != "moved"})
        for line, place in zip(shown, places, strict=True)
        if place is not None
    ]
    ranked.sort(key=lambda line: line.rank or 0)
    others = [line for line, place in zip(shown, places, strict=True) if place is None]
    return (*ranked, *others)


def _row(plan: Plan, store: ResultStore, submission: Submission) -> Row:
    jobs = plan.jobs[submission]
    key = key_of(plan, submission)
    found = store.results.result(key)
    attempts = [attempt for job in jobs for attempt in store.attempts(job.key)]
    score = found.score if found else None
    memory = found.meters.get("memory") if found else None
    timing = found.timing if found else None
    passed = found is not None and found.verdict is Verdict.OK
    parts = [store.result(job.key) for job in jobs]
    return Row(
        rank=None,
        submission=submission.name,
        verdict=found.verdict if found else Verdict.ENGINE_ERROR,
        message=found.message if found else "It was not run.",
        mean_iou=score.mean_iou if score else None,
        median_iou=score.median_iou if score else None,
        images=len(plan.whole.entries),
        images_per_second=timing.images_per_second if timing and passed else None,
        wall_s=timing.wall_s if timing else None,
        peak_memory_bytes=int(memory.used) if memory else None,
        shards=len(jobs),
        tries=len(attempts),
        retried=tuple(
            f"{item.node}: {item.reason}" if item.node else item.reason
            for item in attempts
            if item.reason
        ),
        engine=found.engine if found else "",
        machines=tuple(_machines(store, jobs)),
        unenforced=tuple(f"{name}: {why}" for name, why in found.unenforced.items())
        if found
        else (),
        warnings=found.warnings if found else (),
        sha256=submission.sha256,
        report=_link(store, key, REPORT_FILE),
        log=_link(store, key, LOG_FILE),
        quiet=all(part is not None and _was_quiet(part) for part in parts),
    )


def _was_quiet(part: Result) -> bool:
    busy = any(text.startswith(BUSY) for text in part.warnings)
    return part.other_cores is not None and not busy


def _machines(store: ResultStore, jobs: Sequence[Job]) -> Iterator[str]:
    """Yield each machine that a result comes from, with its processor where it is known."""
    seen = set()
    for job in jobs:
        result, attempts = store.result(job.key), store.attempts(job.key)
        node = attempts[-1].node if attempts else ""
        cpu = result.environment.get("cpu", "") if result else ""
        if (node or cpu) and (node, cpu) not in seen:
            seen.add((node, cpu))
            yield f"{node} ({cpu})" if node and cpu else node or cpu


def _link(store: ResultStore, key: str, name: str) -> str:
    return f"{RESULTS}/{key}/{name}" if (store.results.folder(key) / name).is_file() else ""


def metadata(plan: Plan) -> dict[str, Any]:
    """Return what all rows have in common."""
    options = plan.options
    return {
        "data": data_name(plan),
        "data_sha256": plan.whole.digest,
        "labels_sha256": sha256(plan.whole.labels).hexdigest() if plan.whole.labels else "",
        "images": len(plan.whole.entries),
        "labelled": plan.whole.labels is not None,
        "shards": len(plan.shards),
        "variant": options.variant,
        "engine": options.engine or "auto",
        "runtime": options.runtime or "default",
        "limits": asdict(options.limits),
        "waived": sorted(options.waived),
        "lock": image.lock_hash(),
        "terms_sha256": base_key(options),
    }


def data_name(plan: Plan) -> str:
    """Return the name of the data for those who do not know this machine's folders."""
    source = plan.whole.source
    return source if is_uri(source) else Path(source).name


def to_json(plan: Plan, lines: Sequence[Row], subset: str = "") -> str:
    """Return leaderboard.json, of all images or of a subset."""
    part = {"subset": subset, "images": lines[0].images, "labels_sha256": ""} if subset else {}
    table = {
        "schema_version": SCHEMA_VERSION,
        **metadata(plan),
        **part,
        "infrastructure_failures": sum(r.verdict.is_infrastructure_failure for r in lines),
        "rows": [asdict(r) for r in lines],
    }
    return json.dumps(table, indent=2, default=str) + "\n"


def to_csv(lines: Sequence[Row]) -> str:
    """Return leaderboard.csv, with nothing in it that a spreadsheet takes for a formula."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    names = [item.name for item in fields(Row) if item.name not in {"subsets", "beats"}]
    subsets = dict.fromkeys(name for line in lines for name in line.subsets)
    places = [item.name for item in fields(Standing) if item.name != "beats"]
    parts = [(subset, name) for subset in subsets for name in places]
    writer.writerow([*names, *(f"{subset}_{name}" for subset, name in parts)])
    for line in lines:
        inside = (getattr(line.subsets.get(subset), name, None) for subset, name in parts)
        writer.writerow([*(_cell(getattr(line, name)) for name in names), *inside])
    return table.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        value = " | ".join(value)
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
