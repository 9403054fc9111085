"""One run in a container, from its making to its outcome."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from posebowl.challenge import Limit
from posebowl.engines.base import Outcome, RunSpec, Sample, Stop, Watcher
from posebowl.engines.handshake import LATE_S, Gate
from posebowl.engines.log_capture import LogCapture
from posebowl.engines.monitoring.disk_usage import folder_bytes
from posebowl.engines.monitoring.watchdog import Watched, settle, watch
from posebowl.engines.oci import image as identity, readback
from posebowl.engines.oci.argv import ContainerSpec
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.container import Container
from posebowl.engines.oci.image import Image
from posebowl.engines.oci.readback import Eyes
from posebowl.engines.output_stream import drain, start_failure
from posebowl.errors import EngineError, LimitUnenforcedError
from posebowl.util.text import visible

_LOOK_INTERVAL_S: Final = 0.1
_FAR_INTERVAL_S: Final = 2.0
"""Where each look goes through the engine to another machine."""
_START_TIMEOUT_S: Final = 300.0
_UNPACK_BYTES_PER_S: Final = 10e6
_EXIT_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What came of the container, before the outcome is put together."""

    watched: Watched
    started_after_s: float
    unenforced: dict[Limit, str]
    state: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What one run is made of."""

    spec: RunSpec
    watcher: Watcher
    client: Client
    image: Image
    asked: ContainerSpec
    asked_at: float

    def run(self) -> Outcome:
        """Run it to its end; the container is gone on return, however that comes."""
        told = threading.Lock()
        log = LogCapture(
            self.spec.log,
            max_bytes=self.spec.limits.log_bytes,
            on_line=lambda line: _locked(told, self.watcher.line, line),
        )
        container = Container(client=self.client, name=self.asked.name)
        try:
            seen = self._in_container(container, log, told)
        finally:
            try:
                container.remove()
            finally:
                log.close()
        return self._outcome(seen, log)

    def _in_container(self, container: Container, log: LogCapture, told: threading.Lock) -> _Seen:
        gate = Gate(holds_end=True)
        errors = self.spec.scratch / "client.txt"
        with self._attached(container, gate, log, errors) as child:
            if not self._ready(gate, child):
                raise self._start_failure(container, gate, errors)
            inspected = container.inspect() or {}
            pid = int((inspected.get("State") or {}).get("Pid") or 0)
            eyes = Eyes(self.client, container.name, pid, gate.nonce)
            unenforced = self._verified(eyes, inspected)
            layer = _layer(inspected)
            started_after_s = time.monotonic() - self.asked_at
            self.watcher.admit()
            gate.open(_stdin(child))
            watched = watch(
                wait=gate.wait_end,
                probe=eyes.probe(self.spec.limits),
                limits=self.spec.limits,
                written=lambda: self._written_bytes(container, layer),
                on_sample=lambda sample: _locked(told, self.watcher.sample, sample),
                interval_s=_LOOK_INTERVAL_S if eyes.local else _FAR_INTERVAL_S,
                memory_is_enforced=Limit.MEMORY not in unenforced,
            )
            late_s = self._end(container, gate, child, stopped=watched.stopped_by is not None)
        state = container.state_after_exit(_EXIT_TIMEOUT_S)
        watched = settle(
            watched,
            self.spec.limits,
            late_s=late_s,
            output_bytes=self._written_bytes(container, layer),
        )
        return _Seen(
            watched=watched, started_after_s=started_after_s, unenforced=unenforced, state=state
        )

    def _written_bytes(self, container: Container, layer: str) -> int:
        """Sum what the run has written: its results, and the container's own layer."""
        if os.access(layer, os.R_OK | os.X_OK):
            return folder_bytes(self.spec.output) + folder_bytes(Path(layer))
        return folder_bytes(self.spec.output) + container.written_bytes(layer)

    @contextlib.contextmanager
    def _attached(
        self, container: Container, gate: Gate, log: LogCapture, errors: Path
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start the container, and drain it until the block ends; then nothing of it runs."""
        spec = dataclasses.replace(self.asked, command=(gate.nonce,))
        child = container.start(spec, errors)
        assert child.stdout is not None  # noqa: S101  # a pipe: for the type checker
        drainer = threading.Thread(target=drain, args=(child.stdout, gate, log), daemon=True)
        drainer.start()
        try:
            yield child
        except BaseException:
            container.signal("KILL")
            raise
        finally:
            _close(child)
            drainer.join(_EXIT_TIMEOUT_S)
            child.stdout.close()

    def _ready(self, gate: Gate, child: subprocess.Popen[bytes]) -> bool:
        """Wait until the archive is unpacked, but not for ever."""
        seconds = _START_TIMEOUT_S + self.spec.archive.stat().st_size / _UNPACK_BYTES_PER_S
        alarm = threading.Timer(seconds, child.kill)
        alarm.daemon = True
        alarm.start()
        try:
            return gate.wait_ready()
        finally:
            alarm.cancel()

    def _verified(self, eyes: Eyes, inspected: dict[str, Any]) -> dict[Limit, str]:
        """Read back what holds; main.sh does not run yet.

        Raises:
            EngineError: A wall between the container and the host is missing.
            LimitUnenforcedError: A limit that is not waived does not hold.
        """
        seen = eyes.readback(inspected)
        if why := readback.broken(seen):
            raise EngineError(
                f"{self.client.engine} does not isolate the container as it was asked to.",
                why=why,
                fix="Use another engine, or update this one.",
            )
        weak = readback.weak(seen, self.spec.limits, cpus=self.asked.cpus)
        missing = {limit: why for limit, why in weak.items() if limit not in self.spec.waived}
        if missing:
            raise LimitUnenforcedError(
                f"{self.client.engine} does not hold a limit: {', '.join(missing)}.",
                why="; ".join(missing.values()) + ".",
                fix=f"Use another engine, or waive it: --waive {','.join(missing)}",
            )
        if self.asked.cpus < self.spec.limits.cpus:
            weak.setdefault(
                Limit.CPUS,
                f"this machine has {self.asked.cpus} of the {self.spec.limits.cpus} cores "
                "of the platform",
            )
        return weak

    def _end(
        self,
        container: Container,
        gate: Gate,
        child: subprocess.Popen[bytes],
        *,
        stopped: bool,
    ) -> float:
        """End the container, and return how long after its gate it ended, in seconds."""
        if stopped and not gate.wait_end(0):
            container.signal("TERM")
            gate.wait_end(self.spec.limits.grace_s)
        before = time.monotonic()
        gate.release(_stdin(child))
        try:
            child.wait(0.0 if stopped and not gate.wait_end(0) else LATE_S)
        except subprocess.TimeoutExpired:
            container.signal("KILL")
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_EXIT_TIMEOUT_S)
        return time.monotonic() - before

    def _start_failure(self, container: Container, gate: Gate, errors: Path) -> Exception:
        """Tell from what came before the gate why main.sh could not be started."""
        state = (container.inspect() or {}).get("State") or {}
        client = visible(errors.read_text(errors="replace")).strip()
        return start_failure(
            self.client.engine,
            gate,
            state.get("ExitCode"),
            also_said=str(state.get("Error") or "") or client,
        )

    def _outcome(self, seen: _Seen, log: LogCapture) -> Outcome:
        watched = seen.watched
        killed = 1 if seen.state.get("OOMKilled") else 0
        by_harness = watched.stopped_by not in {None, Stop.OUTPUT}
        return Outcome(
            exit_code=None if by_harness else int(seen.state.get("ExitCode", 0)),
            stopped_by=watched.stopped_by,
            started_after_s=seen.started_after_s,
            wall_s=watched.wall_s,
            cpu_s=watched.cpu_s,
            peak_memory_bytes=watched.peak_memory_bytes,
            output_bytes=watched.output_bytes,
            log_bytes=log.total_bytes,
            oom_kills=max(watched.oom_kills, killed),
            samples=watched.samples,
            unenforced=seen.unenforced,
            environment=self._describe(),
        )

    def _describe(self) -> dict[str, str]:
        client = self.client
        return {
            "image": self.image.name,
            "image_id": self.image.id,
            "lock": self.image.labels.get(identity.LOCK_LABEL, ""),
            "engine": f"{client.engine} {client.engine_version}",
            "runtime": client.runtime or "default",
            "rootless": "yes" if client.rootless else "no",
            "cgroup": f"v{client.cgroup_version}",
        }


def _layer(inspected: dict[str, Any]) -> str:
    """Return the folder of the container's own layer, on the engine's machine."""
    data = (inspected.get("GraphDriver") or {}).get("Data") or {}
    return str(data.get("UpperDir") or "")


def _close(child: subprocess.Popen[bytes]) -> None:
    """End the client; what it held open is closed when its output has been drained."""
    if child.poll() is None:
        child.kill()
    child.wait()
    with contextlib.suppress(OSError):
        _stdin(child).close()


def _stdin(child: subprocess.Popen[bytes]) -> IO[bytes]:
    assert child.stdin is not None  # noqa: S101  # a pipe: for the type checker
    return child.stdin


def _locked(lock: threading.Lock, tell: Any, news: str | Sample) -> None:
    """Speak to the watcher from one thread at a time."""
    with lock:
        tell(news)
