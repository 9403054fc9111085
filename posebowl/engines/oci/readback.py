"""What an engine really holds a container to, read back before main.sh starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from posebowl.challenge import Limit, Limits
from posebowl.engines.base import Probe
from posebowl.engines.cgroups import reader
from posebowl.engines.cgroups.manager import OwnCgroup
from posebowl.engines.monitoring.cgroup_probe import CgroupProbe
from posebowl.engines.monitoring.proc_io import ProcIo
from posebowl.engines.monitoring.process_tree import ProcessTree
from posebowl.engines.oci.client import Client
from posebowl.engines.seccomp import installed
from posebowl.engines.seccomp.profile import is_profile

_MOST_BYTES: Final = 256 << 10
"""Of all that is read of a container; honest kernels say a few KiB."""

_SCRIPT: Final = r"""
cd /sys/fs/cgroup
for name in $NAMES; do
    for path in "$name" */"$name"; do
        [ -r "$path" ] && printf '\036%s\n' "$name" && cat "$path" && break
    done
done
printf '\036status\n'; cat /proc/1/status
printf '\036net\n'; cat /proc/1/net/dev
"""


@dataclass(frozen=True, kw_only=True)
class Readback:
    """What could be read of a running container."""

    inspected: Mapping[str, Any]
    files: reader.Files
    status: str
    """/proc/PID/status of its process 1."""
    net: str
    """/proc/PID/net/dev of its process 1."""
    guard: str = ""
    """/proc/PID/status of the process of this machine in which a runtime such as gVisor runs a
    kernel for it; empty where it runs on this machine's own kernel."""


class ContainerReader:
    """Reads a container's state: from this machine's own files, or otherwise through the engine.

    The engine's machine is another one on macOS and Windows, and for remote daemons: the number
    of process 1 then belongs to some other process here, if to any.

    A runtime with a kernel of its own (gVisor) has one process here, in the container's control
    groups; the processes of the container are that kernel's, and are looked at inside.

    Args:
        client: Of the engine.
        name: The container's.
        pid: Of its process 1, on the engine's machine.
        names: Words in the command lines of that process, and of one that is a kernel for it: no
            others have them.
    """

    def __init__(self, client: Client, name: str, pid: int, *, names: tuple[str, str]) -> None:
        self._client = client
        self._name = name
        self._process = pid
        command = _text(reader.PROC / str(pid) / "cmdline") if pid > 0 else ""
        self._own_kernel = names[0] not in command and names[1] in command
        here = names[0] in command or self._own_kernel
        self._cgroup = reader.of_process(pid) if here else None

    @property
    def pid(self) -> int:
        """Of process 1, if that is a process of this machine's kernel; otherwise 0."""
        return self._process if self.local and not self._own_kernel else 0

    @property
    def local(self) -> bool:
        """Whether the kernel's files can be read from here, which is cheap."""
        return self._cgroup is not None

    def probe(self, limits: Limits) -> Probe:
        """Return what reads the container's usage.

        Podman without root may leave a container in its user's own group, whose counters are
        those of all the user does: then the container's processes are summed up instead. They are
        too where the group does not limit memory: it may not count what they swap.
        """
        mine = reader.of_process(os.getpid())
        if self._cgroup is not None and mine is not None and mine.place == self._cgroup.place:
            return ProcessTree(self._process, limits, None)
        weak = reader.exceeded(self.files(), limits, cpus=limits.cpus) if self.pid else {}
        if self._cgroup is not None and Limit.MEMORY in weak:
            return ProcessTree(self._process, limits, OwnCgroup.of(self._cgroup, weak))
        return CgroupProbe(self.files, ProcIo(self._process) if self.local else None)

    def files(self) -> reader.Files:
        """Return the files of the container's control groups."""
        return self._cgroup.read() if self._cgroup else self._inside()

    def readback(self, inspected: Mapping[str, Any]) -> Readback:
        """Return all that `weak` and `missing_isolation` look at."""
        proc = reader.PROC / str(self._process)
        if self._cgroup is None or self._own_kernel:
            inside = self._inside()
            return Readback(
                inspected=inspected,
                files=self._cgroup.read() if self._cgroup else inside,
                status=inside.get("status", ""),
                net=inside.get("net", ""),
                guard=_text(proc / "status") if self._own_kernel else "",
            )
        return Readback(
            inspected=inspected,
            files=self._cgroup.read(),
            status=_text(proc / "status"),
            net=_text(proc / "net" / "dev"),
        )

    def _inside(self) -> dict[str, str]:
        v1 = [name for names in reader.V1_FILES.values() for name in names]
        names = " ".join(dict.fromkeys([*reader.V2_FILES, *v1]))
        script = f"NAMES='{names}'{_SCRIPT}"
        # Programs of the image that a run cannot replace, and a bounded output.
        path = ("--env", "PATH=/usr/bin:/bin")
        words = ("exec", *path, self._name, "/bin/sh", "-c", f"({script}) | head -c {_MOST_BYTES}")
        done = self._client.run(*words, check=False)
        parts = (part.partition("\n") for part in done.stdout.split("\x1e")[1:])
        return {name: text for name, _, text in parts}


