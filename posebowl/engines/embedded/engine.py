"""The embedded engine: Linux namespaces by util-linux `unshare`; no daemon, no image, no root."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil

from posebowl import environments
from posebowl.challenge import EngineName, Limit, Limits, Variant
from posebowl.engines.base import OPEN_NETWORK, Outcome, Probe, RunSpec, Watcher, refuse_unwaived
from posebowl.engines.cgroups import manager
from posebowl.engines.cgroups.manager import OwnCgroup
from posebowl.engines.embedded import namespaces
from posebowl.engines.embedded.layout import ENTRYPOINT, Layout
from posebowl.engines.execution import End, execute
from posebowl.engines.gpu import Driver, driver as find_driver, gives_gpu, host_has_gpu
from posebowl.engines.handshake import Handshake
from posebowl.engines.monitoring import process_tree
from posebowl.engines.monitoring.disk_usage import Written, folder_usage
from posebowl.engines.monitoring.process_tree import ProcessTree
from posebowl.engines.monitoring.socket_buffers import SocketBuffers
from posebowl.engines.output_stream import start_failure
from posebowl.engines.seccomp import bpf, installed
from posebowl.errors import EngineError
from posebowl.util import process
from posebowl.util.files import open_up
from posebowl.util.text import visible

VARIABLES: Final = {
    "HOME": "/home/runner",
    "LANG": "C.UTF-8",
    "PATH": "/opt/env/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONUNBUFFERED": "1",
    "VIRTUAL_ENV": "/opt/env",
}

_SANDBOX: Final = Path(__file__).with_name("sandbox.py")
SANDBOX_FAILED: Final = 70
_UNSHARE_FAILED: Final = 1
_KILLED: Final = 128 + 9
_ENFORCED_INTERVAL_S: Final = 0.1
_WATCHDOG_INTERVAL_S: Final = 0.05


class EmbeddedEngine:
    """Runs submissions in a private root on the environment made from uv.lock.

    Args:
        full: Use the whole cpu group whatever the submission imports.
        allow_cpu: Run the gpu variant without a GPU where the machine has none.
        use_cgroup: Let the kernel enforce memory where it can; otherwise a watchdog does.
        use_overlay: Put a private layer over the environment where the kernel can; otherwise
            the environment is copied for the run.
    """

    name = EngineName.EMBEDDED

    def __init__(
        self,
        *,
        full: bool = False,
        allow_cpu: bool = False,
        use_cgroup: bool = True,
        use_overlay: bool = True,
    ) -> None:
        self._full = full
        self._allow_cpu = allow_cpu
        self._use_cgroup = use_cgroup
        self._use_overlay = use_overlay

    def unavailable(self) -> str | None:
        """Return why namespaces cannot be used here and how to allow them, or None if they can."""
        return namespaces.problem()

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:
        """Make the environment that the submission needs; tell the user which one and why."""
        if spec.runtime:
            raise EngineError(
                f"The embedded engine has no runtime {spec.runtime}.",
                why="It starts main.sh itself; only Docker and Podman start containers.",
                fix="Leave --runtime out, or use --engine docker or --engine podman.",
            )
        if spec.image:
            raise EngineError(
                f"The embedded engine has no images, such as {spec.image}.",
                fix="Use --engine docker or podman, or leave --image out.",
            )
        if gpu := self._driver(spec.variant):
            watch.note(f"GPU: {', '.join(path.name for path in gpu.devices)}")
        choice = self._choice(spec)
        if not environments.ready(choice.group, spec.cache):
            watch.admit()
        environments.ensure(choice.group, spec.cache, note=watch.note)
        watch.note(f"environment: {choice.group} ({choice.reason})")

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        """Run main.sh in a private root; an overlay where the kernel has one, otherwise a copy."""
        asked_at = time.monotonic()
        group = self._choice(spec).group
        environment = environments.ensure(group, spec.cache, note=watch.note)
        layout = Layout(
            spec=spec,
            environment=environment,
            copies=not self._use_overlay,
            driver=self._driver(spec.variant),
        )
        try:
            return self._run(layout, watch, asked_at)
        except NoOverlayError:
            watch.note("There is no overlay file system here: copying the environment instead.")
            spec.log.unlink()
            return self._run(replace(layout, copies=True), watch, asked_at)

    def _choice(self, spec: RunSpec) -> environments.Choice:
        if spec.variant is Variant.GPU:
            return environments.Choice(group="gpu", reason="the gpu variant has one for all")
        return environments.choose(spec.imports, spec.cache, full=self._full)

    def _driver(self, variant: Variant) -> Driver | None:
        """Return what of the GPU's driver the run sees; None if it gets no GPU."""
        wanted = gives_gpu(variant, has_gpu=host_has_gpu(), allow_cpu=self._allow_cpu)
        return find_driver() if wanted else None

    def _run(self, layout: Layout, watch: Watcher, asked_at: float) -> Outcome:
        spec = layout.spec
        group = manager.create(spec.run_id, spec.limits) if self._use_cgroup else None
        sandbox = EmbeddedSandbox(layout=layout, group=group)
        return execute(sandbox, spec, watch, asked_at=asked_at)

    def reap(self) -> None:
        """Remove control groups of killed runs; their processes died with the harness."""
        manager.reap()


