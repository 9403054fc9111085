"""Watch a run from outside: sample what it uses, and decide when it must be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from posebowl.challenge import Limits
from posebowl.engines.base import Probe, Sample, Stop, Usage
from posebowl.engines.monitoring.disk_usage import DiskUsage, Written

SAMPLE_INTERVAL_S: Final = 0.5
"""Between two samples that are kept."""

_MOST_SAMPLES: Final = 2400


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What was seen of a run, from the start of main.sh until its last process is dead."""

    stopped_by: Stop | None
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    written: Written
    oom_kills: int
    samples: tuple[Sample, ...]


def watch(
    *,
    wait: Callable[[float], bool],
    probe: Probe,
    limits: Limits,
    written: Callable[[], Written],
    on_sample: Callable[[Sample], None],
    interval_s: float = SAMPLE_INTERVAL_S,
    memory_is_enforced: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> Watched:
    """Watch a run until it ends or must be stopped; stopping it is up to the caller.

    The limit that was exceeded first counts. The output is summed up only now and then, so it is
    summed up once more when the time is over: what lies there was written before.

    Args:
        wait: Waits at most so many seconds for the death of all processes, and returns whether it
            came.
        probe: Reads what the run uses.
        limits: What it may use.
        written: Sums what it has written.
        on_sample: Called twice a second.
        interval_s: Between two looks at the memory: shorter where nothing else enforces it.
        memory_is_enforced: False where this loop has to stop a run that takes too much.
        clock: The time, in seconds.
    """
    start = clock()
    record = _Record(on_sample)
    output = DiskUsage(written, SAMPLE_INTERVAL_S, clock)
    elapsed, stopped = 0.0, None
    while stopped is None:
        left = start + limits.wall_time_s - clock()
        ended = wait(max(0.0, min(interval_s, left)))
        elapsed = clock() - start
        record.add(elapsed, probe.usage(fresh=ended), output.written())
        if ended:
            break
        if elapsed >= limits.wall_time_s:
            stopped = excess(output.latest(), limits) or Stop.TIME
        elif too_much := excess(record.written, limits):
            stopped = too_much
        elif not memory_is_enforced and record.memory_bytes > limits.memory_bytes:
            stopped = Stop.MEMORY
    output.close()
    return record.result(stopped, elapsed)


def settle(watched: Watched, limits: Limits, written: Written) -> Watched:
    """Check the output of a run that is dead, which can no longer change.

    Args:
        watched: What was seen of it while it ran.
        limits: What it was allowed to use.
        written: What it has written in all.
    """
    *before, last = watched.samples
    return replace(
        watched,
        stopped_by=watched.stopped_by or excess(written, limits),
        written=written,
        samples=(*before, replace(last, output_bytes=written.bytes)),
    )


def excess(written: Written, limits: Limits) -> Stop | None:
    """Return which limit on the output is exceeded; what cannot be seen might exceed any."""
    if written.bytes > limits.output_bytes:
        return Stop.OUTPUT
    if written.files > limits.output_files:
        return Stop.FILES
    return None if written.whole else Stop.UNSEEN


class _Record:
    """Collects samples, thinned to a bounded number however long the run is, and the last one."""

    def __init__(self, on_sample: Callable[[Sample], None]) -> None:
        self._on_sample = on_sample
        self._samples: list[Sample] = []
        self._last: Sample | None = None
        self._spacing_s = SAMPLE_INTERVAL_S
        self._told_at = -SAMPLE_INTERVAL_S
        self._usage = Usage(memory_bytes=0, cpu_s=0.0)
        self._peak = 0
        self._most_cache = 0
        self.written = Written()

    @property
    def memory_bytes(self) -> int:
        return self._usage.memory_bytes

    def add(self, elapsed_s: float, usage: Usage, written: Written) -> None:
        self._usage = usage
        self._most_cache = max(self._most_cache, usage.cache_bytes)
        # Between two samples only the kernel sees a peak; without the cache it was at least this.
        seen = (usage.memory_bytes, usage.peak_bytes - self._most_cache)
        self._peak = max(self._peak, *seen)
        self.written = written
        self._last = sample = Sample(
            elapsed_s=elapsed_s,
            memory_bytes=usage.memory_bytes,
            cpu_s=usage.cpu_s,
            read_bytes=usage.read_bytes,
            write_bytes=usage.write_bytes,
            output_bytes=written.bytes,
        )
        if elapsed_s - self._told_at < SAMPLE_INTERVAL_S * 0.9:
            return
        self._told_at = elapsed_s
        self._on_sample(sample)
        if not self._samples or elapsed_s - self._samples[-1].elapsed_s >= self._spacing_s * 0.9:
            self._samples.append(sample)
        if len(self._samples) > _MOST_SAMPLES:
            self._samples = self._samples[::2]
            self._spacing_s *= 2

    def result(self, stopped: Stop | None, wall_s: float) -> Watched:
        if self._last is not None and self._last not in self._samples[-1:]:
            self._samples.append(self._last)
        return Watched(
            stopped_by=stopped,
            wall_s=wall_s,
            cpu_s=self._usage.cpu_s,
            peak_memory_bytes=self._peak,
            written=self.written,
            oom_kills=self._usage.oom_kills,
            samples=tuple(self._samples),
        )
