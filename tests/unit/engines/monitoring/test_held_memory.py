"""What processes hold in memory, each page once, mapped or not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest

from posebowl.engines.monitoring.held_memory import HeldMemory

MIB = 1 << 20
FAR = 64 << 30
MEMFD = (
    "import os, mmap, sys\n"
    f"fd = os.memfd_create('x'); os.write(fd, b'x' * {50 * MIB})\n"
    "if {mapped}: held = mmap.mmap(fd, 0); sum(held[::4096])\n"
    "print('up', flush=True); sys.stdin.read()\n"
)
FORKS = (
    "import os, sys\n"
    f"held = b'x' * {50 * MIB}\n"
    "if os.fork() and os.fork(): print('up', flush=True)\n"
    "sys.stdin.read()\n"
)

Started = Callable[[str], psutil.Process]


@pytest.fixture
def start() -> Iterator[Started]:
    """Return a function that starts Python and waits until it says that it is up."""
    with ExitStack() as stack:

        def started(code: str) -> psutil.Process:
            child = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            stack.enter_context(child)
            stack.callback(child.kill)
            assert child.stdout is not None
            assert child.stdout.readline() == b"up\n"
            return psutil.Process(child.pid)

        yield started


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("limit", [FAR, 75 * MIB, MIB])
def test_a_file_without_a_name_counts_once(start: Started, mapped: bool, limit: int) -> None:
    child = start(MEMFD.replace("{mapped}", str(mapped)))
    held = HeldMemory(limit).bytes([child.pid], child.memory_info().rss)
    assert 50 * MIB < held < 75 * MIB


def test_what_two_processes_have_open_counts_once(start: Started) -> None:
    code = MEMFD.replace("{mapped}", "False").replace("print(", "os.fork() and print(")
    child = start(code)
    pids = [child.pid, *(below.pid for below in child.children())]
    assert len(pids) == 2
    assert 50 * MIB < HeldMemory(FAR).bytes(pids, 0) < 80 * MIB


def test_shared_pages_count_once(start: Started) -> None:
    child = start(FORKS)
    family = [child, *child.children()]
    resident = sum(process.memory_info().rss for process in family)
    assert resident > 150 * MIB
    held = HeldMemory(FAR).bytes([process.pid for process in family], resident)
    assert 50 * MIB < held < 80 * MIB


def test_between_exact_sums_growth_is_added_and_checked_where_it_may_be_too_much(
    start: Started,
) -> None:
    code = f"held = b'x' * {50 * MIB}; print('up', flush=True); import sys; sys.stdin.read()"
    child = start(code)
    held = HeldMemory(200 * MIB, clock=lambda: 100.0)
    exact = held.bytes([child.pid], 60 * MIB)
    assert 50 * MIB < exact < 75 * MIB
    assert held.bytes([2**22 + 1], 20 * MIB) == exact
    assert held.bytes([2**22 + 1], 900 * MIB) == 0
    assert held.bytes([child.pid], 930 * MIB) == 30 * MIB
    assert held.bytes([child.pid], 980 * MIB) == pytest.approx(exact, abs=MIB)


def test_forks_that_share_all_they_have_make_no_peak(start: Started) -> None:
    """What 12 processes share was 1.4 GiB in the result, where 110 MiB were held."""
    child = start(FORKS)
    family = [child, *child.children()]
    times = iter([0.0, 1.0, 1.1, 6.0, 6.1])  # the first sum takes a second: five of rest
    held = HeldMemory(FAR, clock=lambda: next(times))
    exact = held.bytes([child.pid], child.memory_info().rss)
    resident = sum(process.memory_info().rss for process in family)
    assert held.bytes([process.pid for process in family], resident) == exact
    assert held.bytes([process.pid for process in family], resident) < 80 * MIB


def test_the_dead_hold_nothing() -> None:
    assert HeldMemory(FAR).bytes([2**22 + 1], 0) == 0
