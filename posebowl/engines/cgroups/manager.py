"""Control groups that the embedded engine makes for a run, where it has the right to.

Version 1 has one tree a controller, version 2 one tree for all. Root may make groups nearly
everywhere; others only in a part of the version 2 tree that was delegated to them
(Documentation/admin-guide/cgroup-v2.rst of Linux, "Delegation Containment"). Where systemd manages
the tree, it is asked for such a part, as root too: it may take controllers away from any other.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import psutil

from posebowl.challenge import Limit, Limits
from posebowl.engines.base import Usage
from posebowl.engines.cgroups.reader import MOUNT, Cgroup, Files, exceeded, usage
from posebowl.engines.cgroups.systemd import Scope, delegated
from posebowl.util.process_identity import space

OWN: Final = Path("/proc/self/cgroup")
PREFIX: Final = "posebowl-"
_NEAR: Final = 3
"""Levels below the mount at which groups of killed runs are looked for."""
_UNJOINED_S: Final = 60
"""Longer than a group stays empty before its run joins it."""
_CPU_PERIOD_US: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class OwnCgroup:
    """The groups of one run: a folder a controller in version 1, one folder in version 2."""

    folders: dict[str, Path]
    """By controller: memory, pids, cpu, cpuacct, or the single key "unified"."""
    without: Mapping[Limit, str] = field(default_factory=dict)
    """Limits that the kernel does not hold the run to, though asked, each with the reason."""
    scope: Scope | None = None
    """Around the group, where systemd gave one."""

    @classmethod
    def of(cls, group: Cgroup, weak: Mapping[Limit, str]) -> OwnCgroup:
        """Return the groups of a container, which do not hold it to these limits."""
        folders = {"unified": group.place} if group.version == 2 else dict(group.folders)
        return cls(folders=folders, without=weak)

    @property
    def enforces(self) -> frozenset[Limit]:
        """The limits that the kernel now enforces."""
        by_controller = {
            "memory": {Limit.MEMORY},
            "pids": {Limit.PROCESSES},
            "cpu": {Limit.CPUS},
            "unified": {Limit.MEMORY, Limit.PROCESSES, Limit.CPUS},
        }
        held = frozenset().union(*(by_controller.get(name, set()) for name in self.folders))
        return held - self.without.keys()

    @property
    def paths(self) -> list[Path]:
        """The folders to join, each once."""
        return sorted(set(self.folders.values()))

    @property
    def entry(self) -> tuple[str, ...]:
        """What to put before a command that is to join the groups."""
        return self.scope.entry if self.scope else ()

    def read(self) -> Files:
        """Return the files of the groups, by name."""
        if unified := self.folders.get("unified"):
            return Cgroup(version=2, folders={"": unified}).read()
        return Cgroup(version=1, folders=self.folders).read()

    def usage(self) -> Usage:
        """Read what the run uses now; zeros for what no group of it counts."""
        return usage(self.read())

    def exceeded(self, limits: Limits) -> dict[Limit, str]:
        """Return the limits that the groups were given and that, read back, they do not hold."""
        found = exceeded(self.read(), limits, cpus=limits.cpus)
        return {limit: why for limit, why in found.items() if limit in self.enforces}

    def remove(self) -> None:
        """Remove the groups; their last processes may take a moment to vanish."""
        for folder in self.paths:
            for _ in range(100):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break
        if self.scope:
            self.scope.close()


def create(
    run_id: str, limits: Limits, *, mount: Path = MOUNT, own: Path = OWN
) -> OwnCgroup | None:
    """Make groups with the limits of a run, or return None where that is not allowed.

    Without a memory group there are none at all: a watchdog then limits memory.
    """
    lines = own.read_text()
    if "/.." in lines:
        return None  # a namespace of control groups that does not hold our own
    # The maker's number keeps others from reaping a group that nobody has joined yet.
    name = f"{PREFIX}{os.getpid()}-{space()}-{run_id}"
    if scope := delegated(name, mount=mount):
        folders = {"unified": scope.folder}
    else:
        folders = _create_v2(lines, name, mount) or _create_v1(lines, name, mount)
    if not folders:
        return None
    group = OwnCgroup(folders=folders, scope=scope)
    for path, text in settings(folders, limits):
        try:
            path.write_text(text)
        except OSError:
            # More cores than a group above may use are refused, and swap may not be accounted
            # for: memory is worth keeping, and `exceeded` looks at swap.
            if path.name.startswith("cpu."):
                group = replace(group, without={Limit.CPUS: "the kernel refused it"})
                continue
            if path.name == "memory.swap.max" and not path.exists():
                continue
            group.remove()
            return None
    # Swap accounting may be off, and then there is no such file.
    with contextlib.suppress(OSError, KeyError):
        swap = folders["memory"] / "memory.memsw.limit_in_bytes"
        swap.write_text(str(limits.memory_bytes))
    if why := group.exceeded(limits).get(Limit.MEMORY):
        group = replace(group, without={**group.without, Limit.MEMORY: why})
    return group


def settings(folders: dict[str, Path], limits: Limits) -> list[tuple[Path, str]]:
    """Return which file of each group takes which text, for these limits."""
    quota = limits.cpus * _CPU_PERIOD_US
    if unified := folders.get("unified"):
        return [
            (unified / "memory.max", str(limits.memory_bytes)),
            (unified / "memory.swap.max", "0"),
            (unified / "pids.max", str(limits.processes)),
            (unified / "cpu.max", f"{quota} {_CPU_PERIOD_US}"),
        ]
    wanted = [
        ("memory", "memory.limit_in_bytes", str(limits.memory_bytes)),
        ("pids", "pids.max", str(limits.processes)),
        ("cpu", "cpu.cfs_period_us", str(_CPU_PERIOD_US)),
        ("cpu", "cpu.cfs_quota_us", str(quota)),
    ]
    return [(folders[name] / file, text) for name, file, text in wanted if name in folders]


def reap(*, mount: Path = MOUNT, own: Path = OWN) -> None:
    """Remove the groups that killed runs of this tool left; the kernel keeps those in use."""
    places = {mount, *_below(mount, _NEAR)}
    for line in own.read_text().splitlines():
        place = mount / line.removeprefix("0::").strip("/")
        while line.startswith("0::") and place.is_relative_to(mount):
            places.add(place)
            place = place.parent
    for folder in (folder for place in places for folder in _below(place, 1)):
        if not folder.name.startswith(PREFIX):
            continue
        with contextlib.suppress(OSError):
            if _maker_is_dead(folder):
                folder.rmdir()


def _maker_is_dead(folder: Path) -> bool:
    """Return whether a group's maker is dead; one of other process numbers is after a while."""
    maker, _, rest = folder.name.removeprefix(PREFIX).partition("-")
    if rest.partition("-")[0] != space():
        return time.time() - folder.stat().st_mtime > _UNJOINED_S
    return not (maker.isdecimal() and psutil.pid_exists(int(maker)))


