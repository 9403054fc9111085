"""What an engine enforces, read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl.challenge import Limit, Limits
from posebowl.engines.oci.readback import Readback, missing_isolation, weak
from posebowl.engines.seccomp.profile import profile

FILTER = Path("/run folder/seccomp.json")
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


def _seen(
    files: dict[str, str],
    *,
    mode: str = "none",
    net: str = NET,
    status: str = STATUS,
    options: tuple[str, ...] = (f"seccomp={FILTER}",),
) -> Readback:
    host = {"NetworkMode": mode, "SecurityOpt": ["no-new-privileges", *options]}
    return Readback(inspected={"HostConfig": host}, files=files, status=status, net=net)


@pytest.mark.parametrize("files", [V1, V2])
def test_what_holds_is_not_named(files: dict[str, str]) -> None:
    assert weak(_seen(files), LIMITS, cpus=3, seccomp=FILTER) == {}
    assert weak(_seen(files), LIMITS, cpus=4, seccomp=FILTER) == {}


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
    assert weak(_seen({**V2, **changes}), LIMITS, cpus=3, seccomp=FILTER).keys() == {limit}


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
    assert weak(_seen({**V1, **changes}), LIMITS, cpus=3, seccomp=FILTER).keys() == {limit}


@pytest.mark.parametrize(
    ("told", "cores", "holds"),
    [
        ("0-63", frozenset(), True),
        ("2,5-6", frozenset({2, 5, 6}), True),
        ("5", frozenset({2, 5, 6}), True),
        ("2-6", frozenset({2, 5, 6}), False),
        ("", frozenset({2}), False),
    ],
)
def test_cores_that_are_not_held_for_a_run_are_named(
    told: str, cores: frozenset[int], holds: bool
) -> None:
    seen = _seen(V2, status=f"{STATUS}Cpus_allowed_list:\t{told}\n")
    found = weak(seen, LIMITS, cpus=3, seccomp=FILTER, cores=cores)
    assert found.keys() == (set() if holds else {Limit.CPUS})


def test_a_container_that_cannot_be_looked_into_holds_nothing() -> None:
    assert weak(_seen({}), LIMITS, cpus=3, seccomp=FILTER).keys() == {
        Limit.MEMORY,
        Limit.CPUS,
        Limit.PROCESSES,
    }


@pytest.mark.parametrize(
    ("mode", "net"),
    [("bridge", NET), ("none", NET + "  eth0:       0       0\n"), ("none", "")],
)
def test_any_network_is_named(mode: str, net: str) -> None:
    assert weak(_seen(V2, mode=mode, net=net), LIMITS, cpus=3, seccomp=FILTER).keys() == {
        Limit.NETWORK
    }


def test_the_filter_is_known_by_its_file_or_its_content() -> None:
    for option in (f"seccomp={FILTER}", f"seccomp={profile()}"):
        seen = _seen(V2, options=(option,))
        assert weak(seen, LIMITS, cpus=3, seccomp=FILTER) == {}


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (_seen(V2, status=STATUS.replace("Seccomp:\t2", "Seccomp:\t0")), "filters no"),
        (_seen(V2, status=""), "filters no"),
        (_seen(V2, options=()), "another filter"),
        (_seen(V2, options=("seccomp=unconfined",)), "another filter"),
        (_seen(V2, options=('seccomp={"defaultAction": "SCMP_ACT_ALLOW"}',)), "another filter"),
        (_seen(V2, options=(f"label={FILTER}",)), "another filter"),
    ],
)
def test_a_missing_filter_is_named(seen: Readback, says: str) -> None:
    found = weak(seen, LIMITS, cpus=3, seccomp=FILTER)
    assert found.keys() == {Limit.SYSTEM_CALLS}
    assert says in found[Limit.SYSTEM_CALLS]


def test_an_engine_without_filters_has_none_of_ours() -> None:
    assert weak(_seen(V2), LIMITS, cpus=3, seccomp=None).keys() == {Limit.SYSTEM_CALLS}


@pytest.mark.parametrize(
    ("line", "instead", "words"),
    [
        ("CapEff:\t0000000000000000", "CapEff:\t00000000a80425fb", "capabilities"),
        ("CapBnd:\t0000000000000000", "CapBnd:\t0000000000000001", "capabilities"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "privileges"),
        (STATUS, "", "capabilities"),
    ],
)
def test_a_missing_wall_is_named(line: str, instead: str, words: str) -> None:
    seen = _seen(V2)
    assert missing_isolation(seen) == ""
    status = STATUS.replace(line, instead)
    assert words in missing_isolation(Readback(inspected={}, files=V2, status=status, net=NET))
