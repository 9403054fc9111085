"""One evaluation, from the zips to the leaderboard."""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from posebowl.batch import (
    leaderboard,
    leaderboard_page,
    plan,
    repeats,
    result_store,
    scheduler,
    seal,
    shard_check,
    shards,
    submissions,
)
from posebowl.batch.executor import Capacity, Completion, Executor, SerialExecutor
from posebowl.batch.leaderboard import Row, Rules
from posebowl.batch.merge import key_of, publish
from posebowl.batch.node_cache import NodeCache
from posebowl.batch.options import EvaluationOptions
from posebowl.batch.plan import Plan, RunOptions
from posebowl.batch.progress import Progress
from posebowl.batch.result_store import ResultStore
from posebowl.batch.submissions import Submission
from posebowl.batch.tables import read_subsets, read_teams
from posebowl.errors import UsageError, Verdict
from posebowl.util.console import err, note, stdout_on_stderr
from posebowl.util.files import write_text
from posebowl.util.text import first_few

CSV_FILE: Final = "leaderboard.csv"
JSON_FILE: Final = "leaderboard.json"
PAGE_FILE: Final = "leaderboard.html"


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest(EvaluationOptions):
    """What a user asks for, and what holds for all runs of this user."""

    out: Path
    cache: Path
    """Where this machine keeps what it can use again."""
    options: RunOptions
    registry: str = ""
    """Where machines pull an image that they lack from; empty: nowhere."""


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
    if request.seal is not None:
        seal.check_target(request.seal)
    found = submissions.collect(request.places)
    if found.left_out:
        note(f"Not evaluated: {first_few(found.left_out, len(found.left_out))}.")
    cache = NodeCache(request.cache)
    whole = shards.load(request.data, cache.entries)
    parts = shards.split(whole, request.shards)
    made = plan.make(found.submissions, whole, parts, request.options, no_photos=request.no_photos)
    _check_names(made, request.verify)
    rules = _rules(request, made)
    with result_store.opened(
        request.out, resume=request.resume or request.rescore or bool(request.only)
    ) as store:
        board = _Board(made, store, rules, request.cache)
        extended = _settle(request, made, board)
        if not request.rescore:
            extended = _run(request, made, board, extended, cache)
        rows = board.write()
        if request.seal is not None:
            tables = {"split.csv": request.split, "teams.csv": request.teams}
            given = {name: path for name, path in tables.items() if path is not None}
            seal.write(request.seal, extended, store, given)
        return Evaluation(plan=board.plan, rows=rows, out=request.out)


def _settle(request: EvaluationRequest, made: Plan, board: _Board) -> Plan:
    """Give the board the plan that follows from the results so far; return it with all repeats."""
    board.adopt(shard_check.settle(made, board.store))
    extended, runs = repeats.extend(board.plan, request.verify, request.repeat)
    board.rules = replace(board.rules, repeats=runs)
    return extended


def _run(
    request: EvaluationRequest, made: Plan, board: _Board, extended: Plan, cache: NodeCache
) -> Plan:
    """Run all that has no result; return the plan as it was carried out.

    Where shards prove to change a submission, its run on all images follows.
    """
    store = board.store
    chosen = _chosen(board.plan, store, request.only) if request.only else None
    if chosen is not None:
        chosen |= extended.distinct.keys() - board.plan.distinct.keys()
    with stdout_on_stderr():
        executor = _executor(request, extended, cache)
        try:
            with contextlib.closing(executor):
                while True:
                    with Progress(extended, err) as board.listener:
                        _describe(board.plan, store.out)
                        scheduler.execute(extended, store, executor, board, chosen)
                    known, before = extended.distinct.keys(), board.plan.jobs
                    extended = _settle(request, made, board)
                    for item, jobs in board.plan.jobs.items():
                        if jobs != before[item]:
                            note(f"{item.name}: {shard_check.check(board.plan, item, store).text}")
                    new = frozenset(extended.distinct.keys() - known)
                    chosen = frozenset(key for key in new if not store.finished(key))
                    if not chosen:
                        return extended
        except BaseException:
            board.write()
            raise


def _describe(made: Plan, out: Path) -> None:
    """Write the terms of the evaluation, and the keys of the runs of each submission."""
    keys = {item.name: [job.key for job in jobs] for item, jobs in made.jobs.items()}
    described = json.dumps(leaderboard.metadata(made) | {"jobs": keys}, indent=2, default=str)
    write_text(out / result_store.PLAN_FILE, described + "\n")


def _rules(request: EvaluationRequest, made: Plan) -> Rules:
    """Return how to rank them, from the tables that the organizer gives.

    Raises:
        BadDataError: A table is not what it should be.
        UsageError: It lacks a row, or there is nothing to split.
    """
    if request.split is not None and made.whole.labels is None:
        raise UsageError(
            "--split needs labels.",
            why=f"{leaderboard.data_name(made)} has none, so there are no scores to split.",
            fix="Add the labels to the data, or omit --split.",
        )
    names = [item.name for item in made.submissions]
    ids = [Path(entry.name).stem for entry in made.whole.entries]
    return Rules(
        ties=request.ties,
        teams=read_teams(request.teams, names) if request.teams else {},
        subsets=read_subsets(request.split, ids) if request.split else {},
    )