def _below(place: Path, levels: int) -> Iterator[Path]:
    """Yield the folders below one, to some depth; those that vanish meanwhile are passed over."""
    try:
        with os.scandir(place) as entries:
            folders = [Path(entry.path) for entry in entries if entry.is_dir()]
    except OSError:
        return
    for folder in folders:
        yield folder
        if levels > 1:
            yield from _below(folder, levels - 1)


def _create_v1(own: str, name: str, mount: Path) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in {"memory", "pids", "cpu", "cpuacct"} & set(controllers.split(",")):
            parent = mount / controllers
            if not parent.is_dir():
                parent = mount / controller
            folder = parent / path.strip("/") / name
            with contextlib.suppress(OSError):
                folder.mkdir(exist_ok=True)
                folders[controller] = folder
    if "memory" not in folders:
        OwnCgroup(folders=folders).remove()
        return {}
    return folders


def _create_v2(own: str, name: str, mount: Path) -> dict[str, Path]:
    """Make a group below the nearest own ancestor that was delegated with its controllers."""
    line = next((line for line in own.splitlines() if line.startswith("0::")), "")
    place = mount / line.removeprefix("0::").strip("/")
    while place.is_relative_to(mount):
        control = place / "cgroup.subtree_control"
        if (
            control.is_file()
            and {"memory", "pids", "cpu"} <= set(control.read_text().split())
            and os.access(place, os.W_OK)
            and os.access(place / "cgroup.procs", os.W_OK)
        ):
            with contextlib.suppress(OSError):
                (place / name).mkdir()
                return {"unified": place / name}
        place = place.parent
    return {}
