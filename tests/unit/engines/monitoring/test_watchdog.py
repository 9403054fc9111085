"""Watching a run: what stops it, what is kept of it, and what its files take."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from posebowl.challenge import Limits
from posebowl.engines.base import Sample, Stop, Usage
from posebowl.engines.monitoring.disk_usage import DiskUsage, Written, folder_usage
from posebowl.engines.monitoring.watchdog import Watched, settle, watch
from posebowl.util.files import remove_tree

LIMITS = Limits(wall_time_s=100, memory_bytes=1000, output_bytes=500)


@dataclass
class Run:
    """A run in a time of its own: waiting moves the clock, and nothing sleeps."""

    ends_at: float = 1e9
    memory: Callable[[float], int] = lambda _: 10
    output: Callable[[float], int] = lambda _: 0
    files: int = 0
    whole: bool = True
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

    def written(self) -> Written:
        return Written(bytes=self.output(self.elapsed), files=self.files, whole=self.whole)

    def watch(self) -> Watched:
        return watch(
            clock=lambda: self.now,
            wait=self.wait,
            probe=self,
            limits=self.limits,
            on_sample=self.heard.append,
            interval_s=self.interval_s,
            memory_is_enforced=self.memory_is_enforced,
            written=self.written,
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
        ({"memory_is_enforced": False, **OVER}, Stop.OUTPUT),
        ({"memory_is_enforced": False, "memory": OVER["memory"]}, Stop.TIME),
        ({"output": lambda at: 900 * (at > 100)}, Stop.TIME),
        (
            {"memory_is_enforced": False, "limits": replace(LIMITS, wall_time_s=200), **OVER},
            "output",
        ),
        ({"memory_is_enforced": False, "memory": lambda _: 1001}, Stop.MEMORY),
        ({"memory_is_enforced": False, "memory": lambda _: 1000, "ends_at": 1}, None),
        ({"memory_is_enforced": True, "memory": lambda _: 1001, "ends_at": 1}, None),
        ({"output": lambda _: 501}, Stop.OUTPUT),
        ({"output": lambda _: 500, "ends_at": 1}, None),
        ({"files": 3, "limits": replace(LIMITS, output_bytes=2 << 14)}, Stop.FILES),
        ({"files": 2, "limits": replace(LIMITS, output_bytes=2 << 14), "ends_at": 1}, None),
        ({"whole": False}, Stop.UNSEEN),
    ],
)
def test_what_stops_a_run(changes: dict[str, object], stop: Stop | None) -> None:
    assert Run(**changes).watch().stopped_by == stop  # type: ignore[arg-type]


def test_time_is_up_at_the_limit_and_not_at_the_next_look() -> None:
    run = Run(limits=replace(LIMITS, wall_time_s=0.7))
    assert run.watch().wall_s == pytest.approx(0.7)


def test_a_sum_that_misses_something_counts_only_when_it_is_not_the_only_one() -> None:
    answers = iter([Written(bytes=5), Written(whole=False), Written(whole=False), Written(bytes=7)])
    sums = DiskUsage(lambda: next(answers), 0.0, clock=itertools.count().__next__)
    assert [sums.written().bytes for _ in range(31)][::10] == [5, 5, 5, 7]


@pytest.mark.parametrize(
    ("written", "stop"),
    [
        (Written(bytes=500), None),
        (Written(bytes=501), Stop.OUTPUT),
        (Written(files=1), Stop.FILES),
        (Written(whole=False), Stop.UNSEEN),
        (Written(bytes=501, files=1, whole=False), Stop.OUTPUT),
    ],
)
def test_what_a_dead_run_has_written_counts(written: Written, stop: Stop | None) -> None:
    seen = Run(ends_at=90).watch()
    settled = settle(seen, LIMITS, written)
    assert (settled.stopped_by, settled.wall_s) == (stop, 90)
    assert settled.written == written
    assert settled.samples[-1].output_bytes == written.bytes
    assert settled.samples[:-1] == seen.samples[:-1]


def test_why_a_run_was_stopped_stays() -> None:
    seen = Run().watch()
    settled = settle(seen, LIMITS, Written(bytes=501))
    assert (settled.stopped_by, settled.wall_s) == (Stop.TIME, seen.wall_s)


def test_what_was_there_before_is_not_written() -> None:
    before = Written(bytes=100, files=3)
    assert Written(bytes=150, files=2).since(before) == Written(bytes=50)
    assert not (Written() + Written(whole=False)).since(before).whole


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

    def slow() -> Written:
        begun.set()
        assert go_on.wait(10)
        return Written(bytes=7)

    sums = DiskUsage(slow, 0.0)
    started = time.monotonic()
    assert [sums.written() for _ in range(5)] == [Written()] * 5
    assert begun.is_set()
    assert time.monotonic() - started < 5
    go_on.set()
    sums.close()
    assert sums.written().bytes == 7


def test_the_first_limit_counts_however_rarely_output_is_summed_up() -> None:
    run = Run()

    def slow(at: float) -> int:
        run.now = min(run.now + 5.0, 100)  # so the next sum is 50 s away
        return 900 * (at >= 60)

    run.output = slow
    assert run.watch().stopped_by is Stop.OUTPUT


def test_a_run_is_not_longer_for_a_slow_sum_at_its_end() -> None:
    run = Run(ends_at=3)

    def slow(at: float) -> int:
        run.now += 5.0 * (at >= 3)
        return 0

    run.output = slow
    assert run.watch().wall_s == pytest.approx(3)


def test_folder_usage_follows_no_links(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "big").write_bytes(os.urandom(1 << 20))
    inside = tmp_path / "inside"
    (inside / "deep" / "deeper").mkdir(parents=True)
    (inside / "deep" / "deeper" / "file").write_bytes(os.urandom(100_000))
    (inside / "to_file").symlink_to(elsewhere / "big")
    (inside / "to_folder").symlink_to(elsewhere)
    (inside / "round").symlink_to(inside)
    assert 100_000 <= folder_usage(inside).bytes < 200_000
    assert folder_usage(inside).files == 6


def test_folder_usage_counts_blocks_and_each_file_once(tmp_path: Path) -> None:
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert folder_usage(tmp_path).bytes < 1 << 20
    (tmp_path / "one").write_bytes(os.urandom(1 << 20))
    before = folder_usage(tmp_path).bytes
    os.link(tmp_path / "one", tmp_path / "two")
    assert folder_usage(tmp_path).bytes == before >= 1 << 20


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert folder_usage(tmp_path / "none") == Written()


DEEP = 3000
"""Folders one below the other; their path is longer than the kernel's PATH_MAX of 4096 bytes."""


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Make folders one below the other, each with a side folder, and a file in the last one."""
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("a", dir_fd=here)
        os.mkdir("z", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(file, os.urandom(1 << 20))
    os.close(file)
    os.close(here)
    yield top
    remove_tree(top)


COUNT_AND_COMPARE = """
import os, sys
from pathlib import Path
from posebowl.engines.monitoring.disk_usage import folder_usage