def _check_names(made: Plan, names: Sequence[str]) -> None:
    """Check that there are submissions of these names.

    Raises:
        UsageError: There is none of that name.
    """
    known = [item.name for item in made.submissions]
    for word in names:
        if word not in known:
            raise UsageError(
                f"No submission is called {word}.",
                why=f"They are called {first_few(known, len(known))}.",
                fix=f"Name one of them; --only takes a verdict too, such as {Verdict.TIME_LIMIT}.",
            )


def _chosen(made: Plan, store: ResultStore, only: Sequence[str]) -> frozenset[str]:
    """Return the keys of the runs of some submissions.

    Raises:
        UsageError: There is no submission of that name, and no verdict.
    """
    _check_names(made, [word for word in only if word not in {*Verdict}])
    verdicts = {}
    for submission in made.submissions:
        found = store.results.result(key_of(made, submission))
        verdicts[submission.name] = str(found.verdict) if found else ""
    chosen = [item for item in made.submissions if {item.name, verdicts[item.name]} & {*only}]
    checks = [job for item in chosen for job in made.checks.get(item, ())]
    return frozenset(
        [job.key for item in chosen for job in made.jobs[item]]
        + [job.key for job in checks if not store.finished(job.key)]
    )


class _Board:
    """Publishes the result of each submission when its runs are over, and the leaderboard."""

    def __init__(
        self,
        made: Plan,
        store: ResultStore,
        rules: Rules | None = None,
        cache: Path | None = None,
    ) -> None:
        self._cache = cache
        self.store = store
        self.rules = rules or Rules()
        self._began = time.monotonic()
        self._spent_s = 0.0
        self._news = True
        self.listener: scheduler.Listener | None = None
        self.adopt(made)

    def adopt(self, made: Plan) -> None:
        """Take a plan, instead of an earlier one."""
        self.plan = made
        self._submissions: dict[str, list[Submission]] = defaultdict(list)
        for submission, jobs in (*made.jobs.items(), *made.checks.items()):
            for job in jobs:
                self._submissions[job.key].append(submission)

    def write(self) -> tuple[Row, ...]:
        """Publish all that can be published, and write the leaderboard."""
        for submission in self.plan.submissions:
            publish(self.plan, submission, self.store, cache=self._cache)
        return self._write_files(live=False)

    def _write_files(self, *, live: bool) -> tuple[Row, ...]:
        began = time.monotonic()
        rows = leaderboard.rows(self.plan, self.store, self.rules)
        self._write_one(rows, live=live)
        for subset, images in self.rules.subsets.items():
            shown = leaderboard.of_subset(rows, subset, len(images))
            self._write_one(shown, subset, live=live)
        self._spent_s += time.monotonic() - began
        self._news = False
        return rows

    def _write_one(self, rows: tuple[Row, ...], subset: str = "", *, live: bool) -> None:
        """Write the leaderboard of all images or of a subset as CSV, JSON and a page."""
        texts = {
            CSV_FILE: leaderboard.to_csv(rows),
            JSON_FILE: leaderboard.to_json(self.plan, rows, subset),
            PAGE_FILE: leaderboard_page.render(self.plan, rows, subset, live=live),
        }
        for name, text in texts.items():
            stem, _, suffix = name.partition(".")
            own = f"{stem}-{subset}.{suffix}" if subset else name
            write_text(self.store.out / own, text)

    def started(self, missing: frozenset[str], kept: int) -> None:
        """Call the listener."""
        if self.listener is not None:
            self.listener.started(missing, kept)

    def completed(self, completion: Completion, *, again: bool) -> None:
        """Publish what is whole with this run, and tell the listener, with its score."""
        self._news = True
        if not again:
            for submission in self._submissions[completion.job.key]:
                result = publish(self.plan, submission, self.store, renew=True, cache=self._cache)
                alone = len(self.plan.jobs[submission]) == 1
                if result is not None and completion.output and alone:
                    output = replace(completion.output, result=result)
                    completion = replace(completion, output=output)
        if self.listener is not None:
            self.listener.completed(completion, again=again)

    def tick(self, capacity: Capacity) -> None:
        """Write the leaderboard if it has news, and tell the listener."""
        affordable_s = _AT_ONCE_S + (time.monotonic() - self._began) / _RARELY
        if self._news and self._spent_s <= affordable_s:
            self._write_files(live=True)
        if self.listener is not None:
            self.listener.tick(capacity)


_RARELY: Final = 20
"""Writing leaderboards takes at most this part of the time ..."""
_AT_ONCE_S: Final = 1.0
"""... and this long at first: a long run may follow several short ones."""


def _executor(request: EvaluationRequest, made: Plan, cache: NodeCache) -> Executor:
    by_digest = made.datasets
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
