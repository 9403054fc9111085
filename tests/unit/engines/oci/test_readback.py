"""What an engine enforces, read back."""

from __future__ import annotations

import pytest

from posebowl.challenge import Limit, Limits
from posebowl.engines.oci.readback import Readback, missing_isolation, weak

LIMITS = Limits(memory_bytes=4 << 30, cpus=3, processes=100)
V2 = {
    "memory.max": str(4 << 30),
    "memory.swap.max": "0",
    "cpu.max": "300000 100000",
    "pids.max": "100",
}
V1 = {
    "memory.limit_in_bytes": str(4 << 30),
    "memory.memsw.limit_in_bytes": str(4 << 30),
    "cpu.cfs_quota_us": "300000",
    "cpu.cfs_period_us": "100000",
    "pids.max": "100",
}
STATUS = "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
NET = "Inter-|   Receive\n face |bytes\n    lo:       0       0\n"


def _seen(files: dict[str, str], *, mode: str = "none", net: str = NET) -> Readback:
    inspected = {"HostConfig": {"NetworkMode": mode}}
    return Readback(inspected=inspected, files=files, status=STATUS, net=net)


@pytest.mark.parametrize("files", [V1, V2])
def test_what_holds_is_not_named(files: dict[str, str]) -> None:
    assert weak(_seen(files), LIMITS, cpus=3) == {}
    assert weak(_seen(files), LIMITS, cpus=4) == {}


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"memory.max": "max"}, Limit.MEMORY),
        ({"memory.max": str(5 << 30)}, Limit.MEMORY),
        ({"memory.swap.max": "max"}, Limit.MEMORY),
        ({"memory.swap.max": str(1 << 30)}, Limit.MEMORY),
        ({"cpu.max": "max 100000"}, Limit.CPUS),
        ({"cpu.max": "400000 100000"}, Limit.CPUS),
        ({"pids.max": "max"}, Limit.PROCESSES),
        ({"pids.max": "101"}, Limit.PROCESSES),
    ],
)
def test_what_does_not_hold_in_version_2(changes: dict[str, str], limit: Limit) -> None:
    assert weak(_seen({**V2, **changes}), LIMITS, cpus=3).keys() == {limit}


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"memory.limit_in_bytes": "9223372036854771712"}, Limit.MEMORY),
        ({"memory.memsw.limit_in_bytes": str(8 << 30)}, Limit.MEMORY),
        ({"cpu.cfs_quota_us": "-1"}, Limit.CPUS),
        ({"pids.max": "max"}, Limit.PROCESSES),
    ],
)
def test_what_does_not_hold_in_version_1(changes: dict[str, str], limit: Limit) -> None:
    assert weak(_seen({**V1, **changes}), LIMITS, cpus=3).keys() == {limit}


def test_a_container_that_cannot_be_looked_into_holds_nothing() -> None:
    assert weak(_seen({}), LIMITS, cpus=3).keys() == {Limit.MEMORY, Limit.CPUS, Limit.PROCESSES}


@pytest.mark.parametrize(
    ("mode", "net"),
    [("bridge", NET), ("none", NET + "  eth0:       0       0\n"), ("none", "")],
)
def test_any_network_is_named(mode: str, net: str) -> None:
    assert weak(_seen(V2, mode=mode, net=net), LIMITS, cpus=3).keys() == {Limit.NETWORK}


@pytest.mark.parametrize(
    ("line", "instead", "words"),
    [
        ("CapEff:\t0000000000000000", "CapEff:\t00000000a80425fb", "capabilities"),
        ("CapBnd:\t0000000000000000", "CapBnd:\t0000000000000001", "capabilities"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "privileges"),
        ("Seccomp:\t2", "Seccomp:\t0", "seccomp"),
        (STATUS, "", "capabilities"),
    ],
)
def test_a_missing_wall_is_named(line: str, instead: str, words: str) -> None:
    seen = _seen(V2)
    assert missing_isolation(seen) == ""
    status = STATUS.replace(line, instead)
    assert words in missing_isolation(Readback(inspected={}, files=V2, status=status, net=NET))
