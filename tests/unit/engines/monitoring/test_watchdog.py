"""Watching a run: what stops it, what is kept of it, and what its files take."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from posebowl.challenge import Limits
from posebowl.engines.base import Sample, Stop, Usage
from posebowl.engines.handshake import LATE_S
from posebowl.engines.monitoring.disk_usage import DiskUsage, folder_bytes
from posebowl.engines.monitoring.watchdog import Watched, settle, watch

LIMITS = Limits(wall_time_s=100, memory_bytes=1000, output_bytes=500)


@dataclass
class Run:
    """A run in a time of its own: waiting moves the clock, and nothing sleeps."""

    ends_at: float = 1e9
    memory: Callable[[float], int] = lambda _: 10
    output: Callable[[float], int] = lambda _: 0
    limits: Limits = LIMITS
    memory_is_enforced: bool = True
    interval_s: float = 0.5
    now: float = 0.0
    heard: list[Sample] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        assert seconds <= self.interval_s
        moved = self.now + max(seconds, 1e-6)  # as real clocks do, it never stands still
        self.now = min(moved, max(self.now, self.ends_at))
        return self.elapsed >= self.ends_at

    def usage(self, *, fresh: bool = False) -> Usage:  # noqa: ARG002  # nothing is kept here
        return Usage(memory_bytes=self.memory(self.elapsed), cpu_s=2 * self.elapsed, oom_kills=1)

    def watch(self) -> Watched:
        return watch(
            clock=lambda: self.now,
            wait=self.wait,
            probe=self,
            limits=self.limits,
            on_sample=self.heard.append,
            interval_s=self.interval_s,
            memory_is_enforced=self.memory_is_enforced,
            written=lambda: self.output(self.elapsed),
        )


def test_a_run_that_ends_by_itself() -> None:
    run = Run(ends_at=3.2, memory=lambda at: int(100 * at))
    seen = run.watch()
    assert seen.stopped_by is None
    assert seen.wall_s == pytest.approx(3.2)
    assert seen.cpu_s == pytest.approx(6.4)
    assert seen.peak_memory_bytes == 320
    assert seen.oom_kills == 1
    assert [sample.elapsed_s for sample in run.heard] == pytest.approx([0.5, 1, 1.5, 2, 2.5, 3])


def test_the_last_sample_is_kept() -> None:
    seen = Run(ends_at=3.2).watch()
    assert seen.samples[-1].elapsed_s == pytest.approx(3.2)
    assert len({sample.elapsed_s for sample in seen.samples}) == len(seen.samples) == 7


def test_a_run_shorter_than_a_look_has_a_sample() -> None:
    (only,) = Run(ends_at=0.01).watch().samples
    assert only.elapsed_s == pytest.approx(0.01)


OVER = {"memory": lambda at: 2000 if at >= 99.9 else 0, "output": lambda at: 900 * (at >= 99.9)}


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ({}, Stop.TIME),
        ({"memory_is_enforced": False, **OVER}, Stop.TIME),
        (
            {"memory_is_enforced": False, "limits": replace(LIMITS, wall_time_s=200), **OVER},
            "output",
        ),
        ({"memory_is_enforced": False, "memory": lambda _: 1001}, Stop.MEMORY),
        ({"memory_is_enforced": False, "memory": lambda _: 1000, "ends_at": 1}, None),
        ({"memory_is_enforced": True, "memory": lambda _: 1001, "ends_at": 1}, None),
        ({"output": lambda _: 501}, Stop.OUTPUT),
        ({"output": lambda _: 500, "ends_at": 1}, None),
    ],
)
def test_what_stops_a_run(changes: dict[str, object], stop: Stop | None) -> None:
    assert Run(**changes).watch().stopped_by == stop  # type: ignore[arg-type]


def test_time_is_up_at_the_limit_and_not_at_the_next_look() -> None:
    run = Run(limits=replace(LIMITS, wall_time_s=0.7))
    assert run.watch().wall_s == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("late_s", "output_bytes", "stop", "wall_s"),
    [
        (0.1, 500, None, 90),
        (LATE_S, 500, None, 90),
        (0.1, 501, Stop.OUTPUT, 90),
        (9.0, 500, None, 99),
        (10.0, 501, Stop.TIME, 100),
    ],
)
def test_what_a_run_did_after_its_end_mark_counts(
    late_s: float, output_bytes: int, stop: Stop | None, wall_s: float
) -> None:
    seen = Run(ends_at=90).watch()
    settled = settle(seen, LIMITS, late_s=late_s, output_bytes=output_bytes)
    assert (settled.stopped_by, settled.wall_s) == (stop, pytest.approx(wall_s))
    assert settled.output_bytes == settled.samples[-1].output_bytes == output_bytes
    assert settled.samples[:-1] == seen.samples[:-1]


def test_why_a_run_was_stopped_stays() -> None:
    seen = Run().watch()
    settled = settle(seen, LIMITS, late_s=9.0, output_bytes=501)
    assert (settled.stopped_by, settled.wall_s) == (Stop.TIME, seen.wall_s)


def test_samples_of_a_long_run_are_thinned() -> None:
    run = Run(ends_at=5000, limits=replace(LIMITS, wall_time_s=1e5))
    seen = run.watch()
    times = [sample.elapsed_s for sample in seen.samples]
    assert 1200 <= len(times) <= 2401
    assert len(run.heard) == 10_000
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps[:-1]) == pytest.approx(max(gaps[:-1])) == pytest.approx(4)
    assert times[0] == 0.5
    assert times[-1] == pytest.approx(5000)


def test_often_looked_at_is_not_often_told() -> None:
    run = Run(ends_at=10, interval_s=0.05)
    run.watch()
    assert 18 <= len(run.heard) <= 22


def test_sums_of_folders_take_a_tenth_of_the_time_at_most() -> None:
    sums: list[float] = []
    run = Run(ends_at=60)

    def slow(at: float) -> int:
        sums.append(at)
        run.now += 1.0
        return 0

    run.output = slow
    run.watch()
    assert len(sums) <= 8


def test_a_slow_sum_keeps_nobody_waiting() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        assert go_on.wait(10)
        return 7

    sums = DiskUsage(slow, 0.0)
    started = time.monotonic()
    assert [sums.bytes() for _ in range(5)] == [0] * 5
    assert begun.is_set()
    assert time.monotonic() - started < 5
    go_on.set()
    sums.close()
    assert sums.bytes() == 7


def test_a_run_is_not_longer_for_a_slow_sum_at_its_end() -> None:
    run = Run(ends_at=3)

    def slow(at: float) -> int:
        run.now += 5.0 * (at >= 3)
        return 0

    run.output = slow
    assert run.watch().wall_s == pytest.approx(3)


def test_folder_bytes_follows_no_links(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "big").write_bytes(os.urandom(1 << 20))
    inside = tmp_path / "inside"
    (inside / "deep" / "deeper").mkdir(parents=True)
    (inside / "deep" / "deeper" / "file").write_bytes(os.urandom(100_000))
    (inside / "to_file").symlink_to(elsewhere / "big")
    (inside / "to_folder").symlink_to(elsewhere)
    (inside / "round").symlink_to(inside)
    assert 100_000 <= folder_bytes(inside) < 200_000


def test_folder_bytes_counts_blocks_and_each_file_once(tmp_path: Path) -> None:
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert folder_bytes(tmp_path) < 1 << 20
    (tmp_path / "one").write_bytes(os.urandom(1 << 20))
    before = folder_bytes(tmp_path)
    os.link(tmp_path / "one", tmp_path / "two")
    assert folder_bytes(tmp_path) == before >= 1 << 20


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path / "none") == 0
