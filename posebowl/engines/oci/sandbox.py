"""One container as the sandbox of a run: started, read back, watched, and removed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from posebowl.challenge import EngineName, Limit
from posebowl.engines.base import OPEN_NETWORK, Probe, RunSpec, refuse_unwaived
from posebowl.engines.execution import End
from posebowl.engines.gpu import TOOLKIT_FIX, toolkit_is_missing
from posebowl.engines.handshake import Handshake
from posebowl.engines.monitoring.disk_usage import Written, folder_usage
from posebowl.engines.oci import image as identity, readback
from posebowl.engines.oci.argv import ContainerSpec
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.container import Container
from posebowl.engines.oci.image import Image
from posebowl.engines.oci.readback import ContainerReader
from posebowl.engines.output_stream import start_failure
from posebowl.engines.seccomp.profile import profile
from posebowl.errors import EngineError
from posebowl.util.host import slowness
from posebowl.util.text import visible

_INTERVAL_S: Final = 0.1
_FAR_INTERVAL_S: Final = 2.0
"""Where each look goes through the engine to another machine."""
_EXIT_TIMEOUT_S: Final = 30.0


@dataclass(kw_only=True)
class OciSandbox:
    """The processes of one run, in a container of its own."""

    spec: RunSpec
    client: Client
    image: Image
    asked: ContainerSpec
    """The container without the handshake's nonce, which `start` adds."""
    workspace: Path | None = None
    """The host's folder that a foreign image has as /code_execution."""
    _child: subprocess.Popen[bytes] | None = None
    _reader: ContainerReader | None = None
    _runtime: str = ""
    """What the engine reports to have started it with."""
    _layer: str = ""
    """The folder of the container's own layer, on the engine's machine."""
    container: Container = field(init=False)

    def __post_init__(self) -> None:
        self.container = Container(client=self.client, name=self.asked.name)

    @property
    def interval_s(self) -> float:
        """Between two looks: rarer where each goes to another machine."""
        return _INTERVAL_S if self._reader and self._reader.local else _FAR_INTERVAL_S

    def start(self, nonce: str) -> subprocess.Popen[bytes]:
        """Make and start the container; what the client prints is kept apart from the log."""
        self.asked = dataclasses.replace(self.asked, command=(*self.asked.command, nonce))
        if self.asked.seccomp is not None:
            self.asked.seccomp.write_text(profile(), encoding="utf-8")
        self._child = self.container.start(self.asked, self._errors)
        return self._child

    def start_failure(self, handshake: Handshake) -> Exception:
        """Return why process 1 ended before it was ready."""
        if self._child is not None:
            # The engine knows the exit code by the time that its client ends.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_EXIT_TIMEOUT_S * slowness())
        state = (self.container.inspect() or {}).get("State") or {}
        said = visible(self._errors.read_text(encoding="utf-8", errors="replace")).strip()
        if elsewhere := self.client.elsewhere(said):
            return elsewhere
        if self.asked.gpu and not handshake.early and toolkit_is_missing():
            return EngineError(
                f"{self.client.engine} cannot give the run a GPU.",
                why=f"The NVIDIA container toolkit is not installed. {said}".strip(),
                fix=f"{TOOLKIT_FIX}; or use --engine embedded, which needs none.",
            )
        return start_failure(
            self.client.engine,
            self.spec,
            handshake,
            state.get("ExitCode"),
            client_said=str(state.get("Error") or "") or said,
        )

    def verify(self) -> dict[Limit, str]:
        """Read back what holds, from the kernel or through the engine."""
        inspected = self.container.inspect() or {}
        pid = int((inspected.get("State") or {}).get("Pid") or 0)
        data = (inspected.get("GraphDriver") or {}).get("Data") or {}
        self._layer = str(data.get("UpperDir") or "")
        self._runtime = readback.runtime(inspected)
        nonce = self.asked.command[-1]
        names = (nonce, str(inspected.get("Id") or nonce))
        self._reader = ContainerReader(self.client, self.container.name, pid, names=names)
        return checked(self._reader.readback(inspected), self.spec, self.asked, self.client.engine)

    def probe(self) -> Probe:
        """Return what reads the container's usage, counted from now on."""
        assert self._reader is not None  # noqa: S101  # `verify` made it
        return self._reader.probe(self.spec.limits)

    @property
    def pid(self) -> int:
        """Of process 1, where that is on this machine."""
        return self._reader.pid if self._reader else 0

    def unpacked(self) -> Written:
        """Sum what the zip holds: measured, unless that takes the engine seconds."""
        return self.written() if self._sees_layer else Written(bytes=self.spec.unpacked_bytes)

    def written(self) -> Written:
        """Sum what lies in the results, in the workspace, and in the container's own layer."""
        mounted = folder_usage(self.spec.output)
        if self.workspace is not None:
            mounted += folder_usage(self.workspace)
        if self._sees_layer:
            return mounted + folder_usage(Path(self._layer))
        return mounted + self.container.written(self._layer)

    @property
    def _sees_layer(self) -> bool:
        return os.access(self._layer, os.R_OK | os.X_OK)

    def terminate(self) -> None:
        """Ask all processes to end, through process 1."""
        self.container.signal("TERM")

    def kill(self) -> None:
        """End the container at once, unless it has ended and its client with it."""
        if self._child is None or self._child.poll() is not None:
            return
        self.container.signal("KILL")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_EXIT_TIMEOUT_S * slowness())

    def end(self) -> End:
        """Wait until the engine knows that the container has ended, and return how."""
        state = self.container.state_after_exit(_EXIT_TIMEOUT_S * slowness())
        return End(
            exit_code=int(state.get("ExitCode", 0)),
            oom_kills=1 if state.get("OOMKilled") else 0,
            # Only root may look into the layers of an engine that runs as root.
            workdir=self._workdir(),
        )

    def _workdir(self) -> Path | None:
        if self.workspace is not None:
            return self.workspace / "workdir"
        return Path(self._layer) / "code_execution" / "workdir" if self._sees_layer else None

    def remove(self) -> None:
        """Remove the container."""
        self.container.remove()

    def describe(self) -> dict[str, str]:
        """Return what it ran on."""
        client = self.client
        return {
            "image": self.image.name,
            "image_id": self.image.id,
            "lock": "" if self.spec.image else self.image.labels.get(identity.LOCK_LABEL, ""),
            "made_from_lock": "no" if self.spec.image else "yes",
            "engine": f"{client.engine} {client.engine_version}",
            "runtime": self._runtime or client.runtime or "default",
            "rootless": "yes" if client.rootless else "no",
            "cgroup": f"v{client.cgroup_version}",
        }

    @property
    def _errors(self) -> Path:
        return self.spec.scratch / "client.txt"


