"""The shards of a submission merged into one run: one table, verdict, score and report."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from posebowl import report
from posebowl.batch import shard_check
from posebowl.batch.plan import Plan, merged_key
from posebowl.batch.result_store import ResultStore
from posebowl.batch.shard_check import UNKNOWN
from posebowl.batch.shards import Dataset
from posebowl.batch.submissions import Submission
from posebowl.challenge import (
    FORMAT_FILE,
    ID_COLUMN,
    IMAGES_DIR,
    LABELS_FILE,
    PREDICTIONS_FILE,
    Limits,
)
from posebowl.errors import INFRASTRUCTURE_FAILURES, Verdict
from posebowl.results import (
    LOG_FILE,
    REPORT_FILE,
    RESULT_FILE,
    Meter,
    Result,
    ScoreSummary,
    Timing,
    kind_of,
    result as results,
)
from posebowl.scoring import Score, read_labels, read_predictions, score
from posebowl.util.files import write_text
from posebowl.util.units import duration

IOU_FILE: Final = "iou.csv"
"""The IoU of each image, in the order of submission_format.csv: for the organizer."""
_BOM: Final = b"\xef\xbb\xbf"
_PRECEDENCE: Final = (
    *INFRASTRUCTURE_FAILURES,
    Verdict.BAD_ARCHIVE,
    Verdict.TIME_LIMIT,
    Verdict.OUTPUT_LIMIT,
    Verdict.MEMORY_LIMIT,
    Verdict.SIGNALED,
    Verdict.RUNTIME_ERROR,
    Verdict.BAD_OUTPUT,
    Verdict.INVALID_PREDICTIONS,
    Verdict.OK,
)


def key_of(plan: Plan, submission: Submission) -> str:
    """Return the key of a submission's result: that of its runs, and of the labels."""
    return merged_key(plan.jobs[submission], plan.whole.labels, no_photos=plan.no_photos)


def publish(
    plan: Plan,
    submission: Submission,
    store: ResultStore,
    *,
    renew: bool = False,
    cache: Path | None = None,
) -> Result | None:
    """Make the result of a submission from its runs, unless it is there already.

    Args:
        plan: What was run.
        submission: Whose result.
        store: Of the runs.
        renew: Make it again, because one of them was run again.
        cache: Where this machine keeps the small pictures that all reports show.

    Returns:
        The result; None while a run is missing, or if it is to be run on all images at once.
    """
    key, jobs = key_of(plan, submission), plan.jobs[submission]
    if not renew and _is_published(plan, store.results, key):
        return store.results.result(key)
    parts = [part for job in jobs if (part := store.result(job.key)) is not None]
    if len(parts) < len(jobs):
        return None
    found = shard_check.check(plan, submission, store)
    if found.changed and len(jobs) > 1:
        return None
    merged = parts[0] if len(parts) == 1 else merge_results(parts, plan.options.limits)
    merged = dataclasses.replace(
        merged,
        # A zip that was refused was not looked into; what was run is known nevertheless.
        archive=merged.archive
        | {"path": submission.name, "sha256": submission.sha256, "bytes": submission.bytes},
        warnings=tuple(filter(None, (found.text, *merged.warnings))),
        data=merged.data
        | {
            "root": plan.whole.source,
            "images": len(plan.whole.entries),
            "labelled": plan.whole.labels is not None,
        },
    )
    folders = [store.folder(job.key) for job in jobs]
    with store.results.writing(key) as folder:
        if len(folders) == 1:
            for name in (LOG_FILE, PREDICTIONS_FILE):
                if (folders[0] / name).is_file():
                    os.link(folders[0] / name, folder / name)
        else:
            write_text(folder / LOG_FILE, _join_logs(folders))
            if merged.verdict is Verdict.OK:
                tables = [(place / PREDICTIONS_FILE).read_bytes() for place in folders]
                (folder / PREDICTIONS_FILE).write_bytes(join_tables(tables))
        return _write(folder, merged, plan, cache)


def _is_published(plan: Plan, made: ResultStore, key: str) -> bool:
    """Return whether there is a result of the submission's own doing, with what ranks need."""
    found = made.result(key)
    if found is None or found.verdict.is_infrastructure_failure:
        return False
    if any(text.startswith(UNKNOWN) for text in found.warnings):
        return False
    scored = found.verdict is Verdict.OK and plan.whole.labels is not None
    return not scored or (made.folder(key) / IOU_FILE).is_file()


