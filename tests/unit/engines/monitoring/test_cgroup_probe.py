"""What a container uses, by its control groups."""

from __future__ import annotations

from posebowl.engines.monitoring.cgroup_probe import CgroupProbe

V1 = {"memory.limit_in_bytes": "1", "memory.stat": "total_rss 1000\ntotal_shmem 24\n"}


def test_the_probe_keeps_the_last_reading_when_the_container_is_gone() -> None:
    readings = iter([V1, {}])
    probe = CgroupProbe(lambda: next(readings))
    first = probe.usage()
    assert first.memory_bytes == 1024
    assert probe.usage() == first
