"""Control groups of a run, in made-up trees of both versions."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from posebowl.challenge import Limit, Limits
from posebowl.engines.cgroups import manager, reader
from posebowl.engines.cgroups.manager import OwnCgroup, create, reap
from posebowl.engines.cgroups.reader import Cgroup

LIMITS = Limits(memory_bytes=1 << 30, cpus=3, processes=99)
SPACE = Path("/proc/self/ns/pid").stat().st_ino
NAME = f"posebowl-{os.getpid()}-{SPACE}-r1"
ALL = {Limit.MEMORY, Limit.PROCESSES, Limit.CPUS}


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """Return an empty /sys/fs/cgroup."""
    path = tmp_path / "cgroup"
    path.mkdir()
    return path


def own(mount: Path, *lines: str) -> Path:
    """Write what /proc/self/cgroup is to say."""
    path = mount.parent / "self-cgroup"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def delegate(folder: Path, controllers: str = "cpu memory pids") -> Path:
    """Make a version 2 group whose children have these controllers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.subtree_control").write_text(f"{controllers}\n")
    (folder / "cgroup.procs").write_text("")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def empty(group: OwnCgroup) -> None:
    """Take the files of control groups away, which the kernel does not count as content."""
    for folder in group.paths:
        for path in folder.iterdir():
            path.unlink()


def test_version_2_with_delegation(mount: Path) -> None:
    place = delegate(mount / "user.slice" / "app")
    (place / "me.scope").mkdir()
    lines = own(mount, "0::/user.slice/app/me.scope")
    group = create("r1", LIMITS, mount=mount, own=lines)
    assert group is not None
    assert group.folders == {"unified": place / NAME}
    assert group.enforces == ALL
    assert contents(place / NAME) == {
        "memory.max": str(1 << 30),
        "memory.swap.max": "0",
        "pids.max": "99",
        "cpu.max": "300000 100000",
    }


def test_version_2_takes_the_nearest_delegated_ancestor(mount: Path) -> None:
    delegate(mount)
    near = delegate(mount / "a" / "b")
    (near / "c" / "d").mkdir(parents=True)
    group = create("r1", LIMITS, mount=mount, own=own(mount, "0::/a/b/c/d"))
    assert group is not None
    assert group.paths == [near / NAME]


@pytest.mark.parametrize("controllers", ["", "memory", "memory pids", "cpuset io"])
def test_version_2_without_all_controllers_makes_nothing(mount: Path, controllers: str) -> None:
    delegate(mount / "a", controllers)
    assert create("r1", LIMITS, mount=mount, own=own(mount, "0::/a")) is None
    assert not list(mount.rglob("posebowl-*"))


@pytest.mark.parametrize("closed", ["", "cgroup.procs"])
def test_version_2_needs_the_right_to_move_processes(
    mount: Path, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = delegate(mount / "a")
    denied = place / closed
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != denied)
    assert create("r1", LIMITS, mount=mount, own=own(mount, "0::/a")) is None
    assert not list(mount.rglob("posebowl-*"))


def test_a_path_outside_of_the_mount_makes_nothing(mount: Path) -> None:
    delegate(mount.parent / "elsewhere")
    assert create("r1", LIMITS, mount=mount, own=own(mount, "0::/../elsewhere")) is None
    assert not list(mount.parent.rglob("posebowl-*"))


V1 = ("4:memory:/box", "3:cpu,cpuacct:/box", "2:pids:/", "1:name=systemd:/box", "0::/")


def version_1(mount: Path, *missing: str) -> Path:
    for folder in ("memory/box", "cpu,cpuacct/box", "pids", "systemd/box"):
        if folder not in missing:
            (mount / folder).mkdir(parents=True)
    return own(mount, *V1)


def test_version_1(mount: Path) -> None:
    group = create("r1", LIMITS, mount=mount, own=version_1(mount))
    assert group is not None
    assert group.folders == {
        "memory": mount / "memory/box" / NAME,
        "cpu": mount / "cpu,cpuacct/box" / NAME,
        "cpuacct": mount / "cpu,cpuacct/box" / NAME,
        "pids": mount / "pids" / NAME,
    }
    assert len(group.paths) == 3
    assert group.enforces == ALL
    assert contents(group.folders["memory"]) == {
        "memory.limit_in_bytes": str(1 << 30),
        "memory.memsw.limit_in_bytes": str(1 << 30),
    }
    assert contents(group.folders["pids"]) == {"pids.max": "99"}
    assert contents(group.folders["cpu"]) == {
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "300000",
    }
    assert not list((mount / "systemd").rglob("posebowl-*"))


