"""How busy others kept the machine while main.sh ran."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.run import machine_load
from posebowl.run.machine_load import CpuTimes, Load, between

STAT = """cpu  9 9 9 9 9 9 9 9 0 0
cpu0 100 20 30 5000 7 1 2 3 0 0
cpu1 200 0 40 6000 0 0 0 60 0 0
intr 5
"""


def at(at_s: float, busy_s: float, own_s: float = 0.0) -> CpuTimes:
    return CpuTimes(at_s=at_s, busy_s=busy_s, own_s=own_s, cores=4)


def test_busy_is_all_but_idle_and_waiting_for_disks(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(STAT)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    try:
        times = machine_load.read(tmp_path / "stat")
    finally:
        os.sched_setaffinity(0, before)
    assert times is not None
    assert (times.busy_s, times.cores) == (156 / os.sysconf("SC_CLK_TCK"), 1)


@pytest.mark.parametrize("content", [None, "cpu0 a b c\n"])
def test_where_the_system_does_not_tell_nothing_is_known(
    content: str | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "stat").write_text(content)
    assert machine_load.read(tmp_path / "stat") is None
    assert between(None, at(1, 1), 0.0) is None


def test_others_are_what_neither_the_run_nor_this_tool_took() -> None:
    load = between(at(0, 100, 1), at(10, 130, 3), run_s=8.0)
    assert load == Load(cores=2.0, of=4)
    before = replace(at(0, 100), stolen_s=5.0, stalls={"memory": 7.0, "thermal": 3.0})
    after = replace(at(10, 120), stolen_s=10.0, stalls={"memory": 9.0, "thermal": 5.0, "io": 1.0})
    load = between(before, after, run_s=5.0)
    stalls = {"memory": 0.2, "thermal": 2.0, "io": 0.0}
    assert load == Load(cores=1.0, of=4, stolen=0.5, stalls=stalls)
    assert load.figures() == {"stolen_cores": 0.5, **stalls}
    assert between(at(0, 100), at(10, 105), run_s=8.0) == Load(cores=0.0, of=4)


def test_too_short_a_time_tells_nothing() -> None:
    assert between(at(0, 0), at(0.05, 1), run_s=0.0) is None


@pytest.mark.parametrize(
    ("cores", "of", "limit", "is_disturbed"),
    [
        (0.0, 4, 3, False),
        (1.0, 4, 3, False),
        (1.7, 4, 3, False),
        (1.8, 4, 3, True),
        (0.4, 2, 3, False),
        (1.9, 2, 3, True),
        (60.0, 64, 3, False),
        (62.5, 64, 3, True),
    ],
)
def test_a_run_that_lacked_a_quarter_of_its_cores_was_disturbed(
    cores: float, of: int, limit: int, is_disturbed: bool
) -> None:
    said = Load(cores=cores, of=of).disturbance(limit)
    assert bool(said) is is_disturbed
    if is_disturbed:
        assert f"{cores:.1f} of its {of} cores" in said
        assert "was disturbed" in said


@pytest.mark.parametrize(
    ("stolen", "stalls", "words"),
    [
        (0.5, {}, "its hypervisor gave 0.5 cores to other machines"),
        (0.1, {}, ""),
        (0.0, {"throttled": 0.3}, "a limit on this tool's own cores held it back 30% of the time"),
        (0.0, {"thermal": 4.0}, "its processor was slowed 4 times for its heat"),
        (0.0, {"memory": 0.2}, "all programs waited for memory 20% of the time"),
        (0.0, {"throttled": 0.01, "memory": 0.01, "cpu": 1.0, "io": 1.0}, ""),
    ],
)
def test_what_else_held_a_run_back(stolen: float, stalls: dict[str, float], words: str) -> None:
    said = Load(cores=0.0, of=4, stolen=stolen, stalls=stalls).disturbance(3)
    assert words in said
    assert bool(said) is bool(words)
    assert not said or "--repeat 3" in said


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


PRESSURE = "some avg10=0.00 total=3000000\nfull avg10=0.00 total=2000000\n"


def test_what_the_kernel_counts(tmp_path: Path) -> None:
    group = "sys/fs/cgroup"
    files = {
        "proc/pressure/cpu": PRESSURE,
        "proc/pressure/io": PRESSURE,
        "proc/self/cgroup": "3:memory:/a\n2:cpu,cpuacct:/a/b\n0::/c/d\n",
        f"{group}/cpu,cpuacct/a/b/cpu.stat": "nr_throttled 9\nthrottled_time 1500000000\n",
        f"{group}/cpu,cpuacct/a/cpu.stat": "throttled_time 500000000\n",
        f"{group}/c/cpu.stat": "usage_usec 7\nthrottled_usec 250000\n",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "4\n",
        "sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count": "2\n",
        "stat": STAT,
    }
    times = machine_load.read(written(tmp_path, files) / "stat", root=tmp_path)
    assert times is not None
    assert times.stalls == {"cpu": 3.0, "io": 2.0, "throttled": 2.25, "thermal": 6.0}


def test_what_the_kernel_does_not_count_is_left_out(tmp_path: Path) -> None:
    files = {"stat": STAT, "proc/pressure/cpu": "", "proc/self/cgroup": "0::/a\n"}
    times = machine_load.read(written(tmp_path, files) / "stat", root=tmp_path)
    assert times is not None
    assert times.stalls == {"throttled": 0.0, "thermal": 0.0}


def test_a_program_beside_is_seen() -> None:
    code = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    before = machine_load.read()
    subprocess.run([sys.executable, "-c", code], check=True)
    load = between(before, machine_load.read(), run_s=0.0)
    assert load is not None
    assert load.cores > 0.1
