"""From the plan to the store: existing results are kept, infrastructure failures are retried."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container
from typing import Final, Protocol

from posebowl.batch.executor import Capacity, Completion, Executor
from posebowl.batch.plan import Plan
from posebowl.batch.result_store import Attempt, ResultStore
from posebowl.batch.worker import failure
from posebowl.errors import Verdict

MAX_TRIES: Final = 3
"""Runs of a job until ENGINE_ERROR is taken for its result."""
MAX_LOSSES: Final = 8
"""Machines that a job may lose: even one that brings each of them down has to end."""


class Listener(Protocol):
    """Follows an evaluation."""

    def started(self, missing: frozenset[str], kept: int) -> None:
        """The jobs of these keys are to be run; so many others have a result."""
        ...

    def completed(self, completion: Completion, *, again: bool) -> None:
        """An attempt is over; `again`: another one follows."""
        ...

    def tick(self, capacity: Capacity) -> None:
        """Time has passed."""
        ...


def execute(
    plan: Plan,
    store: ResultStore,
    executor: Executor,
    listener: Listener,
    chosen: Container[str] | None = None,
) -> None:
    """Run all jobs that have no result in the store, and put their results there.

    Args:
        plan: What to run.
        store: Of the runs.
        executor: What runs them.
        listener: Told what happens.
        chosen: The keys of the jobs to run instead, even if they have a result.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was finished is kept.
    """
    jobs = plan.distinct
    todo = deque(
        job
        for key, job in jobs.items()
        if (key in chosen if chosen is not None else not store.finished(key))
    )
    listener.started(frozenset(job.key for job in todo), len(jobs) - len(todo))
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    running = 0
    while todo or running:
        while todo and running < executor.max_jobs:
            executor.submit(todo.popleft())
            running += 1
        listener.tick(executor.capacity())
        if (completion := executor.wait()) is None:
            continue
        running -= 1
        again = _settle(completion, attempts[completion.job.key], store)
        listener.completed(completion, again=again)
        if again:
            todo.append(completion.job)


def _settle(completion: Completion, attempts: list[Attempt], store: ResultStore) -> bool:
    """Keep the outcome of an attempt; return whether another one is to follow."""
    output = completion.output
    if output is None:
        attempts.append(Attempt(node=completion.node, verdict="", reason=completion.lost))
        if sum(not attempt.verdict for attempt in attempts) < MAX_LOSSES:
            return True
        output = failure(
            completion.job,
            "The machine or its worker went away "
            f"{MAX_LOSSES} times; the last time: {completion.lost}",
            "Add --resume to try again, and look at this submission alone.",
        )
    else:
        verdict = output.result.verdict
        failed = verdict is Verdict.ENGINE_ERROR
        reason = output.result.message if failed else ""
        attempts.append(Attempt(node=output.node, verdict=verdict, reason=reason))
        if failed and sum(bool(attempt.verdict) for attempt in attempts) < MAX_TRIES:
            return True
    store.save(completion.job.key, output, attempts)
    return False
