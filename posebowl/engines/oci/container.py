"""One container of docker or podman, from its making to its removal."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from posebowl.challenge import EngineName
from posebowl.engines.monitoring.disk_usage import Written
from posebowl.engines.oci import argv
from posebowl.engines.oci.argv import ContainerSpec
from posebowl.engines.oci.client import Client
from posebowl.errors import EngineError
from posebowl.util.interrupts import undisturbed

_REMOVAL_ATTEMPTS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container by its name or id; it may not be there."""

    client: Client
    name: str

    def start(self, spec: ContainerSpec, errors: Path) -> subprocess.Popen[bytes]:
        """Make and start it, its output and input as pipes; what the client prints goes to a file.

        The client gets no Ctrl-C from the terminal: the harness ends the run.
        """
        words = argv.start(self.client.engine, spec)
        with errors.open("wb") as file:
            return subprocess.Popen(
                [*self.client.argv, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                bufsize=0,
                # Podman's monitor leaves a file named "oom" where it was started.
                cwd=errors.parent,
                start_new_session=True,
            )

    def inspect(self) -> dict[str, Any] | None:
        """Return what the engine knows of it, or None if it is gone."""
        return self.client.inspect("container", self.name)

    def labels(self) -> dict[str, str] | None:
        """Return its labels, or None if it is gone."""
        found = self.inspect()
        return None if found is None else {**(found.get("Config", {}).get("Labels") or {})}

    def signal(self, name: str) -> None:
        """Send a signal to process 1; nothing happens if it has ended."""
        with undisturbed():
            self.client.run(*argv.kill(self.name, name), check=False)

    def written(self, layer: str) -> Written:
        """Ask the engine how much the container's own layer holds; it does not count files.

        Podman without root can look into it as its owner does. Otherwise the engine compares it
        with the image, which takes seconds.

        Args:
            layer: The layer's folder on the engine's machine.
        """
        ways: list[tuple[str, ...]] = [
            ("container", "inspect", "--size", "--format", "{{.SizeRw}}", self.name)
        ]
        if self.client.engine == EngineName.PODMAN and self.client.rootless and layer:
            ways.insert(0, ("unshare", "du", "--summarize", "--block-size=1", layer))
        for words in ways:
            # du gives a sum, and an error as well, where files vanish under its hands.
            number = self.client.run(*words, check=False).stdout.partition("\t")[0].strip()
            if number.isdecimal():
                return Written(bytes=int(number))
        return Written(whole=False)

    def state_after_exit(self, timeout_s: float) -> dict[str, Any]:
        """Wait until the engine knows that it has ended, and return its state.

        Raises:
            EngineError: It is gone, or still running.
        """
        end = time.monotonic() + timeout_s
        while True:
            found = self.inspect()
            if found is None:
                raise EngineError(
                    f"The container {self.name} vanished while it ran.",
                    why="Something else removed it.",
                    fix="Run it again.",
                )
            state: dict[str, Any] = found.get("State") or {}
            if not state.get("Running") and state.get("Status") != "stopping":
                return state
            if time.monotonic() > end:
                raise EngineError(
                    f"The container {self.name} does not end.",
                    why=f"{self.client.engine} says: {state.get('Status')}",
                    fix=f"Restart {self.client.engine}.",
                )
            time.sleep(0.02)

    def remove(self) -> None:
        """Remove it, running or not; engines sometimes need to be asked again.

        Raises:
            EngineError: It is still there.
        """
        with undisturbed():
            for attempt in range(_REMOVAL_ATTEMPTS):
                done = self.client.run(*argv.remove(self.client.engine, self.name), check=False)
                # For a container that is gone already, an engine may answer with an error.
                if done.returncode == 0 or self.inspect() is None:
                    return
                time.sleep(0.2 * 2**attempt)
        raise EngineError(
            f"The container {self.name} cannot be removed.",
            why=done.stderr.strip(),
            fix=f"Type: {self.client.engine} rm --force {self.name}",
        )
