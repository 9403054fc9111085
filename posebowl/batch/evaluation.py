"""One evaluation, from the zips to the leaderboard."""

from __future__ import annotations

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
    shards as dataset,
)
from posebowl.batch.executor import Executor, Serial
from posebowl.batch.leaderboard import Row
from posebowl.batch.merge import merge
from posebowl.batch.plan import Plan, Terms
from posebowl.batch.progress import Progress
from posebowl.errors import UsageError
from posebowl.util.console import err
from posebowl.util.files import write_text

CSV_FILE: Final = "leaderboard.csv"
JSON_FILE: Final = "leaderboard.json"
PAGE_FILE: Final = "leaderboard.html"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a user asks for."""

    places: tuple[Path, ...]
    """Zips, and folders of zips."""
    out: Path
    terms: Terms
    data: str | None = None
    """A folder or URI; None takes data/, or the demo set while that is empty."""
    shards: int = 1
    address: str = ""
    """Of a Ray cluster; empty: one after the other, here."""
    registry: str = ""
    resume: bool = False
    await_nodes: bool = False
    """Machines may yet join: jobs that fit on none of those that are there wait for them."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came of it."""

    plan: Plan
    rows: tuple[Row, ...]
    out: Path


def evaluate(ask: Ask) -> Evaluation:
    """Run all submissions that have no result yet, and write the leaderboard.

    Raises:
        BadDataError: The data is not whole.
        UsageError: Something named is not there, or the folder holds an earlier evaluation.
        KeyboardInterrupt: Ctrl-C; what had ended is kept for --resume.
    """
    submissions = plan.collect(ask.places)
    whole = dataset.load(ask.data)
    slices = dataset.cut(whole, ask.shards)
    made = plan.make(submissions, whole, slices, ask.terms)
    with result_store.opened(ask.out, resume=ask.resume) as kept:
        executor = _executor(ask, made)
        write_text(ask.out / result_store.PLAN_FILE, _describe(made))
        with Progress(made, err) as progress:
            scheduler.execute(made, kept, executor, progress)
        merge(made, kept)
        rows = leaderboard.rows(made, kept)
        for name, make in _OUTPUTS.items():
            write_text(ask.out / name, make(made, rows))
    return Evaluation(plan=made, rows=rows, out=ask.out)


_OUTPUTS: Final[dict[str, Callable[[Plan, tuple[Row, ...]], str]]] = {
    CSV_FILE: lambda _, rows: leaderboard.to_csv(rows),
    JSON_FILE: leaderboard.to_json,
    PAGE_FILE: leaderboard_page.render,
}


def _executor(ask: Ask, made: Plan) -> Executor:
    slices = {piece.digest: piece for piece in made.slices}
    if not ask.address:
        return Serial(slices, registry_name=ask.registry)
    try:
        from posebowl.batch import (  # noqa: PLC0415  # only those who ask for Ray need it
            ray_executor,
        )
    except ModuleNotFoundError:
        raise UsageError(
            "Ray is not installed here.",
            why="--address names a Ray cluster.",
            fix="Type: uv sync --group cluster; or leave --address out.",
        ) from None
    return ray_executor.connect(
        ask.address,
        slices,
        made.terms,
        registry_name=ask.registry,
        await_nodes=ask.await_nodes,
    )


def _describe(made: Plan) -> str:
    names = {name: [job.key for job in jobs] for name, jobs in made.jobs.items()}
    table = leaderboard.about(made) | {"jobs": names}
    return json.dumps(table, indent=2, default=str) + "\n"