before = os.listdir("/proc/self/fd")
found = folder_usage(Path(sys.argv[1]))
print(found.whole, found.files, found.bytes, sorted(os.listdir("/proc/self/fd")) == sorted(before))
"""
"""Prints what lies in a folder, and whether the same files are open as before it was summed up."""


def test_folders_deeper_than_any_path_are_counted(deep: Path) -> None:
    # In a process of its own: in this one, threads of other tests open and close files meanwhile.
    command = (sys.executable, "-c", COUNT_AND_COMPARE, deep)
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    whole, files, size, same_files_open = told.stdout.split()
    assert (whole, files) == ("True", str(2 * DEEP + 1))
    assert int(size) >= 1 << 20
    assert same_files_open == "True"


def test_folders_that_move_while_they_are_summed_up_are_not_taken_for_empty(deep: Path) -> None:
    here = os.open(deep, os.O_RDONLY)
    for _ in range(1000):
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    elsewhere = os.open(deep.parent, os.O_RDONLY)
    done = threading.Event()

    def move() -> None:
        while not done.is_set():
            os.rename("a", "moved", src_dir_fd=here, dst_dir_fd=elsewhere)
            os.rename("moved", "a", src_dir_fd=elsewhere, dst_dir_fd=here)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        sums = [folder_usage(deep) for _ in range(5)]
    finally:
        done.set()
        mover.join()
        os.close(here)
        os.close(elsewhere)
    assert all(not found.whole or found.files >= 2000 for found in sums)


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o400])
def test_closed_folders_are_opened(tmp_path: Path, mode: int) -> None:
    """As an ordinary user: root may look everywhere."""
    closed = tmp_path / "top" / "closed"
    (closed / "below").mkdir(parents=True)
    (closed / "below" / "file").write_bytes(os.urandom(1 << 20))
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (tmp_path / "top" / "link").symlink_to(outside)
    closed.chmod(mode)
    found = as_user(tmp_path, "top")
    assert found.whole
    assert found.files == 4
    assert found.bytes >= 1 << 20
    assert outside.stat().st_mode & 0o777 == 0o500


def test_a_folder_of_somebody_else_is_not_taken_for_empty(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder of somebody else")
    (tmp_path / "top" / "closed").mkdir(parents=True)
    closed = tmp_path / "top" / "closed"
    closed.chmod(0o000)
    found = as_user(tmp_path, "top", but=closed)
    assert found == Written(bytes=found.bytes, files=1, whole=False)


def as_user(folder: Path, name: str, *, but: Path | None = None) -> Written:
    """Sum up a folder as an ordinary user who owns all but one of its parts."""
    if os.geteuid() != 0:
        return folder_usage(folder / name)
    for place in (folder, *folder.rglob("*")):
        if place != but:
            os.lchown(place, 65534, 65534)
    pipe, end = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            found = folder_usage(Path(name))
            os.write(end, json.dumps([found.bytes, found.files, found.whole]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(end)
    with os.fdopen(pipe) as said:
        total, files, whole = json.loads(said.read())
    return Written(bytes=total, files=files, whole=whole)