def weak(
    seen: Readback,
    limits: Limits,
    *,
    cpus: int,
    seccomp: Path | None,
    cores: frozenset[int] = frozenset(),
) -> dict[Limit, str]:
    """Return the limits that do not hold, each with the reason in one sentence.

    Args:
        seen: What was read of the container.
        limits: Those of the run.
        cpus: How many cores it may use.
        seccomp: The file of its filter of system calls; None where the engine has no filters.
        cores: The only ones that it may use; empty: any.
    """
    found = reader.exceeded(seen.files, limits, cpus=cpus)
    allowed = _cores(seen)
    if cores and not (allowed and allowed <= cores):
        has = ", ".join(map(str, sorted(allowed))) or "cores that could not be read"
        found[Limit.CPUS] = f"the run may use the cores {has} instead of those held for it"
    mode = (seen.inspected.get("HostConfig") or {}).get("NetworkMode")
    interfaces = [line.partition(":")[0].strip() for line in seen.net.splitlines() if ":" in line]
    if mode != "none" or interfaces != ["lo"]:
        names = ", ".join(interfaces) or "interfaces that could not be read"
        found[Limit.NETWORK] = f"the container has the network mode {mode} with {names}"
    # With a kernel of its own, what reaches this machine's kernel is what that kernel's process
    # does, which its runtime filters.
    if why := installed.missing(seen.guard or seen.status):
        found[Limit.SYSTEM_CALLS] = why
    elif not any(seccomp and is_profile(option, seccomp) for option in _security(seen)):
        found[Limit.SYSTEM_CALLS] = "the engine gave the container another filter of system calls"
    return found


def missing_isolation(seen: Readback) -> str:
    """Return the first isolation feature that is missing, in a sentence; empty if none is."""
    fields = dict(re.findall(r"^(\w+):\s*(\S+)$", seen.status, flags=re.MULTILINE))
    if int(fields.get("CapEff", "1"), 16) or int(fields.get("CapBnd", "1"), 16):
        return "It has capabilities, though all were to be dropped."
    if fields.get("NoNewPrivs", "1" if seen.guard else "") != "1":
        return "It may gain new privileges."
    return ""


def runtime(inspected: Mapping[str, Any]) -> str:
    """Return what started a container, as docker or podman reports it; empty if it does not."""
    docker = (inspected.get("HostConfig") or {}).get("Runtime")
    return str(inspected.get("OCIRuntime") or docker or "")


def _cores(seen: Readback) -> frozenset[int]:
    """Return the cores that process 1 may use, or that of its runtime's kernel."""
    found = re.search(r"^Cpus_allowed_list:\s*([\d,-]+)$", seen.guard or seen.status, re.MULTILINE)
    cores: set[int] = set()
    for part in found[1].split(",") if found else ():  # such as 0-2,5
        low, _, high = part.partition("-")
        cores.update(range(int(low), int(high or low) + 1))
    return frozenset(cores)


def _security(seen: Readback) -> list[str]:
    return (seen.inspected.get("HostConfig") or {}).get("SecurityOpt") or []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
