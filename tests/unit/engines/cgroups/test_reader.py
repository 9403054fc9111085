"""Control groups of a container, read from the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.challenge import Limit, Limits
from posebowl.engines.cgroups import reader

V1 = {
    "memory.stat": "cache 4096\nrss 0\ntotal_rss 1000\ntotal_shmem 24\ntotal_cache 9999\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "memory.limit_in_bytes": "4294967296\n",
    "memory.memsw.limit_in_bytes": "4294967296\n",
    "cpu.cfs_quota_us": "300000\n",
    "cpu.cfs_period_us": "100000\n",
    "cpuacct.usage": "2500000000\n",
    "pids.max": "1024\n",
    "blkio.throttle.io_service_bytes": "8:0 Read 10\n8:0 Write 7\n9:0 Read 1\nTotal 18\n",
}
V2 = {
    "memory.stat": "anon 1000\nfile 5000\nkernel 20\nshmem 4\n",
    "memory.events": "low 0\noom 9\noom_kill 3\n",
    "memory.max": "4294967296\n",
    "memory.swap.max": "0\n",
    "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
    "cpu.max": "300000 100000\n",
    "pids.max": "1024\n",
    "io.stat": "8:0 rbytes=10 wbytes=7 rios=1\n9:0 rbytes=1 wbytes=0\n",
}


@pytest.mark.parametrize("files", [V1, V2])
def test_usage_leaves_the_page_cache_out(files: dict[str, str]) -> None:
    usage = reader.usage(files)
    assert usage.memory_bytes == 1024
    assert usage.cpu_s == 2.5
    assert (usage.read_bytes, usage.write_bytes) == (11, 7)
    assert usage.oom_kills == 3


@pytest.mark.parametrize("files", [V1, V2])
def test_enforced_limits(files: dict[str, str]) -> None:
    assert reader.enforced(files) == reader.Enforced(
        memory_bytes=4 << 30, memory_and_swap_bytes=4 << 30, cpus=3.0, processes=1024
    )


@pytest.mark.parametrize(
    "files",
    [
        {
            "memory.limit_in_bytes": "9223372036854771712\n",
            "memory.memsw.limit_in_bytes": "9223372036854771712\n",
            "cpu.cfs_quota_us": "-1\n",
            "cpu.cfs_period_us": "100000\n",
            "pids.max": "max\n",
        },
        {
            "memory.max": "max\n",
            "memory.swap.max": "max\n",
            "cpu.max": "max 100000\n",
            "pids.max": "max\n",
        },
        {},
    ],
)
def test_no_limit_is_none(files: dict[str, str]) -> None:
    assert reader.enforced(files) == reader.Enforced(
        memory_bytes=None, memory_and_swap_bytes=None, cpus=None, processes=None
    )


NOT_COUNTED = "this kernel does not count swap (`sudo swapoff -a` switches it off)"


@pytest.fixture
def meminfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what is read as /proc/meminfo."""
    monkeypatch.setattr(reader, "MEMINFO", tmp_path / "meminfo")
    return reader.MEMINFO


@pytest.mark.parametrize(
    ("files", "changes", "with_swap", "without_swap"),
    [
        (V1, {}, "", ""),
        (V2, {}, "", ""),
        (V1, {"memory.memsw.limit_in_bytes": None}, NOT_COUNTED, ""),
        (V2, {"memory.swap.max": None}, NOT_COUNTED, ""),
        (V1, {"memory.memsw.limit_in_bytes": str(1 << 63)}, "swap is not limited", ""),
        (V2, {"memory.swap.max": "max"}, "swap is not limited", "swap is not limited"),
        (V1, {"memory.memsw.limit_in_bytes": str(5 << 30)}, *["some swap is allowed"] * 2),
        (V2, {"memory.swap.max": str(1 << 30)}, *["some swap is allowed"] * 2),
    ],
)
def test_a_group_that_may_swap_has_no_limit_on_its_memory(
    files: dict[str, str],
    changes: dict[str, str | None],
    with_swap: str,
    without_swap: str,
    meminfo: Path,
) -> None:
    seen = {name: text for name, text in {**files, **changes}.items() if text is not None}
    for kib, why in ((2048, with_swap), (0, without_swap)):
        meminfo.write_text(f"MemTotal: 9 kB\nSwapTotal: {kib:>12} kB\n")
        found = reader.exceeded(seen, Limits(memory_bytes=4 << 30, processes=1024), cpus=3)
        says = {Limit.MEMORY: f"{why}, so the run can use more than its memory"}
        assert found == (says if why else {})


@pytest.mark.parametrize(
    ("files", "kib", "found"),
    [
        (("memory/memory.limit_in_bytes",), 9, True),
        (("memory/memory.limit_in_bytes",), 0, False),
        (("memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes"), 9, False),
        (("init.scope/memory.max", "user.slice/memory.max"), 9, True),
        (("init.scope/memory.max", "user.slice/memory.swap.max"), 9, False),
        (("user.slice/pids.max",), 9, False),
    ],
)
def test_a_machine_with_swap_that_is_not_counted_is_known(
    files: tuple[str, ...], kib: int, found: bool, meminfo: Path, tmp_path: Path
) -> None:
    meminfo.write_text(f"SwapTotal: {kib} kB\n")
    for name in files:
        _write((tmp_path / "cgroup" / name).parent, {Path(name).name: ""})
    assert reader.has_uncounted_swap(mount=tmp_path / "cgroup") is found


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def _proc(tmp_path: Path, text: str) -> Path:
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "cgroup").write_text(text)
    return tmp_path / "proc"


def test_finds_version_1_with_joint_controllers_on_a_hybrid_machine(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    (mount / "unified").mkdir(parents=True)
    _write(mount / "memory" / "docker" / "x", {k: V1[k] for k in V1 if k.startswith("memory")})
    _write(mount / "cpu,cpuacct" / "docker" / "x", {k: V1[k] for k in V1 if k.startswith("cpu")})
    _write(mount / "pids" / "docker" / "x", {"pids.max": V1["pids.max"]})
    lines = "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n3:pids:/docker/x\n0::/docker/x\n"
    found = reader.of_process(7, mount=mount, proc=_proc(tmp_path, lines))
    assert found is not None
    assert found.version == 1
    files = found.read()
    assert {name: files[name] for name in files if name in V1} == {
        name: text for name, text in V1.items() if not name.startswith("blkio")
    }


def test_finds_version_2(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    _write(mount / "user.slice" / "x", {**V2, "cgroup.procs": "7\n"})
    found = reader.of_process(7, mount=mount, proc=_proc(tmp_path, "0::/user.slice/x\n"))
    assert found is not None
    assert (found.version, found.read()) == (2, V2)


def test_groups_of_another_machine_are_not_seen(tmp_path: Path) -> None:
    proc = _proc(tmp_path, "5:memory:/docker/elsewhere\n0::/docker/elsewhere\n")
    assert reader.of_process(7, mount=tmp_path / "cgroup", proc=proc) is None
    assert reader.of_process(8, mount=tmp_path / "cgroup", proc=proc) is None


@given(st.text())
def test_nothing_that_a_file_may_hold_raises(text: str) -> None:
    names = {*reader.V2_FILES, *(n for names in reader.V1_FILES.values() for n in names)}
    names -= {"cpu.max", "cpu.cfs_period_us", "blkio.throttle.io_service_bytes"}
    files = dict.fromkeys(names, text)
    assert reader.usage(files).memory_bytes >= 0
    assert reader.enforced(files).memory_bytes is None or text.strip()
