"""What runs jobs: one after the other on this machine, or what Ray makes of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from posebowl.batch.plan import Job
from posebowl.batch.shards import Slice
from posebowl.batch.worker import Produced, perform
from posebowl.errors import Verdict


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A try at a job that is over."""

    job: Job
    produced: Produced | None
    lost: str = ""
    """Why there is nothing: the machine or its worker went away."""
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Who is at work just now."""

    nodes: int
    slots: int
    """Runs that fit on them at once."""


class Executor(Protocol):
    """Takes jobs, and hands back what came of each in the order in which they end."""

    most: int
    """Jobs that it takes at once, running or waiting."""

    def start(self, job: Job) -> None:
        """Take a job."""
        ...

    def wait(self) -> Ended | None:
        """Wait for a job to end, but not for long; None where none did.

        Raises:
            KeyboardInterrupt: Ctrl-C; nothing is alive after `close`.
        """
        ...

    def crew(self) -> Crew:
        """Say who is at work."""
        ...

    def close(self) -> None:
        """End all that is running."""
        ...


class Serial:
    """Runs jobs one after the other, on this machine and in this process."""

    most = 1

    def __init__(self, slices: Mapping[str, Slice], *, registry_name: str = "") -> None:
        self._slices = slices
        self._registry = registry_name
        self._waiting: deque[Job] = deque()

    def start(self, job: Job) -> None:
        """Take a job."""
        self._waiting.append(job)

    def wait(self) -> Ended:
        """Run the next job to its end."""
        job = self._waiting.popleft()
        produced = perform(job, self._slices[job.slice], registry_name=self._registry, chunks=())
        if produced is not None and produced.result.verdict is Verdict.INTERRUPTED:
            raise KeyboardInterrupt
        return Ended(job=job, produced=produced, node=produced.node if produced else "")

    def crew(self) -> Crew:
        """Say that one is at work."""
        return Crew(nodes=1, slots=1)

    def close(self) -> None:
        """Nothing is alive between two jobs."""
