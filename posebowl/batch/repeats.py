"""Submissions that are run several times: do the same bytes give the same predictions?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from posebowl.batch.plan import Plan
from posebowl.batch.result_store import ResultStore
from posebowl.challenge import BOX_COLUMNS, ID_COLUMN, PREDICTIONS_FILE
from posebowl.errors import Verdict
from posebowl.scoring import TRUE_COLUMNS, iou, parse
from posebowl.util.text import counted

Repeats = Mapping[str, tuple[tuple[str, ...], ...]]
"""The name of a submission -> the keys of each of its runs, one for each shard."""


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """How the runs of one submission compare."""

    same: bool
    """All ended in the same way, with the same boxes."""
    text: str


def extend(plan: Plan, names: Sequence[str], runs: int) -> tuple[Plan, Repeats]:
    """Return a plan with more runs of some submissions, and the keys of all runs of these.

    Args:
        plan: One run of each.
        names: Of those to run several times.
        runs: How many runs each of them has, the one of the plan included.
    """
    jobs = dict(plan.jobs)
    found = {}
    for submission, first in plan.jobs.items():
        if submission.name not in names:
            continue
        keys = [tuple(job.key for job in first)]
        for number in range(2, runs + 1):
            again = replace(submission, name=f"{submission.name} (run {number})")
            jobs[again] = tuple(
                replace(job, key=_key(job.key, number), submission=again) for job in first
            )
            keys.append(tuple(job.key for job in jobs[again]))
        found[submission.name] = tuple(keys)
    return replace(plan, jobs=jobs), found


def _key(key: str, number: int) -> str:
    return hashlib.sha256(f"{key}\nrun {number}".encode()).hexdigest()


def compare(store: ResultStore, runs: Sequence[Sequence[str]]) -> Repeated | None:
    """Compare the runs of one submission; None while one is missing.

    Args:
        store: Of the runs.
        runs: The keys of each, one for each shard.
    """
    results = [[store.result(key) for key in keys] for keys in runs]
    parts = [[part for part in shards if part is not None] for shards in results]
    if any(len(part) < len(keys) for part, keys in zip(parts, runs, strict=True)):
        return None
    ends = [
        next((part.verdict for part in shards if part.verdict is not Verdict.OK), Verdict.OK)
        for shards in parts
    ]
    many = counted(len(runs), "run")
    if len(set(ends)) > 1:
        return Repeated(same=False, text=f"{many} ended differently: {', '.join(ends)}.")
    if ends[0] is not Verdict.OK:
        return Repeated(same=True, text=f"{many}, all {ends[0]}.")
    first, *others = (boxes(store.folder(key) for key in keys) for keys in runs)
    compared = [overlaps(first, other) for other in others]
    differ = sum(pl.select(pl.any_horizontal(*(o < 1 for o in compared))).to_series())
    if not differ:
        return Repeated(same=True, text=f"{many} with the same predictions.")
    least = min(float(overlap.mean() or 0.0) for overlap in compared)  # type: ignore[arg-type]
    of = counted(first.height, "box", "boxes")
    return Repeated(
        same=False,
        text=f"{many} with different predictions: {differ:,} of {of} changed; "
        f"the mean IoU with those of the first run is {least:.4f}.",
    )


def boxes(folders: Iterable[Path]) -> pl.DataFrame:
    """Return the predictions in the folders of a run, one for each shard."""
    files = [folder / PREDICTIONS_FILE for folder in folders]
    return pl.concat([parse(file.read_bytes(), name=file.name).frame for file in files])


def overlaps(one: pl.DataFrame, two: pl.DataFrame) -> pl.Series:
    """Return the IoU of each box with that of the same image in another table.

    Equal boxes overlap by 1 even without area.
    """
    renamed = two.rename(dict(zip(BOX_COLUMNS, TRUE_COLUMNS, strict=True)))
    both = one.join(renamed, on=ID_COLUMN, maintain_order="left")
    equal = pl.all_horizontal(
        pl.col(a) == pl.col(b) for a, b in zip(BOX_COLUMNS, TRUE_COLUMNS, strict=True)
    )
    value = pl.when(equal).then(1.0).otherwise(iou(BOX_COLUMNS, TRUE_COLUMNS))
    return both.select(value.alias("iou")).to_series()
