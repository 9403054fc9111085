"""What a container uses, by its control groups."""

from __future__ import annotations

import os

import pytest

from posebowl.engines.monitoring.cgroup_probe import CgroupProbe
from posebowl.engines.monitoring.proc_io import ProcIo

V1 = {"memory.limit_in_bytes": "1", "memory.stat": "total_rss 1000\ntotal_shmem 24\n"}


def test_the_probe_keeps_the_last_reading_when_the_container_is_gone() -> None:
    readings = iter([V1, {}])
    probe = CgroupProbe(lambda: next(readings))
    first = probe.usage()
    assert first.memory_bytes == 1024
    assert probe.usage() == first


def test_the_probe_keeps_the_last_reading_while_the_group_vanishes() -> None:
    whole = V1 | {"cpuacct.usage": "2000000000"}
    readings = iter([whole, {**whole, "cpuacct.usage": ""}, V1 | {"cpuacct.usage": "3000000000"}])
    probe = CgroupProbe(lambda: next(readings))
    first = probe.usage()
    assert first.cpu_s == 2.0
    assert probe.usage() == first
    assert probe.usage().cpu_s == 3.0


@pytest.mark.parametrize(
    ("local", "before", "after", "counted"),
    [(True, 500, 500, 0), (True, 500, 900, 900), (False, 0, 900, 0)],
)
def test_only_a_peak_after_the_start_of_main_sh_counts(
    local: bool, before: int, after: int, counted: int
) -> None:
    files = {"memory.stat": "anon 1\n", "memory.peak": str(before)}
    probe = CgroupProbe(lambda: files, ProcIo(os.getpid()) if local else None)
    files["memory.peak"] = str(after)
    assert probe.usage().peak_bytes == counted
