"""The embedded engine: Linux namespaces by util-linux `unshare`; no daemon, no image, no root."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from posebowl import paths
from posebowl.challenge import CODE_EXECUTION, EngineName, Limit, Limits, Variant
from posebowl.engines.base import Outcome, RunSpec, Stop, Watcher
from posebowl.engines.cgroups import manager
from posebowl.engines.cgroups.manager import OwnCgroup
from posebowl.engines.embedded import namespaces
from posebowl.engines.handshake import LATE_S, Gate
from posebowl.engines.log_capture import LogCapture
from posebowl.engines.monitoring.disk_usage import folder_bytes
from posebowl.engines.monitoring.process_tree import ProcessTree
from posebowl.engines.monitoring.watchdog import Watched, settle, watch
from posebowl.engines.output_stream import drain, early_words, start_failure
from posebowl.environments import venv
from posebowl.errors import EngineError
from posebowl.util import process
from posebowl.util.files import open_up

ENVIRONMENT: Final = "/opt/env"
TOOLS: Final = "/opt/posebowl"
HOME: Final = "/home/runner"

TOOL_FILES: Final = ("entrypoint.sh", "unpack.py")
VARIABLES: Final = {
    "HOME": HOME,
    "LANG": "C.UTF-8",
    "PATH": f"{ENVIRONMENT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "VIRTUAL_ENV": ENVIRONMENT,
}

_SANDBOX_FAILED: Final = 70
_SANDBOX: Final = Path(__file__).with_name("sandbox.py")
_WATCHDOG_INTERVAL_S: Final = 0.05
_LOOK_INTERVAL_S: Final = 0.1


class EmbeddedEngine:
    """Runs submissions in a private root on the environment made from uv.lock.

    Args:
        full: Use the whole cpu group whatever the submission imports.
        use_cgroup: Let the kernel enforce memory where it may; otherwise a watchdog does.
    """

    name = EngineName.EMBEDDED

    def __init__(self, *, full: bool = False, use_cgroup: bool = True) -> None:
        self._full = full
        self._use_cgroup = use_cgroup

    def unavailable(self) -> str | None:
        """Say why namespaces cannot be used here and what to switch on, or None if they can."""
        return namespaces.problem()

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:
        """Make the environment that the submission needs, and say which one and why."""
        if spec.variant is Variant.GPU:
            raise EngineError(
                "The embedded engine has no GPU.",
                fix="Use Docker or Podman with the gpu image, or type: nox -s test_submission-cpu",
            )
        choice = venv.choose(spec.imports, full=self._full)
        if not venv.ready(choice.group):
            watch.admit()
        venv.ensure(choice.group, note=watch.note)
        watch.note(f"environment: {choice.group} ({choice.reason})")

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        """Run main.sh in a private root; an overlay where the kernel has one, else a copy."""
        asked_at = time.monotonic()
        group = venv.choose(spec.imports, full=self._full).group
        environment = venv.ensure(group, note=watch.note)
        execution = _Execution(
            spec=spec,
            watcher=watch,
            environment=environment,
            asked_at=asked_at,
            use_cgroup=self._use_cgroup,
        )
        try:
            return execution.run()
        except _NoOverlayError:
            watch.note("no overlay file system here: copying the environment for this run")
            spec.log.unlink()
            return dataclasses.replace(execution, copies=True).run()

    def reap(self) -> None:
        """Remove control groups of killed runs; their processes died with the harness."""
        manager.reap()


class _NoOverlayError(Exception):
    """The private layer over the environment cannot be mounted here."""


@dataclass(kw_only=True)
class _Execution:
    """One run, from its folders to its outcome."""

    spec: RunSpec
    watcher: Watcher
    environment: Path
    asked_at: float
    use_cgroup: bool
    copies: bool = False

    def run(self) -> Outcome:
        before = _children_cpu_s()
        group = manager.create(self.spec.run_id, self.spec.limits) if self.use_cgroup else None
        log = LogCapture(
            self.spec.log, max_bytes=self.spec.limits.log_bytes, on_line=self.watcher.line
        )
        try:
            exit_code, started_after_s, watched, late_s = self._run(group, log)
            if os.geteuid() != 0:  # root may look everywhere
                open_up(*self._folders())
            watched = settle(
                watched, self.spec.limits, late_s=late_s, output_bytes=self._written_bytes()
            )
        finally:
            self._take_results()
            counted = group.usage() if group else None
            if group:
                group.remove()
            log.close()  # last: it may raise
        return Outcome(
            exit_code=None if watched.stopped_by not in {None, Stop.OUTPUT} else exit_code,
            stopped_by=watched.stopped_by,
            started_after_s=started_after_s,
            wall_s=watched.wall_s,
            cpu_s=counted.cpu_s if counted and counted.cpu_s else _children_cpu_s() - before,
            peak_memory_bytes=watched.peak_memory_bytes,
            output_bytes=watched.output_bytes,
            log_bytes=log.total_bytes,
            oom_kills=max(watched.oom_kills, counted.oom_kills if counted else 0),
            samples=watched.samples,
            unenforced=unenforced(self.spec.limits, group),
            environment=self._describe(),
        )

    def _run(self, group: OwnCgroup | None, log: LogCapture) -> tuple[int, float, Watched, float]:
        """Start the sandbox, open its gate, watch it to its end; nothing is alive afterwards.

        Returns:
            The exit code, how long the start took, what was seen, and how long after its end
            mark it ended, in seconds.
        """
        gate = Gate(holds_end=True)
        child = self._start(gate, group)
        assert child.stdin is not None  # noqa: S101  # both are pipes: for the type checker
        assert child.stdout is not None  # noqa: S101
        tree = ProcessTree(child.pid, self.spec.limits, group)
        drainer = threading.Thread(target=drain, args=(child.stdout, gate, log), daemon=True)
        try:
            drainer.start()
            if not gate.wait_ready():
                raise _start_failure(gate, child.wait())
            started_after_s = time.monotonic() - self.asked_at
            self.watcher.admit()
            tree.begin()
            gate.open(child.stdin)
            watched = self._watch(gate, tree, group)
            if watched.stopped_by is not None and not gate.wait_end(0):
                _terminate(child)
                gate.wait_end(self.spec.limits.grace_s)
            said_at = time.monotonic()
            if gate.wait_end(0):
                gate.release(child.stdin)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(LATE_S)
            late_s = time.monotonic() - said_at
        finally:
            tree.kill()
            child.wait()
            drainer.join()
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
        code = child.returncode
        return (code if code >= 0 else 128 - code), started_after_s, watched, late_s

    def _start(self, gate: Gate, group: OwnCgroup | None) -> subprocess.Popen[bytes]:
        config = self.spec.scratch / "sandbox.json"
        config.write_text(json.dumps(self._sandbox(gate, group)))
        # Should the harness be killed, the kernel ends `unshare`, and that ends process 1.
        guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        return subprocess.Popen(
            [
                *guard,
                *namespaces.unshare(),
                "--kill-child",
                sys.executable,
                "-I",
                "-S",
                _SANDBOX,
                config,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd="/",
            start_new_session=True,
        )

    def _sandbox(self, gate: Gate, group: OwnCgroup | None) -> dict[str, Any]:
        """Make the folders of the run, and describe its root for sandbox.py."""
        scratch, limits = self.spec.scratch, self.spec.limits
        folders = {name: scratch / name for name in ("root", "workdir", "tmp", "home")}
        layers = {name: scratch / "layer" / name for name in ("upper", "work")}
        for folder in (*folders.values(), *layers.values()):
            folder.mkdir(parents=True, exist_ok=True)
        binds = _binds(self.spec, folders, self.environment)
        overlay = None
        if self.copies:
            copy = scratch / "layer" / "copy"
            process.run(["cp", "-a", "--reflink=auto", self.environment, copy])
            binds.append((str(copy), ENVIRONMENT, True))
        else:
            lower = {"target": ENVIRONMENT, "lower": str(self.environment)}
            overlay = lower | {name: str(folder) for name, folder in layers.items()}
        uid = None
        if os.geteuid() == 0:
            uid = venv.NOBODY
            mine = [folder for name, folder in folders.items() if name != "root"]
            for folder in (*mine, *layers.values(), self.spec.output):
                os.chown(folder, uid, uid)
        return {
            "root": str(folders["root"]),
            "binds": binds,
            "hidden": [str(folder) for folder in _hidden(self.spec)],
            "overlay": overlay,
            "cgroups": [str(path) for path in group.paths] if group else [],
            "cpus": usable_cpus(limits.cpus),
            "shm_bytes": limits.memory_bytes // 2,
            "file_bytes": limits.output_bytes + (64 << 20),
            "processes": 0 if group and Limit.PROCESSES in group.enforces else limits.processes,
            "uid": uid,
            "argv": [f"{TOOLS}/entrypoint.sh", gate.nonce],
            "env": VARIABLES,
        }

    def _watch(self, gate: Gate, tree: ProcessTree, group: OwnCgroup | None) -> Watched:
        enforced = group is not None and Limit.MEMORY in group.enforces
        return watch(
            wait=gate.wait_end,
            probe=tree,
            limits=self.spec.limits,
            written=self._written_bytes,
            on_sample=self.watcher.sample,
            interval_s=_LOOK_INTERVAL_S if enforced else _WATCHDOG_INTERVAL_S,
            memory_is_enforced=enforced,
        )

    def _folders(self) -> tuple[Path, ...]:
        """List the folders that the run may write to."""
        inner = (self.spec.scratch / name for name in ("workdir", "tmp", "home", "layer"))
        return (*inner, self.spec.output)

    def _written_bytes(self) -> int:
        return sum(map(folder_bytes, self._folders()))

    def _take_results(self) -> None:
        """Give what the run wrote to the user: started by root, it ran as nobody."""
        if os.geteuid() == 0:
            process.run(["chown", "-R", "-h", "0:0", self.spec.output], check=False)

    def _describe(self) -> dict[str, str]:
        return {
            "environment": self.environment.name,
            "lock": venv.lock_hash(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "user": "nobody" if os.geteuid() == 0 else "own user",
        }


def unenforced(limits: Limits, group: OwnCgroup | None) -> dict[Limit, str]:
    """Say which limits hold less strictly than in a container, and why."""
    kernel = group.enforces if group else frozenset()
    weak = {}
    if Limit.MEMORY not in kernel:
        weak[Limit.MEMORY] = (
            "no control group may be made here: memory is checked twenty times a second, "
            "so that a fast allocation can pass the limit for a moment"
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


def _binds(
    spec: RunSpec, folders: dict[str, Path], environment: Path
) -> list[tuple[str, str, bool]]:
    """List (source, target, writable) of all that the run sees beside system folders."""
    inside = str(CODE_EXECUTION)
    binds = [
        (str(spec.images.resolve()), f"{inside}/data/images", False),
        (str(spec.submission_format.resolve()), f"{inside}/data/submission_format.csv", False),
        (str(spec.archive.resolve()), f"{inside}/submission.zip", False),
        (str(spec.output), f"{inside}/submission", True),
        (str(folders["workdir"]), f"{inside}/workdir", True),
        (str(folders["tmp"]), "/tmp", True),  # noqa: S108
        (str(folders["home"]), HOME, True),
    ]
    tools = [(str(paths.RUNTIME / name), f"{TOOLS}/{name}", False) for name in TOOL_FILES]
    prefixes = interpreter(environment, [Path.home(), *_hidden(spec)])
    return [*binds, *tools, *((prefix, prefix, False) for prefix in prefixes)]


def _hidden(spec: RunSpec) -> list[Path]:
    """List the folders that no run may see, wherever they lie: the checkout and the labels."""
    return [paths.ROOT, spec.images.resolve().parent, spec.submission_format.resolve().parent]


def interpreter(environment: Path, hidden: Iterable[Path]) -> list[str]:
    """Return the folders of the Python that an environment is based on, unless in /usr.

    Raises:
        EngineError: One of `hidden` lies in them.
    """
    settings = (environment / "pyvenv.cfg").read_text()
    home = next(
        line.partition("=")[2].strip() for line in settings.splitlines() if line.startswith("home")
    )
    prefixes = {str(Path(home).parent), str(Path(home).resolve().parent)}
    shown = sorted(prefix for prefix in prefixes if not f"{prefix}/".startswith("/usr/"))
    for prefix, folder in itertools.product(shown, hidden):
        if folder.is_relative_to(prefix):
            raise EngineError(
                f"The Python of the embedded engine lies in {prefix}, beside {folder}.",
                why="A submission that may see the one could read the other.",
                fix=f"Type `uv python install 3.11`, remove {environment}, and run it again.",
            )
    return shown


def _start_failure(gate: Gate, exit_code: int) -> Exception:
    # Only sandbox.py ends so; the names in an archive are in the words of its unpacker.
    if exit_code == _SANDBOX_FAILED and "mount overlay" in early_words(gate):
        return _NoOverlayError()
    return start_failure(EngineName.EMBEDDED, gate, exit_code)


def _terminate(child: subprocess.Popen[bytes]) -> None:
    """Ask all processes to end, through process 1."""
    with contextlib.suppress(psutil.Error):
        for process_1 in psutil.Process(child.pid).children():
            process_1.terminate()


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