def test_version_1_with_controllers_under_links(mount: Path) -> None:
    lines = version_1(mount)
    (mount / "cpu,cpuacct").rename(mount / "cpu")
    group = create("r1", LIMITS, mount=mount, own=lines)
    assert group is not None
    assert group.folders["cpu"] == mount / "cpu/box" / NAME


def test_version_1_without_memory_is_none_at_all(mount: Path) -> None:
    lines = version_1(mount, "memory/box")
    assert create("r1", LIMITS, mount=mount, own=lines) is None
    assert not list(mount.rglob("posebowl-*"))


def test_version_1_without_the_others_enforces_memory(mount: Path) -> None:
    lines = version_1(mount, "cpu,cpuacct/box", "pids")
    group = create("r1", LIMITS, mount=mount, own=lines)
    assert group is not None
    assert group.enforces == {Limit.MEMORY}
    assert group.usage().cpu_s == 0


def test_hybrid_takes_version_2_where_it_is_delegated(mount: Path) -> None:
    version_1(mount)
    delegate(mount)
    group = create("r1", LIMITS, mount=mount, own=own(mount, *V1))
    assert group is not None
    assert group.folders == {"unified": mount / NAME}


def test_a_limit_that_is_refused_leaves_no_group(
    mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = version_1(mount)
    write = Path.write_text

    def refuse(path: Path, text: str) -> int:
        if path.name == "memory.limit_in_bytes":
            raise OSError(22, "Invalid argument")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", refuse)
    assert create("r1", LIMITS, mount=mount, own=lines) is None
    assert not list(mount.rglob("posebowl-*"))


@pytest.mark.parametrize("version", [1, 2])
def test_memory_is_not_enforced_where_swap_is_not_counted(
    version: int, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So were the kernels of Ubuntu 20.04 and Debian 10, unless booted with swapaccount=1."""
    lines = version_1(mount) if version == 1 else own(mount, "0::/")
    if version == 2:
        delegate(mount)
    monkeypatch.setattr(reader, "MEMINFO", mount / "meminfo")
    reader.MEMINFO.write_text("SwapTotal: 2048 kB\n")
    write = Path.write_text

    def refuse(path: Path, text: str) -> int:
        if path.name in {"memory.memsw.limit_in_bytes", "memory.swap.max"}:
            raise PermissionError(13, "Permission denied")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", refuse)
    group = create("r1", LIMITS, mount=mount, own=lines)
    assert group is not None
    assert group.enforces == {Limit.PROCESSES, Limit.CPUS}
    assert "swapoff" in group.without[Limit.MEMORY]


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_s_groups_are_read_as_one_s_own(version: int, mount: Path) -> None:
    (mount / "memory.stat").write_text("anon 1000\ntotal_rss 1000\n")
    (mount / "memory.limit_in_bytes" if version == 1 else mount / "memory.max").write_text("9")
    folders = {"memory": mount} if version == 1 else {"": mount}
    container = Cgroup(version=1 if version == 1 else 2, folders=folders)
    group = OwnCgroup.of(container, {Limit.MEMORY: "it may swap"})
    assert Limit.MEMORY not in group.enforces
    assert group.usage().memory_bytes == 1000


def test_usage_of_version_2_leaves_the_page_cache_out(mount: Path) -> None:
    group = OwnCgroup(folders={"unified": mount})
    (mount / "memory.stat").write_text("anon 1000\nfile 5000\nkernel 20\nshmem 4\n")
    (mount / "memory.events").write_text("oom 9\noom_kill 3\n")
    (mount / "cpu.stat").write_text("usage_usec 2500000\n")
    usage = group.usage()
    assert (usage.memory_bytes, usage.cpu_s, usage.oom_kills) == (1024, 2.5, 3)


def test_usage_of_version_1_leaves_the_page_cache_out(mount: Path) -> None:
    group = OwnCgroup(folders={"memory": mount, "cpuacct": mount})
    (mount / "memory.stat").write_text("cache 7\ntotal_rss 1000\ntotal_shmem 24\n")
    (mount / "memory.oom_control").write_text("oom_kill_disable 0\noom_kill 3\n")
    (mount / "cpuacct.usage").write_text("2500000000\n")
    usage = group.usage()
    assert (usage.memory_bytes, usage.cpu_s, usage.oom_kills) == (1024, 2.5, 3)


@pytest.mark.parametrize("key", ["unified", "memory"])
def test_usage_of_a_group_that_is_gone_is_nothing(mount: Path, key: str) -> None:
    usage = OwnCgroup(folders={key: mount / "gone"}).usage()
    assert (usage.memory_bytes, usage.cpu_s, usage.oom_kills) == (0, 0, 0)


def test_removal_waits_for_the_last_process_and_minds_no_absence(
    mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = create("r1", LIMITS, mount=mount, own=version_1(mount))
    assert group is not None
    waits: list[float] = []

    def leave(seconds: float) -> None:
        waits.append(seconds)
        empty(group)

    monkeypatch.setattr(manager.time, "sleep", leave)
    group.remove()
    assert len(waits) == 1
    assert not list(mount.rglob("posebowl-*"))
    group.remove()


def test_removal_gives_up_on_a_group_in_use(mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = create("r1", LIMITS, mount=mount, own=version_1(mount))
    assert group is not None
    monkeypatch.setattr(manager.time, "sleep", lambda _: None)
    group.remove()
    assert all(path.is_dir() for path in group.paths)


NOBODY_S = 2**22 + 1  # above the largest number of a process that Linux gives


def test_reap_takes_what_dead_makers_left_and_nothing_else(mount: Path) -> None:
    lines = own(mount, "4:memory:/", "0::/a/b/c/d/e")
    dead = [
        mount / f"posebowl-{NOBODY_S}-{SPACE}-r",
        mount / "memory" / f"posebowl-{NOBODY_S}-{SPACE}-r",
        mount / "memory/x/y" / f"posebowl-{NOBODY_S}-{SPACE}-r",
        mount / "a/b/c/d" / f"posebowl-{NOBODY_S}-{SPACE}-r",
        mount / "a/b/c/d/e" / "posebowl-old",
    ]
    foreign = f"posebowl-{NOBODY_S}-{SPACE + 1}-r"  # of another namespace of processes
    dead.append(mount / "memory" / foreign)
    alive = [mount / NAME, mount / "memory" / NAME, mount / "other", mount / "a/b/c/d/e/posebow"]
    alive.append(mount / foreign)
    used = mount / f"posebowl-{NOBODY_S}-{SPACE}-used"
    for folder in (*dead, *alive, used / "content"):
        folder.mkdir(parents=True)
    for folder in dead[-2:]:
        os.utime(folder, (0, time.time() - 61))
    reap(mount=mount, own=lines)
    assert [path for path in dead if path.exists()] == []
    assert [path for path in (*alive, used) if not path.exists()] == []


def test_reap_passes_over_what_vanishes_under_its_hands(mount: Path) -> None:
    """Another run that starts or ends makes and removes groups at any moment."""
    lines = own(mount, "4:memory:/", "0::/")
    for name in range(50):
        (mount / "memory" / str(name)).mkdir(parents=True)
    done = threading.Event()

    def others() -> None:
        group = mount / "memory" / NAME / "sub"
        while not done.is_set():
            group.mkdir(parents=True)
            group.rmdir()
            group.parent.rmdir()

    busy = threading.Thread(target=others)
    busy.start()
    try:
        for _ in range(300):
            reap(mount=mount, own=lines)
    finally:
        done.set()
        busy.join()
    assert {str(name) for name in range(50)} <= {path.name for path in (mount / "memory").iterdir()}


def test_reap_where_there_is_no_mount(tmp_path: Path) -> None:
    lines = own(tmp_path / "none", "0::/")
    reap(mount=tmp_path / "none", own=lines)
    assert not (tmp_path / "none").exists()


def test_cores_that_a_group_above_refuses_cost_only_the_core_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tmp_path / "delegated"
    parent.mkdir()
    (parent / "cgroup.subtree_control").write_text("cpu memory pids")
    (parent / "cgroup.procs").touch()
    own = tmp_path / "own"
    own.write_text("0::/delegated\n")
    real = Path.write_text

    def write(path: Path, text: str) -> int:
        if path.name == "cpu.max":
            raise OSError(22, "Invalid argument")
        return real(path, text)

    monkeypatch.setattr(Path, "write_text", write)

    group = manager.create("run", Limits(), mount=tmp_path, own=own)

    assert group is not None
    assert group.enforces == {Limit.MEMORY, Limit.PROCESSES}
