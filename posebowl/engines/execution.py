"""One run, the same on all engines: start, admit, watch, end, and what was seen of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from posebowl.challenge import PREDICTIONS_FILE, Limit
from posebowl.engines.base import Outcome, Probe, RunSpec, Watcher
from posebowl.engines.handshake import Handshake
from posebowl.engines.log_capture import LogCapture
from posebowl.engines.monitoring.disk_usage import Written
from posebowl.engines.monitoring.watchdog import settle, watch
from posebowl.engines.output_stream import drain
from posebowl.util.host import slowness
from posebowl.util.interrupts import undisturbed

_START_TIMEOUT_S: Final = 300.0
_UNPACK_BYTES_PER_S: Final = 10e6
_DRAIN_TIMEOUT_S: Final = 30.0
_CLIENT_TIMEOUT_S: Final = 2.0
"""What started a run, such as a client of docker, ends soon after it."""


@dataclass(frozen=True, kw_only=True)
class End:
    """How the processes of a run ended, read when all of them are dead."""

    exit_code: int
    oom_kills: int = 0
    cpu_s: float = 0.0
    """0 where the engine cannot tell better than the samples."""
    workdir: Path | None = None
    """The working directory as it was left; None where it cannot be looked into."""

    @property
    def misplaced(self) -> bool:
        """Whether predictions lie in the working directory; links to elsewhere do not count."""
        folder = self.workdir
        # Neither question fails where the folder is closed, as Path's would.
        if folder is None or os.path.islink(folder):  # noqa: PTH114
            return False
        return os.path.lexists(folder / PREDICTIONS_FILE)


class Sandbox(Protocol):
    """The processes of one run and what isolates them, as an engine makes them.

    `execute` calls each method in the order below; `written` and `kill` more than once, and
    `remove` whatever happened before.
    """

    @property
    def interval_s(self) -> float:
        """Between two looks at what the run uses."""
        ...

    def start(self, nonce: str) -> subprocess.Popen[bytes]:
        """Start runtime/entrypoint.sh as process 1; return what holds its stdin and stdout."""
        ...

    def start_failure(self, handshake: Handshake) -> Exception:
        """Return why process 1 ended before it was ready."""
        ...

    def verify(self) -> dict[Limit, str]:
        """Read back what the kernel enforces, and return the limits that do not hold, with reasons.

        Raises:
            EngineError: The run is not isolated as it must be.
            LimitUnenforcedError: A limit that is not waived does not hold.
        """
        ...

    @property
    def pid(self) -> int:
        """Number of process 1 on this machine, or of what dies with it; 0 if it is elsewhere."""
        ...

    def unpacked(self) -> Written:
        """Sum what lies where the run may write before it does: what the zip holds."""
        ...

    def probe(self) -> Probe:
        """Return what reads the run's usage, counted from now on."""
        ...

    def written(self) -> Written:
        """Sum what lies where the run may write; called from another thread too."""
        ...

    def terminate(self) -> None:
        """Ask all processes to end."""
        ...

    def kill(self) -> None:
        """End all processes at once; nothing happens if they have ended."""
        ...

    def end(self) -> End:
        """Return how the run ended."""
        ...

    def remove(self) -> None:
        """Remove what `start` made, and give the results to the user."""
        ...

    def describe(self) -> dict[str, str]:
        """Return what it ran on."""
        ...


def execute(sandbox: Sandbox, spec: RunSpec, watcher: Watcher, *, asked_at: float) -> Outcome:
    """Run main.sh in a sandbox, to its end or to a limit; nothing of it is left on return.

    Args:
        sandbox: Made for this run alone.
        spec: What to run.
        watcher: Told what happens.
        asked_at: When the engine was asked, on the monotonic clock.
    """
    lock = threading.Lock()

    def told(listener: Any) -> Any:
        """Speak to the watcher from one thread at a time."""

        def tell(news: Any) -> None:
            with lock:
                listener(news)

        return tell

    watcher = dataclasses.replace(watcher, line=told(watcher.line), sample=told(watcher.sample))
    log = LogCapture(spec.log, max_bytes=spec.limits.log_bytes, on_line=watcher.line)
    try:
        return _run(sandbox, spec, watcher, log, asked_at)
    finally:
        with undisturbed():
            try:
                sandbox.remove()
            finally:
                log.close()


