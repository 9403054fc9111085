"""The leaderboard as rows, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from posebowl.batch.merge import key_of
from posebowl.batch.plan import Job, Plan, base_key
from posebowl.batch.result_store import RESULTS, ResultStore
from posebowl.batch.storage import is_uri
from posebowl.batch.submissions import Submission
from posebowl.engines.oci import image
from posebowl.errors import Verdict
from posebowl.results import LOG_FILE, REPORT_FILE
from posebowl.util.text import visible

SCHEMA_VERSION: Final = 1
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


def rows(plan: Plan, store: ResultStore) -> tuple[Row, ...]:
    """Rank all submissions: those that passed by mean IoU, then the others by verdict and name."""
    passed: list[Row] = []
    others: list[Row] = []
    for submission in plan.submissions:
        line = _row(plan, store, submission)
        ranks = line.verdict is Verdict.OK and line.mean_iou is not None
        (passed if ranks else others).append(line)
    passed.sort(key=lambda line: (-(line.mean_iou or 0.0), line.submission))
    others.sort(key=lambda line: (line.verdict.exit_code, line.submission))
    first = {line.mean_iou: place for place, line in reversed([*enumerate(passed, 1)])}
    return (*(replace(line, rank=first[line.mean_iou]) for line in passed), *others)


def _row(plan: Plan, store: ResultStore, submission: Submission) -> Row:
    jobs = plan.jobs[submission]
    key = key_of(plan, submission)
    found = store.results.result(key)
    attempts = [attempt for job in jobs for attempt in store.attempts(job.key)]
    score = found.score if found else None
    memory = found.meters.get("memory") if found else None
    timing = found.timing if found else None
    passed = found is not None and found.verdict is Verdict.OK
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
    )


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


def to_json(plan: Plan, lines: Sequence[Row]) -> str:
    """Return leaderboard.json."""
    table = {
        "schema_version": SCHEMA_VERSION,
        **metadata(plan),
        "infrastructure_failures": sum(r.verdict.is_infrastructure_failure for r in lines),
        "rows": [asdict(r) for r in lines],
    }
    return json.dumps(table, indent=2, default=str) + "\n"


def to_csv(lines: Sequence[Row]) -> str:
    """Return leaderboard.csv, with nothing in it that a spreadsheet takes for a formula."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    names = [item.name for item in fields(Row)]
    writer.writerow(names)
    for line in lines:
        writer.writerow([_cell(getattr(line, name)) for name in names])
    return table.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        value = " | ".join(value)
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