def checked(
    seen: readback.Readback, spec: RunSpec, asked: ContainerSpec, engine: EngineName
) -> dict[Limit, str]:
    """Return the waived limits that do not hold, with the reasons.

    Raises:
        EngineError: An isolation feature is missing.
        LimitUnenforcedError: A limit that is not waived does not hold.
    """
    if why := readback.missing_isolation(seen):
        raise EngineError(
            f"{engine} does not isolate the container as it was asked to.",
            why=why,
            fix="Use another engine, or update this one.",
        )
    if spec.runtime and (actual := readback.runtime(seen.inspected)) != spec.runtime:
        raise EngineError(
            f"{engine} did not use the runtime {spec.runtime}.",
            why=f"It reports {actual or 'none'} for the container.",
            fix="Leave --runtime out, or check the engine's configuration.",
        )
    weak = readback.weak(
        seen, spec.limits, cpus=asked.cpus, seccomp=asked.seccomp, cores=asked.cores
    )
    refuse_unwaived(weak, spec, engine)
    if spec.network:
        weak[Limit.NETWORK] = OPEN_NETWORK
    if asked.cpus < spec.limits.cpus:
        few = f"this machine has {asked.cpus} of the {spec.limits.cpus} cores of the platform"
        weak.setdefault(Limit.CPUS, few)
    return weak