class NoOverlayError(Exception):
    """The private layer over the environment cannot be mounted here."""


@dataclass(kw_only=True)
class EmbeddedSandbox:
    """The processes of one run, in namespaces of their own."""

    layout: Layout
    group: OwnCgroup | None
    _child: subprocess.Popen[bytes] | None = None
    _channel: socket.socket | None = None
    """Through which the run lends what counts its sockets, before main.sh starts."""
    _buffers: SocketBuffers | None = None
    _cpu_before_s: float = 0.0

    @property
    def interval_s(self) -> float:
        """Between two looks: shorter where nobody but the watchdog limits memory."""
        return _ENFORCED_INTERVAL_S if self._kernel_counts(Limit.MEMORY) else _WATCHDOG_INTERVAL_S

    def _kernel_counts(self, limit: Limit) -> bool:
        return self.group is not None and limit in self.group.enforces

    def start(self, nonce: str) -> subprocess.Popen[bytes]:
        """Start sandbox.py in new namespaces; it builds the root and becomes the entrypoint."""
        self._cpu_before_s = _children_cpu_s()
        self._channel, theirs = socket.socketpair()
        # An open network is the host's, where others have sockets too.
        lends = not self._kernel_counts(Limit.MEMORY) and not self.layout.spec.network
        passed = [theirs.fileno()] if lends else []
        with theirs, self._errors.open("wb") as errors:
            self._child = subprocess.Popen(
                self.command(self.config([ENTRYPOINT, nonce]) | {"passed": passed}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,  # apart from the log: also what `unshare` itself prints
                bufsize=0,
                cwd="/",
                start_new_session=True,
                pass_fds=passed,
            )
        return self._child

    def command(self, config: dict[str, Any]) -> list[str]:
        """Write a description for sandbox.py, and return the command that starts it."""
        place = self.layout.spec.scratch / "sandbox.json"
        place.write_text(json.dumps(config))
        # Should the harness be killed, the kernel ends `unshare`, and that ends process 1.
        guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        entry = self.group.entry if self.group else ()
        script = [sys.executable, "-I", "-S", str(_SANDBOX), str(place)]
        unshare = namespaces.unshare(network=self.layout.spec.network)
        return [*guard, *entry, *unshare, "--kill-child", *script]

    def config(self, argv: list[str]) -> dict[str, Any]:
        """Make the folders of the run, and describe it for sandbox.py.

        Args:
            argv: The arguments of the shell that becomes process 1.
        """
        limits, group = self.layout.spec.limits, self.group
        return {
            **self.layout.make(environments.NOBODY if os.geteuid() == 0 else None),
            "groups": [environments.RUN_GROUP] if os.geteuid() == 0 else [],
            "cgroups": [str(path) for path in group.paths] if group else [],
            "cpus": usable_cpus(limits.cpus),
            "network": self.layout.spec.network,
            "shm_bytes": limits.memory_bytes // 2,
            "file_bytes": limits.file_bytes,
            "counts_memory": self._kernel_counts(Limit.MEMORY),
            "processes": 0 if self._kernel_counts(Limit.PROCESSES) else limits.processes,
            "filter": bpf.program(platform.machine()).hex(),
            "argv": argv,
            "env": VARIABLES | self.layout.variables | dict(self.layout.spec.variables),
        }

    def start_failure(self, handshake: Handshake) -> Exception:
        """Return why process 1 ended before it was ready."""
        said = self._said()
        code = self._exit_code()
        if code == SANDBOX_FAILED and "mount overlay" in said:
            return NoOverlayError()
        spec = self.layout.spec
        return start_failure(EngineName.EMBEDDED, spec, handshake, code, client_said=said)

    def verify(self) -> dict[Limit, str]:
        """Return the limits that, read back, hold less strictly than in a container.

        Raises:
            LimitUnenforcedError: No filter of system calls is in force, which is not waived.
        """
        spec = self.layout.spec
        assert self._channel is not None  # noqa: S101  # `start` made it
        self._buffers = SocketBuffers.lent(self._channel)
        unfiltered = {}
        status = ""
        with contextlib.suppress(psutil.Error):
            for process_1 in psutil.Process(self._started.pid).children():
                status = installed.status(process_1.pid)
        if why := bpf.problem() or installed.missing(status, outside=installed.status("self")):
            unfiltered[Limit.SYSTEM_CALLS] = why
        refuse_unwaived(unfiltered, spec, EngineName.EMBEDDED)
        broken = self.group.exceeded(spec.limits) if self.group else {}
        opened = {Limit.NETWORK: OPEN_NETWORK} if spec.network else {}
        weak = unenforced(spec.limits, self.group, counts_sockets=self._buffers is not None)
        return weak | broken | unfiltered | opened

    def probe(self) -> Probe:
        """Return what reads the run's usage, counted from now on."""
        buffers = self._buffers.held if self._buffers else lambda: 0
        return ProcessTree(self._started.pid, self.layout.spec.limits, self.group, buffers=buffers)

    @property
    def pid(self) -> int:
        """Of `unshare`, which ends when process 1 does."""
        return self._started.pid

    def unpacked(self) -> Written:
        """Sum what the zip holds; where the environment is copied, that is in it too."""
        return self.written()

    def written(self) -> Written:
        """Sum what lies in the folders that the run may write to."""
        return sum(map(folder_usage, self.layout.writable), Written())

    def terminate(self) -> None:
        """Ask all processes to end, through process 1."""
        with contextlib.suppress(psutil.Error):
            for process_1 in psutil.Process(self._started.pid).children():
                process_1.terminate()

    def kill(self) -> None:
        """End all processes at once: when process 1 dies, the kernel kills its namespace."""
        if self._started.poll() is None:
            process_tree.kill(self._started.pid)
        self._started.wait()

    def end(self) -> End:
        """Return how the run ended, by the kernel's counters where a control group has them."""
        if os.geteuid() != 0:  # root may look everywhere
            open_up(*self.layout.writable)
        counted = self.group.usage() if self.group else None
        return End(
            exit_code=self._exit_code(),
            oom_kills=counted.oom_kills if counted else 0,
            cpu_s=(counted.cpu_s if counted else 0.0) or _children_cpu_s() - self._cpu_before_s,
            workdir=self.layout.workdir,
        )

    def remove(self) -> None:
        """Hand what the run wrote over to the user, and remove its control groups."""
        for lent in (self._channel, self._buffers):
            if lent is not None:
                lent.close()
        if os.geteuid() == 0:  # it ran as nobody
            output = self.layout.spec.output
            process.run(["chown", "-R", "-h", "0:0", output], check=False)
        if self.group:
            self.group.remove()

    def describe(self) -> dict[str, str]:
        """Return what it ran on."""
        return {
            "environment": self.layout.environment.name,
            "lock": environments.digest(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "user": "nobody" if os.geteuid() == 0 else "own user",
        }

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        assert self._child is not None  # noqa: S101  # `start` made it
        return self._child

    @property
    def _errors(self) -> Path:
        return self.layout.spec.scratch / "sandbox.txt"

    def _said(self) -> str:
        """Return what sandbox.py and `unshare` printed, safe to show."""
        return visible(self._errors.read_text(errors="replace")).strip()

    def _exit_code(self) -> int:
        """Return the exit code of process 1: 128 + n for signal n."""
        code = self._started.wait()
        # Where KILL ended process 1, `unshare` fails to do the same to itself.
        if code == _UNSHARE_FAILED and "unblock failed" in self._said():
            return _KILLED
        return code if code >= 0 else 128 - code


def unenforced(
    limits: Limits, group: OwnCgroup | None, *, counts_sockets: bool
) -> dict[Limit, str]:
    """Return the limits that hold less strictly than in a container, with the reasons."""
    kernel = group.enforces if group else frozenset()
    weak = {}
    if Limit.MEMORY not in kernel:
        why = group and group.without.get(Limit.MEMORY)
        weak[Limit.MEMORY] = (
            f"{why or 'this machine allows no control group for it'}: a watchdog checks memory "
            "twenty times a second, so a fast allocation can exceed the limit for a moment, and "
            f"{'pipes' if counts_sockets else 'the buffers of sockets, pipes'} and files that are "
            "on their way through a socket are not counted"
        )
    if Limit.CPUS not in kernel:
        weak[Limit.CPUS] = "set by affinity, which a submission can undo for itself"
    have = len(usable_cpus(limits.cpus))
    if have < limits.cpus:
        weak[Limit.CPUS] = f"this machine has {have} of the {limits.cpus} cores of the platform"
    return weak


def usable_cpus(count: int) -> list[int]:
    """Return the first `count` processors that this process may use, or all if it has fewer."""
    return sorted(os.sched_getaffinity(0))[:count]


def _children_cpu_s() -> float:
    import resource  # noqa: PLC0415  # not there on Windows, where this module is loaded too

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