def merge_results(parts: Sequence[Result], limits: Limits) -> Result:
    """Merge the results of shards into one.

    The verdict is the first that holds by the documented precedence, and the time of all shards
    together counts against the time limit: splitting a run gains no time.

    Args:
        parts: The result of each shard, in their order.
        limits: Those of the whole run; each shard had them too.
    """
    worst = min(parts, key=lambda part: _PRECEDENCE.index(part.verdict))
    used = sum(part.timing.wall_s for part in parts if part.timing is not None)
    merged = dataclasses.replace(
        worst,
        run_id=parts[0].run_id,
        timing=_timing(parts, used),
        meters=_meters(parts, used),
        oom_kills=sum(part.oom_kills for part in parts),
        score=None,
        warnings=tuple(dict.fromkeys(text for part in parts for text in part.warnings)),
        unenforced={name: why for part in parts for name, why in part.unenforced.items()},
        samples=(),
        other_cores=None,  # each shard has its own, and its own warning
    )
    late = used > limits.wall_time_s and not worst.verdict.is_infrastructure_failure
    if not late or worst.verdict in {Verdict.BAD_ARCHIVE, Verdict.TIME_LIMIT}:
        return merged
    return dataclasses.replace(
        merged,
        verdict=Verdict.TIME_LIMIT,
        message=f"The {len(parts)} shards took {duration(used)} together, "
        f"above the time limit of {duration(limits.wall_time_s)}.",
        fix="Make it faster; the report shows how many images a second it reached.",
        exit_code=None,
        signal=None,
    )


def _timing(parts: Sequence[Result], used: float) -> Timing | None:
    timings = [part.timing for part in parts if part.timing is not None]
    if not timings:
        return None
    images = sum(int(part.data["images"]) for part in parts if part.timing is not None)
    well = all(timing.images_per_second is not None for timing in timings)
    return Timing(
        started_at=min(timing.started_at for timing in timings),
        start_s=sum(timing.start_s for timing in timings),
        wall_s=used,
        images_per_second=images / used if well and used > 0 else None,
    )


def _meters(parts: Sequence[Result], used: float) -> dict[str, Meter]:
    merged: dict[str, Meter] = {}
    for name in dict.fromkeys(name for part in parts for name in part.meters):
        meters = [part.meters[name] for part in parts if name in part.meters]
        amounts = [meter.used for meter in meters]
        total = sum(amounts) if kind_of(name).adds_up else max(amounts)
        if name == "cpu" and used > 0:
            seconds = [part.timing.wall_s if part.timing else 0.0 for part in parts]
            cores = [part.meters["cpu"].used if "cpu" in part.meters else 0.0 for part in parts]
            total = sum(a * b for a, b in zip(seconds, cores, strict=True)) / used
        merged[name] = dataclasses.replace(meters[0], used=total)
    return merged


def join_tables(tables: Sequence[bytes]) -> bytes:
    """Join CSVs of the same header into one, byte for byte what one run would have written.

    Args:
        tables: Valid tables; line ends, a BOM and a missing last line end are kept.
    """
    joined = bytearray(tables[0])
    for table in tables[1:]:
        if not joined.endswith(b"\n"):
            joined += b"\r\n" if b"\r\n" in joined else b"\n"
        joined += table.removeprefix(_BOM).partition(b"\n")[2]
    return bytes(joined)


def _join_logs(folders: Sequence[Path]) -> str:
    texts = []
    for shard, folder in enumerate(folders, 1):
        log = folder / LOG_FILE
        text = log.read_text(encoding="utf-8", errors="backslashreplace") if log.is_file() else ""
        texts.append(f"--- shard {shard} of {len(folders)} ---\n{text.rstrip()}\n")
    return "\n".join(texts)


def _score(folder: Path, whole: Dataset) -> tuple[pl.DataFrame, Score | None]:
    """Return the predictions in a folder, and their score where there are labels."""
    with tempfile.TemporaryDirectory() as name:
        form, labels = Path(name, FORMAT_FILE), Path(name, LABELS_FILE)
        form.write_bytes(whole.submission_format)
        frame = read_predictions(folder / PREDICTIONS_FILE, form).frame
        if whole.labels is None:
            return frame, None
        labels.write_bytes(whole.labels)
        return frame, score(frame, read_labels(labels))


def _write(folder: Path, merged: Result, plan: Plan, cache: Path | None) -> Result:
    """Score the table against all labels; write result.json, the IoU of images and the report."""
    whole = plan.whole
    frame, scored = _score(folder, whole) if merged.verdict is Verdict.OK else (None, None)
    if scored is not None:
        summary = ScoreSummary(
            mean_iou=scored.mean_iou, median_iou=scored.median_iou, images=scored.count
        )
        merged = dataclasses.replace(merged, score=summary)
        scored.frame.select(ID_COLUMN, "iou").write_csv(folder / IOU_FILE)
    results.write(merged, folder / RESULT_FILE)
    shows = whole.in_place and not plan.no_photos
    report.write(
        folder / REPORT_FILE,
        dataclasses.replace(merged, score=None) if plan.no_photos else merged,
        log=folder / LOG_FILE,
        images=Path(whole.source) / IMAGES_DIR if shows else None,
        predictions=frame,
        score=None if plan.no_photos else scored,
        cache=cache,
    )
    return merged
