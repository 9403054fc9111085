"""The interface between a run and what executes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from posebowl.challenge import EngineName, Limit, Limits, Variant


class Stop(StrEnum):
    """Why the harness ended a run before main.sh did."""

    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One execution: what goes in, where it may write, and what it may use.

    `scratch` is an empty folder of the harness, on a disk, that the engine may fill as it
    likes and that the caller removes. What main.sh leaves in /code_execution/submission/ must
    lie in `output` when `Engine.execute` returns.
    """

    run_id: str
    archive: Path
    """submission.zip, already checked."""
    images: Path
    submission_format: Path
    output: Path
    """An empty folder, seen by the run as /code_execution/submission and by nobody else."""
    scratch: Path
    log: Path
    """Where the engine writes what main.sh prints, head and tail when it is too much."""
    variant: Variant
    limits: Limits
    imports: frozenset[str] = frozenset()
    """Top-level modules that the submission's Python files import."""
    waived: frozenset[Limit] = frozenset()
    """Limits that need not hold, by the user's word."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What the run used at one moment."""

    elapsed_s: float
    memory_bytes: int
    cpu_s: float
    """Processor seconds since the start, of all processes together."""
    read_bytes: int = 0
    write_bytes: int = 0
    output_bytes: int = 0
    images: int = 0
    """Got through by then, as far as can be told (see posebowl.run.image_progress)."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an execution ended, as seen from outside; nothing here comes from the submission."""

    exit_code: int | None
    """Of main.sh, 128 + n for signal n; None when the harness stopped it."""
    stopped_by: Stop | None
    started_after_s: float
    """From asking the engine to the start of main.sh."""
    wall_s: float
    """From the start of main.sh to its end."""
    cpu_s: float
    peak_memory_bytes: int
    output_bytes: int
    log_bytes: int
    """All that main.sh printed, kept or not."""
    oom_kills: int
    """Processes that the kernel or the watchdog killed for want of memory."""
    samples: tuple[Sample, ...] = ()
    unenforced: dict[Limit, str] = field(default_factory=dict)
    """Limits that did not hold, each with the reason in one sentence."""
    environment: dict[str, str] = field(default_factory=dict)
    """What it ran on: image or environment, lock hash, engine version."""


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """What the caller wants to hear while a run goes on; called from one thread at a time."""

    line: Callable[[str], None] = lambda _: None
    """A complete line of the log, without its end."""
    sample: Callable[[Sample], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None
    """Something that the engine does or decides, in words for the user."""
    admit: Callable[[], None] = lambda: None
    """Asked before main.sh starts, when all else is ready, and before anything that takes long:
    returns when nothing stands against the run, or raises what does."""


class Engine(Protocol):
    """Executes one run at a time."""

    name: EngineName

    def unavailable(self) -> str | None:
        """Say why this engine cannot work here and what to do about it, or None if it can."""
        ...

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:
        """Make what a run needs and can be reused: an image, an environment.

        Raises:
            EngineError: It cannot be made.
        """
        ...

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        """Run main.sh to its end or to a limit; nothing of it is alive on return.

        Raises:
            EngineError: main.sh could not be started, or the engine failed under way.
            LimitUnenforcedError: A limit that is not waived does not hold.
            KeyboardInterrupt: Passed on, after everything is ended.
        """
        ...

    def reap(self) -> None:
        """Remove what earlier runs of this tool left behind when they were killed."""
        ...
