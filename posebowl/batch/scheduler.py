"""From the plan to the store: what is there is not run again, what a machine failed is retried."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Final, Protocol

from posebowl.batch.executor import Crew, Ended, Executor
from posebowl.batch.plan import Job, Plan
from posebowl.batch.result_store import Attempt, Store
from posebowl.batch.worker import Produced, failed
from posebowl.errors import Verdict

TRIES: Final = 3
"""Runs of a job until ENGINE_ERROR is taken for its result."""
LOSSES: Final = 8
"""Machines that a job may lose: one that brings down each of them must come to an end, too."""


class Listener(Protocol):
    """Hears how it goes."""

    def began(self, missing: frozenset[str], kept: int) -> None:
        """The jobs of these keys are to be run; of so many others the results are there."""
        ...

    def ended(self, ended: Ended, *, again: bool) -> None:
        """A try is over; `again`: another one follows."""
        ...

    def tick(self, crew: Crew) -> None:
        """Time went by."""
        ...


def execute(plan: Plan, store: Store, executor: Executor, listener: Listener) -> None:
    """Run all jobs that the store has no result of, and put their results there.

    Raises:
        KeyboardInterrupt: Ctrl-C; what had ended is kept.
    """
    jobs = plan.distinct
    todo = deque(job for key, job in jobs.items() if not store.finished(key))
    listener.began(frozenset(job.key for job in todo), len(jobs) - len(todo))
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    running = 0
    try:
        while todo or running:
            while todo and running < executor.most:
                executor.start(todo.popleft())
                running += 1
            listener.tick(executor.crew())
            ended = executor.wait()
            if ended is None:
                continue
            running -= 1
            again = _settle(ended, attempts[ended.job.key], store)
            listener.ended(ended, again=again)
            if again:
                todo.append(ended.job)
    finally:
        executor.close()


def _settle(ended: Ended, attempts: list[Attempt], store: Store) -> bool:
    """Keep what came of a try; tell whether there is to be another one."""
    produced = ended.produced
    if produced is None:
        attempts.append(Attempt(node=ended.node, verdict="", reason=ended.lost))
        losses = sum(not attempt.verdict for attempt in attempts)
        if losses < LOSSES:
            return True
        produced = _given_up(ended.job, ended.lost)
    else:
        verdict = produced.result.verdict
        faulty = verdict is Verdict.ENGINE_ERROR
        reason = produced.result.message if faulty else ""
        attempts.append(Attempt(node=produced.node, verdict=verdict, reason=reason))
        if faulty and sum(bool(attempt.verdict) for attempt in attempts) < TRIES:
            return True
    store.put(ended.job.key, produced, attempts)
    return False


def _given_up(job: Job, reason: str) -> Produced:
    message = f"The machine or its worker went away {LOSSES} times; at last: {reason}"
    return failed(job, message, "Add --resume to try again, and look at this submission alone.")
