"""The processes of a run, as seen from the host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from posebowl.challenge import Limit, Limits
from posebowl.engines.base import Usage
from posebowl.engines.cgroups.manager import OwnCgroup
from posebowl.engines.monitoring import process_tree
from posebowl.engines.monitoring.process_tree import ProcessTree

MIB = 1 << 20
# A parent, its child and its grandchild, which holds 50 MiB and says when it does.
GRANDCHILD = (
    f"import sys; held = bytes([1]) * {50 * MIB}; print('up', flush=True); sys.stdin.read()"
)
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    """Start three generations, which wait for the end of their input."""
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        yield child
        child.kill()


def no_cgroup(child: subprocess.Popen[bytes], memory_bytes: int = 4 << 30) -> ProcessTree:
    return ProcessTree(child.pid, Limits(memory_bytes=memory_bytes), None)


def test_all_generations_below_the_root_count(family: subprocess.Popen[bytes]) -> None:
    seen = no_cgroup(family)
    assert len(seen.processes()) == 2
    usage = seen.usage()
    assert 50 * MIB < usage.memory_bytes < 500 * MIB
    assert usage.cpu_s > 0
    assert usage.oom_kills == 0


@pytest.mark.parametrize("limit", [4 << 30, MIB])
def test_shared_pages_count_once(family: subprocess.Popen[bytes], limit: int) -> None:
    seen = no_cgroup(family, memory_bytes=limit)
    resident = sum(process.memory_info().rss for process in seen.processes())
    assert 50 * MIB < seen.usage().memory_bytes < resident


def test_kill_ends_them_all(family: subprocess.Popen[bytes]) -> None:
    seen = no_cgroup(family)
    everybody = seen.processes()
    process_tree.kill(family.pid)
    family.wait()
    gone, alive = psutil.wait_procs(everybody, timeout=30)
    assert len(gone) == 2
    assert alive == []
    process_tree.kill(family.pid)


def test_what_has_ended_is_remembered(family: subprocess.Popen[bytes]) -> None:
    seen = no_cgroup(family)
    before = seen.usage()
    everybody = seen.processes()
    process_tree.kill(family.pid)
    family.wait()
    psutil.wait_procs(everybody, timeout=30)
    after = seen.usage()
    assert after.memory_bytes == before.memory_bytes
    assert after.cpu_s >= before.cpu_s > 0
    assert after.read_bytes == before.read_bytes


def test_a_control_group_knows_better_and_is_asked_each_time(
    family: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Group(OwnCgroup):
        def usage(self) -> Usage:
            asked.append(1)
            return Usage(memory_bytes=7, cpu_s=1e6, oom_kills=2)

    group = Group(folders={"memory": Path("m")})
    seen = ProcessTree(family.pid, Limits(), group, clock=lambda: 50.0)
    assert len(asked) == 1  # for the peak before main.sh
    asked.clear()
    walks: list[int] = []
    walk = seen._alive
    monkeypatch.setattr(seen, "_alive", lambda: [walks.append(1), *walk()][1:])
    for _ in range(3):
        usage = seen.usage()
        assert (usage.memory_bytes, usage.cpu_s, usage.oom_kills) == (7, 1e6, 2)
    assert (len(asked), len(walks)) == (3, 1)


@pytest.mark.parametrize(
    ("without", "counted", "least"),
    [({}, 7, 7), ({Limit.MEMORY: "swap"}, 7, 50 * MIB), ({Limit.MEMORY: "swap"}, 1 << 40, 1 << 40)],
)
def test_memory_that_a_group_does_not_limit_is_summed_up_too(
    without: dict[Limit, str], counted: int, least: int, family: subprocess.Popen[bytes]
) -> None:
    """It counts what its processes have in memory, and not what they have swapped."""

    class Group(OwnCgroup):
        def usage(self) -> Usage:
            return Usage(memory_bytes=counted, cpu_s=1.0)

    group = Group(folders={"memory": Path("m")}, without=without)
    usage = ProcessTree(family.pid, Limits(), group).usage()
    assert least <= usage.memory_bytes < least + 50 * MIB


@pytest.mark.parametrize(("peak", "counted"), [(500, 0), (501, 501)])
def test_only_a_peak_of_main_sh_counts(
    peak: int, counted: int, family: subprocess.Popen[bytes]
) -> None:
    class Group(OwnCgroup):
        def usage(self) -> Usage:
            return Usage(memory_bytes=7, cpu_s=1.0, peak_bytes=now[0], cache_bytes=3)

    now = [500]
    seen = ProcessTree(family.pid, Limits(), Group(folders={"memory": Path("m")}))
    now[0] = peak
    usage = seen.usage()
    assert (usage.peak_bytes, usage.cache_bytes) == (counted, 3)