def _run(
    sandbox: Sandbox, spec: RunSpec, watcher: Watcher, log: LogCapture, asked_at: float
) -> Outcome:
    handshake = Handshake(holds_end=True)
    with _attached(sandbox, handshake, log) as child:
        if not _ready(handshake, child, spec):
            raise sandbox.start_failure(handshake)
        unenforced = sandbox.verify()
        before = sandbox.unpacked()
        started_after_s = time.monotonic() - asked_at
        watcher.admit()
        probe = sandbox.probe()

        def wait(timeout_s: float) -> bool:
            return handshake.wait_dead(
                timeout_s, _stdin(child), count=lambda: probe.usage(fresh=True)
            )

        _report_death(sandbox.pid, handshake)
        handshake.open(_stdin(child))
        watched = watch(
            wait=wait,
            probe=probe,
            limits=spec.limits,
            written=lambda: sandbox.written().since(before),
            on_sample=watcher.sample,
            interval_s=sandbox.interval_s,
            memory_is_enforced=Limit.MEMORY not in unenforced,
        )
        dead = watched.stopped_by is None
        if not dead:
            sandbox.terminate()
            dead = wait(spec.limits.grace_s)
        if dead:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_CLIENT_TIMEOUT_S)
        sandbox.kill()
    end = sandbox.end()
    watched = settle(watched, spec.limits, sandbox.written().since(before))
    stopped = watched.stopped_by
    return Outcome(
        exit_code=end.exit_code if stopped is None or stopped.is_output else None,
        stopped_by=stopped,
        started_after_s=started_after_s,
        wall_s=watched.wall_s,
        cpu_s=end.cpu_s or watched.cpu_s,
        peak_memory_bytes=watched.peak_memory_bytes,
        output_bytes=watched.written.bytes,
        log_bytes=log.total_bytes,
        oom_kills=max(watched.oom_kills, end.oom_kills),
        samples=watched.samples,
        unenforced=unenforced,
        environment=sandbox.describe(),
        misplaced=end.misplaced,
    )


@contextlib.contextmanager
def _attached(
    sandbox: Sandbox, handshake: Handshake, log: LogCapture
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the run, and drain its output until the block ends; then nothing of it is alive."""
    child = sandbox.start(handshake.nonce)
    assert child.stdout is not None  # noqa: S101  # a pipe: for the type checker
    drainer = threading.Thread(target=drain, args=(child.stdout, handshake, log), daemon=True)
    drainer.start()
    try:
        yield child
    finally:
        with undisturbed():
            sandbox.kill()
            child.kill()
            child.wait()
            drainer.join(_DRAIN_TIMEOUT_S * slowness())
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]


def _ready(handshake: Handshake, child: subprocess.Popen[bytes], spec: RunSpec) -> bool:
    """Wait until the archive is unpacked, but not for ever."""
    seconds = _START_TIMEOUT_S + spec.archive.stat().st_size / _UNPACK_BYTES_PER_S
    seconds *= slowness()
    alarm = threading.Timer(seconds, child.kill)
    alarm.daemon = True
    alarm.start()
    try:
        return handshake.wait_ready()
    finally:
        alarm.cancel()


def _report_death(pid: int, handshake: Handshake) -> None:
    """Let the kernel say when process 1 dies: a container's stream ends only some time later."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):  # another system, an old kernel, or another machine's pid
        return

    def wait() -> None:
        try:
            ended = select.poll()
            ended.register(descriptor, select.POLLIN)
            ended.poll()
            handshake.died()
        finally:
            os.close(descriptor)

    threading.Thread(target=wait, name="death", daemon=True).start()


def _stdin(child: subprocess.Popen[bytes]) -> IO[bytes]:
    assert child.stdin is not None  # noqa: S101  # a pipe: for the type checker
    return child.stdin
