"""The interface between a run and what executes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from posebowl.challenge import EngineName, Limit, Limits, Variant
from posebowl.errors import LimitUnenforcedError, Verdict

_SIGNAL_BASE: Final = 128
_LAST_SIGNAL: Final = 64
_SIGXFSZ: Final = 25
"""What the kernel sends to a program that makes a file larger than RLIMIT_FSIZE."""


OPEN_NETWORK: Final = (
    "main.sh has the network of this machine, since you waived it: a help for debugging that the "
    "platform does not have"
)


class Stop(StrEnum):
    """Why the harness ended a run before main.sh did."""

    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"
    FILES = "files"
    UNSEEN = "unseen"
    """Some of the output cannot be measured."""

    @property
    def is_output(self) -> bool:
        """Whether it is about what the run wrote to disk."""
        return self in {Stop.OUTPUT, Stop.FILES, Stop.UNSEEN}


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One execution: its input, where it may write, and what it may use.

    `scratch` is an empty folder on a disk that the engine may fill and the caller removes. What
    main.sh leaves in /code_execution/submission/ lies in `output` when `Engine.execute` returns.
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
    cache: Path
    """The folder of the setting `cache`, in which the embedded engine keeps environments."""
    imports: frozenset[str] = frozenset()
    """Top-level modules that the submission's Python files import."""
    unpacked_bytes: int = 0
    """What the archive unpacks to, which is not output, for engines that cannot measure it."""
    waived: frozenset[Limit] = frozenset()
    """Limits that the user allows not to hold."""
    runtime: str = ""
    """What is to start the container, as the engine knows it; empty leaves the choice to it."""
    hidden: tuple[Path, ...] = ()
    """Folders that the run may not see, wherever they lie: the labels'."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of its environment, beside those of every run."""
    image: str = ""
    """The image to run in; empty: the one that this checkout makes for the variant."""

    @property
    def network(self) -> bool:
        """Whether main.sh gets the host's network, since the user waives the limit."""
        return Limit.NETWORK in self.waived


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
    """Processed by then, as far as is known (see posebowl.run.image_progress)."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a run uses at this moment; memory without the page cache."""

    memory_bytes: int
    cpu_s: float
    read_bytes: int = 0
    write_bytes: int = 0
    oom_kills: int = 0
    peak_bytes: int = 0
    """The most memory so far, page cache included, as the kernel noted it; 0 if unknown."""
    cache_bytes: int = 0
    """The page cache, which the kernel takes back when memory runs short."""


class Probe(Protocol):
    """Reads from outside what a run uses."""

    def usage(self, *, fresh: bool = False) -> Usage:
        """Return what the run uses now; the last known values when it has ended.

        Args:
            fresh: Read everything again, even what is costly and usually read less often.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an execution ended, as seen from outside; nothing here comes from the submission."""

    exit_code: int | None
    """Of main.sh, 128 + n for signal n; None when the harness stopped it."""
    stopped_by: Stop | None
    started_after_s: float
    """From asking the engine to the start of main.sh."""
    wall_s: float
    """From the start of main.sh until its last process is dead."""
    cpu_s: float
    peak_memory_bytes: int
    output_bytes: int
    """On disk, without what the zip holds."""
    log_bytes: int
    """All that main.sh printed, kept or not."""
    oom_kills: int
    """Processes that the kernel or the watchdog killed for lack of memory."""
    samples: tuple[Sample, ...] = ()
    unenforced: dict[Limit, str] = field(default_factory=dict)
    """Limits that did not hold, each with the reason in one sentence."""
    environment: dict[str, str] = field(default_factory=dict)
    """What it ran on: image or environment, lock hash, engine version."""
    misplaced: bool = False
    """There is a submission.csv in the working directory, where nobody looks for it."""

    @property
    def signal(self) -> int | None:
        """The signal that main.sh died of, by its exit code."""
        number = (self.exit_code or 0) - _SIGNAL_BASE
        return number if 0 < number <= _LAST_SIGNAL else None

    def verdict(self, limits: Limits) -> Verdict:
        """Return the verdict so far, by the documented precedence; OK before predictions are read.

        A program that dies because one file would grow too large has met the output limit.
        """
        if self.stopped_by is Stop.TIME:
            return Verdict.TIME_LIMIT
        too_much = self.output_bytes > limits.output_bytes or self.signal == _SIGXFSZ
        if (self.stopped_by and self.stopped_by.is_output) or too_much:
            return Verdict.OUTPUT_LIMIT
        if self.stopped_by is Stop.MEMORY or (self.oom_kills > 0 and self.exit_code != 0):
            return Verdict.MEMORY_LIMIT
        if self.exit_code is None:
            return Verdict.ENGINE_ERROR
        if self.exit_code == 0:
            return Verdict.OK
        return Verdict.SIGNALED if self.signal else Verdict.RUNTIME_ERROR


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """What the caller is told while a run goes on, from one thread at a time."""

    line: Callable[[str], None] = lambda _: None
    """A complete line of the log, without its end; what prints waits until this returns."""
    sample: Callable[[Sample], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None
    """Something that the engine does or decides, in plain words for the user."""
    admit: Callable[[], None] = lambda: None
    """Called before main.sh starts, when all else is ready, and before anything slow: returns if
    the run may go on, raises otherwise."""


class Engine(Protocol):
    """Executes one run at a time."""

    name: EngineName

    def unavailable(self) -> str | None:
        """Return why this engine cannot be used here and how to fix that, or None if it can."""
        ...

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:
        """Check or make what a run needs and others can reuse: an image, an environment.

        Raises:
            EngineError: It is missing and cannot be made.
            LimitUnenforcedError: The engine says that it cannot hold a limit that is not waived.
        """
        ...

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        """Run main.sh to its end or to a limit; none of its processes is alive on return.

        Raises:
            EngineError: main.sh could not be started, or the engine failed during the run.
            LimitUnenforcedError: A limit that is not waived does not hold.
            BadDataError: The run may not read all of its data.
            KeyboardInterrupt: Passed on, after everything is ended.
        """
        ...

    def reap(self) -> None:
        """Remove what killed runs of this tool left behind."""
        ...


def refuse_unwaived(weak: Mapping[Limit, str], spec: RunSpec, engine: EngineName) -> None:
    """Raise LimitUnenforcedError if a limit that is not waived does not hold."""
    missing = {limit: why for limit, why in weak.items() if limit not in spec.waived}
    if missing:
        raise LimitUnenforcedError(
            f"{engine} does not enforce these limits: {', '.join(missing)}.",
            why="; ".join(dict.fromkeys(missing.values())) + ".",
            fix=f"Use another engine, or waive them: --waive {','.join(missing)}",
        )
