"""One evaluation, from the zips to the leaderboard."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.batch import (
    leaderboard,
    leaderboard_page,
    plan,
    result_store,
    scheduler,
    shards,
    submissions,
)
from posebowl.batch.executor import Executor, SerialExecutor
from posebowl.batch.leaderboard import Row
from posebowl.batch.merge import merge
from posebowl.batch.node_cache import NodeCache
from posebowl.batch.plan import Plan, RunOptions
from posebowl.batch.progress import Progress
from posebowl.errors import UsageError
from posebowl.util.console import err, note, stdout_on_stderr
from posebowl.util.files import write_text
from posebowl.util.text import first_few

CSV_FILE: Final = "leaderboard.csv"
JSON_FILE: Final = "leaderboard.json"
PAGE_FILE: Final = "leaderboard.html"


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What a user asks for."""

    places: tuple[Path, ...]
    """Zips, and folders of zips."""
    out: Path
    cache: Path
    """Where this machine keeps what it can use again."""
    options: RunOptions
    data: str | None = None
    """A folder or URI; None takes data/, or the demo set while that is empty."""
    shards: int = 1
    address: str = ""
    """Of a Ray cluster; empty: one after the other, here."""
    registry: str = ""
    resume: bool = False
    await_nodes: bool = False
    """Jobs that fit on none of the machines wait for others to join."""
    allow_open: bool = False
    """Join a cluster that anyone on its network can run code on."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The plan and the leaderboard of an evaluation that is over."""

    plan: Plan
    rows: tuple[Row, ...]
    out: Path


def evaluate(request: EvaluationRequest) -> Evaluation:
    """Run all submissions that have no result yet, and write the leaderboard.

    Raises:
        BadDataError: The data is incomplete.
        UsageError: Something named does not exist, or the folder holds an earlier evaluation.
        KeyboardInterrupt: Ctrl-C; what was finished is kept for --resume.
    """
    found = submissions.collect(request.places)
    if found.left_out:
        note(f"Not evaluated: {first_few(found.left_out, len(found.left_out))}.")
    cache = NodeCache(request.cache)
    whole = shards.load(request.data, cache.entries)
    made = plan.make(found.submissions, whole, shards.split(whole, request.shards), request.options)
    with result_store.opened(request.out, resume=request.resume) as store:
        keys = {item.name: [job.key for job in jobs] for item, jobs in made.jobs.items()}
        described = json.dumps(leaderboard.metadata(made) | {"jobs": keys}, indent=2, default=str)
        with stdout_on_stderr(), contextlib.closing(_executor(request, made, cache)) as executor:
            write_text(request.out / result_store.PLAN_FILE, described + "\n")
            with Progress(made, err) as progress:
                scheduler.execute(made, store, executor, progress)
        merge(made, store)
        rows = leaderboard.rows(made, store)
        for name, make in _OUTPUTS.items():
            write_text(request.out / name, make(made, rows))
    return Evaluation(plan=made, rows=rows, out=request.out)


_OUTPUTS: Final[dict[str, Callable[[Plan, tuple[Row, ...]], str]]] = {
    CSV_FILE: lambda _, rows: leaderboard.to_csv(rows),
    JSON_FILE: leaderboard.to_json,
    PAGE_FILE: leaderboard_page.render,
}


def _executor(request: EvaluationRequest, made: Plan, cache: NodeCache) -> Executor:
    by_digest = {shard.digest: shard for shard in made.shards}
    if not request.address:
        return SerialExecutor(by_digest, cache=cache, registry_name=request.registry)
    try:
        from posebowl.batch import ray_executor  # noqa: PLC0415  # only who asks for Ray needs it
    except ModuleNotFoundError:
        raise UsageError(
            "Ray is not installed here.",
            why="--address names a Ray cluster.",
            fix="Type: uv sync --group cluster; or omit --address.",
        ) from None
    return ray_executor.connect(
        request.address,
        by_digest,
        made.options,
        registry_name=request.registry,
        await_nodes=request.await_nodes,
        allow_open=request.allow_open,
    )
