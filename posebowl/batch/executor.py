"""What runs jobs: this machine, one after the other, or a Ray cluster."""

from __future__ import annotations

import platform
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from posebowl.batch.node_cache import NodeCache
from posebowl.batch.plan import Job
from posebowl.batch.shards import Dataset
from posebowl.batch.worker import JobResult, run_job
from posebowl.errors import Verdict


@dataclass(frozen=True, kw_only=True)
class Completion:
    """An attempt at a job that is over."""

    job: Job
    output: JobResult | None
    lost: str = ""
    """Why there is no output: the machine or its worker went away."""
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The machines that are at work."""

    nodes: int
    slots: int
    """Runs that fit on them at once."""
    running: Mapping[str, str] = field(default_factory=dict)
    """The key of each job that runs -> its machine."""


class Executor(Protocol):
    """Takes jobs, and returns the outcome of each in the order in which they end."""

    max_jobs: int
    """The most jobs that it takes at once, running or waiting."""

    def submit(self, job: Job) -> None:
        """Take a job."""
        ...

    def wait(self) -> Completion | None:
        """Wait a moment for a job to end; None where none did.

        Raises:
            KeyboardInterrupt: Ctrl-C; nothing is alive after `close`.
        """
        ...

    def capacity(self) -> Capacity:
        """Return the machines that are at work.

        Raises:
            EngineError: There are none, and none are awaited.
        """
        ...

    def close(self) -> None:
        """End all that is running."""
        ...


class SerialExecutor:
    """Runs jobs one after the other, on this machine and in this process."""

    max_jobs = 1

    def __init__(
        self, shards: Mapping[str, Dataset], *, cache: NodeCache, registry_name: str = ""
    ) -> None:
        self._shards = shards
        self._cache = cache
        self._registry = registry_name
        self._waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._waiting.append(job)

    def wait(self) -> Completion:
        """Run the next job to its end."""
        job = self._waiting.popleft()
        shard = self._shards[job.shard_digest]
        output = run_job(job, shard, cache=self._cache, registry_name=self._registry, chunks=())
        if output is not None and output.result.verdict is Verdict.INTERRUPTED:
            raise KeyboardInterrupt
        return Completion(job=job, output=output, node=output.node if output else "")

    def capacity(self) -> Capacity:
        """Return this machine, and the job that is its next: `wait` runs it."""
        return Capacity(
            nodes=1, slots=1, running={job.key: platform.node() for job in self._waiting}
        )

    def close(self) -> None:
        """Do nothing: no run is alive between two jobs."""
