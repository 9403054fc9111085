"""The clients of docker and podman: which one works here, and what it can do."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, assert_never

from posebowl.challenge import EngineName, Limit
from posebowl.engines.oci import runtimes
from posebowl.errors import EngineError
from posebowl.util import process

_PROBE_TIMEOUT_S: Final = 30.0
_COMMAND_TIMEOUT_S: Final = 120.0
_BUILDKIT_INSIDE: Final = 22
"""The last major version of Docker's client that brings BuildKit without a plugin."""
_ADDRESSES: Final = {
    EngineName.DOCKER: ("DOCKER_HOST", "DOCKER_CONTEXT"),
    EngineName.PODMAN: ("CONTAINER_HOST", "CONTAINER_CONNECTION"),
}
"""Variables that send a client to another daemon than this machine's own."""
_NOT_SEEN: Final = re.compile(
    r"bind source path does not exist|statfs \S.*: no such file|Mounts denied", re.IGNORECASE
)
"""What engines answer when a folder is not on their machine."""
_CONTROLLERS: Final = {Limit.MEMORY: "memory", Limit.CPUS: "cpu", Limit.PROCESSES: "pids"}
_DOCKER_SWITCHES: Final = {
    Limit.MEMORY: "MemoryLimit",
    Limit.CPUS: "CpuCfsQuota",
    Limit.PROCESSES: "PidsLimit",
}


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client that answered, and what is known of the engine behind it."""

    engine: EngineName
    argv: tuple[str, ...]
    """The client and its global options, to be followed by a command."""
    client_version: str
    engine_version: str
    rootless: bool
    cgroup_version: int
    cpus: int
    remapped: bool = False
    """Docker's daemon gives containers other user ids than the host's (userns-remap)."""
    runtime: str = ""
    """What starts containers, where it was chosen here."""
    runtimes: tuple[str, ...] = ()
    """Those that docker's daemon knows; podman is asked for each."""
    storage: str = ""
    """The folder of the images, on the machine of the engine."""
    driver: str = ""
    """What keeps them there and stacks a run's files on them: overlay, vfs."""
    cannot_limit: Mapping[Limit, str] = field(default_factory=dict)
    """Limits that the engine says it cannot enforce here, each with the reason."""
    architecture: str = ""
    """Of the engine's machine, as images name it: amd64, arm64; empty if it is not known."""
    redirected: str = ""
    """The variable that sends the client to a daemon of the user's choice, where one is set."""
    pins: bool = False
    """It runs on this machine's kernel, and can hold a container to some of its cores."""

    def run(
        self,
        *words: str,
        check: bool = True,
        timeout_s: float | None = _COMMAND_TIMEOUT_S,
        fix: str = "",
    ) -> process.Completed:
        """Run one command of the client.

        Raises:
            EngineError: It failed (with `check`), or took too long.
        """
        try:
            return process.run([*self.argv, *words], timeout_s=timeout_s, check=check, fix=fix)
        except process.ProcessError as error:
            raise EngineError(error.what, why=error.why, fix=error.fix) from None

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container or image, or None if there is none."""
        done = self.run(kind, "inspect", name, check=False)
        if done.returncode != 0:
            if "no such" in done.stderr.lower() or "not known" in done.stderr:
                return None
            raise EngineError(
                f"{self.engine} cannot inspect {name}.",
                why=done.stderr.strip(),
                fix="Type: invoke doctor",
            )
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found[0] if found else None

    def check_shares_files(self, folder: Path, image: str) -> None:
        """Check that a redirected client's engine sees this machine's files.

        Args:
            folder: A folder of the run, whose name no other machine has.
            image: What a container, never started, is made from to find out.

        Raises:
            EngineError: The engine is on another machine.
        """
        if not self.redirected:
            return
        mount = f'type=bind,"source={folder.resolve()}",target=/posebowl'
        done = self.run("create", "--network", "none", "--mount", mount, image, check=False)
        if error := self.elsewhere(done.stderr):
            raise error
        if made := done.stdout.strip():
            self.run("rm", "--force", made, check=False)

    def elsewhere(self, said: str) -> EngineError | None:
        """Return the error to raise if an engine's answer means that it cannot see our files."""
        if not _NOT_SEEN.search(said):
            return None
        other = "or use another engine: --engine embedded"
        if self.redirected:
            return EngineError(
                f"{self.engine} does not see the files of this machine.",
                why=f"{self.redirected} sends it to another one: {os.environ[self.redirected]}.",
                fix=f"Type: unset {self.redirected}; {other}",
            )
        return EngineError(
            f"{self.engine} does not see the folders of this run.",
            why=f"It runs on another machine or a virtual one, and says: {said.splitlines()[-1]}",
            fix=f"Share the folder with it (Docker Desktop: Settings, File sharing), {other}",
        )

    @property
    def mapped_to_me(self) -> bool:
        """Whether user 0 of a container is the host's user: rootless docker."""
        return self.engine == EngineName.DOCKER and self.rootless


def problem(engine: EngineName) -> str | None:
    """Return why an engine cannot be used here and how to fix that, or None if it can."""
    try:
        connect(engine)
    except EngineError as error:
        return " ".join(part for part in (error.what, error.why, error.fix) if part)
    return None


@functools.cache
def connect(engine: EngineName, *, timeout_s: float = _PROBE_TIMEOUT_S) -> Client:
    """Find a client, and ask the engine behind it what it is and what it can do.

    Raises:
        EngineError: It is not installed, does not answer, or lacks what a run needs.
    """
    try:
        match engine:
            case EngineName.DOCKER:
                return _docker(timeout_s)
            case EngineName.PODMAN:
                return _podman(timeout_s)
            case EngineName.EMBEDDED:
                raise EngineError(
                    "The embedded engine has no images.",
                    why="It runs in an environment on this machine, which it makes by itself.",
                    fix="Use --engine docker or --engine podman.",
                )
            case _:
                assert_never(engine)
    except process.ProcessError as error:
        raise _redirected_error(engine, error.what) or EngineError(
            f"{engine.capitalize()} does not answer.", why=error.what, fix=f"Type: {engine} info"
        ) from error


def _redirection(engine: EngineName) -> str:
    """Return the variable that sends a client to another daemon; empty if none is set."""
    return next((name for name in _ADDRESSES[engine] if os.environ.get(name)), "")


def _redirected_error(engine: EngineName, said: str) -> EngineError | None:
    """Return the error for a client that a variable sends to where nothing answers."""
    variable = _redirection(engine)
    if not variable:
        return None
    return EngineError(
        f"{engine.capitalize()} does not answer at {os.environ[variable]}.",
        why=f"The variable {variable} sends it there. {said.strip().rpartition(chr(10))[2]}",
        fix=f"Type: unset {variable}; or start the daemon there.",
    )


def builder(client: Client) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return a client that can build with secrets and caches, and the variables it needs.

    Docker's client of version 23 or newer builds with BuildKit only through its buildx plugin;
    an older one has it inside. There may be several clients on the PATH.

    Raises:
        EngineError: None of the clients can.
    """
    if client.engine == EngineName.PODMAN:
        return client.argv, {}
    for path in _all_on_path("docker"):
        done = process.run([path, "buildx", "version"], check=False, timeout_s=_PROBE_TIMEOUT_S)
        if done.returncode == 0:
            return (path, "buildx"), {}
        words = [path, "version", "--format", "{{.Client.Version}}"]
        version = process.run(words, check=False, timeout_s=_PROBE_TIMEOUT_S).stdout
        if 0 < _major(version) <= _BUILDKIT_INSIDE:
            return (path,), {"DOCKER_BUILDKIT": "1"}
    raise EngineError(
        f"Docker's client {client.client_version} cannot build with BuildKit.",
        why="Its buildx plugin is not installed.",
        fix="Install docker-buildx-plugin (Docker's packages) or docker-buildx (a distribution's).",
    )


def _docker(timeout_s: float) -> Client:
    path = shutil.which("docker")
    if path is None:
        raise EngineError(
            "Docker is not installed.",
            why="There is no `docker` on the PATH.",
            fix="Install Docker, or use another engine.",
        )
    form = "{{json .}}"
    with ThreadPoolExecutor() as pool:
        # Each waits for the daemon: both at once.
        done, more = pool.map(
            lambda word: process.run([path, word, "-f", form], check=False, timeout_s=timeout_s),
            ("version", "info"),
        )
    versions = _json(done.stdout)
    if done.returncode != 0 or not versions.get("Server"):
        raise _daemon_error(done.stderr.strip() or done.stdout.strip())
    if more.returncode != 0:
        raise _daemon_error(more.stderr.strip())
    info = _json(more.stdout)
    options = " ".join(info.get("SecurityOptions") or [])
    return Client(
        engine=EngineName.DOCKER,
        argv=(path,),
        client_version=str(versions.get("Client", {}).get("Version", "?")),
        engine_version=str(versions["Server"].get("Version", "?")),
        rootless="name=rootless" in options,
        remapped="name=userns" in options,
        cgroup_version=int(info.get("CgroupVersion") or 1),
        cpus=int(info.get("NCPU") or os.cpu_count() or 1),
        storage=str(info.get("DockerRootDir") or ""),
        driver=str(info.get("Driver") or ""),
        architecture=_architecture(info.get("Architecture")),
        cannot_limit=_docker_cannot_limit(info),
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        redirected=_redirection(EngineName.DOCKER),
        pins=bool(info.get("CPUSet")) and info.get("KernelVersion") == platform.release(),
    )


def _docker_cannot_limit(info: Mapping[str, Any]) -> dict[Limit, str]:
    """Return the limits that docker's daemon, by its own account, cannot enforce."""
    cannot = {
        limit: "Docker says that this machine's control groups cannot limit it"
        for limit, switch in _DOCKER_SWITCHES.items()
        if info.get(switch) is False
    }
    options = info.get("SecurityOptions")
    if options is not None and not any("name=seccomp" in option for option in options):
        cannot[Limit.SYSTEM_CALLS] = "Docker says that this machine's kernel cannot filter them"
    return cannot


def _architecture(name: str | None) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(name or "", name or "")


def _daemon_error(said: str) -> EngineError:
    """Return why Docker does not work: no daemon, a refused user, or something else."""
    if error := _redirected_error(EngineName.DOCKER, said):
        return error
    lowered = said.lower()
    if "permission denied" in lowered:
        return EngineError(
            "Docker's socket refuses this user.",
            why="Only root and the group `docker` may use it.",
            fix="Type: sudo usermod -aG docker $USER, and log in again.",
        )
    if "cannot connect" in lowered or "is the docker daemon running" in lowered:
        fix = "Start Docker Desktop." if sys.platform != "linux" else ""
        return EngineError(
            "Docker's daemon does not answer.",
            why=said.splitlines()[-1],
            fix=fix or "Type: sudo systemctl start docker (or sudo dockerd in a terminal).",
        )
    return EngineError("Docker does not work here.", why=said, fix="Type: docker version")


def _podman(timeout_s: float) -> Client:
    path = shutil.which("podman")
    if path is None:
        raise EngineError(
            "Podman is not installed.",
            why="There is no `podman` on the PATH.",
            fix="Install Podman, or use another engine.",
        )
    # Podman has dpkg search for the packages of its helpers, which takes four times as long as all
    # else and is not asked for: dpkg finds nothing where it has no database.
    done = process.run(
        [path, "info", "-f", "json"],
        env={"DPKG_ADMINDIR": os.devnull},
        check=False,
        timeout_s=timeout_s,
    )
    if done.returncode != 0:
        last = "".join(done.stderr.strip().splitlines()[-1:])
        raise _redirected_error(EngineName.PODMAN, last) or EngineError(
            "Podman does not work here.", why=last, fix="Type: podman info"
        )
    info = _json(done.stdout)
    host = info.get("host", {})
    version = int(str(host.get("cgroupVersion", "v2")).removeprefix("v"))
    runtime = runtimes.of_podman(str(host.get("ociRuntime", {}).get("name", "")), version)
    remote = bool(host.get("serviceIsRemote"))
    return Client(
        engine=EngineName.PODMAN,
        # A remote client (macOS, Windows) leaves the choice to its machine.
        argv=(path,) if remote else (path, "--runtime", runtime),
        client_version=str(info.get("version", {}).get("Version", "?")),
        engine_version=str(info.get("version", {}).get("Version", "?")),
        rootless=bool(host.get("security", {}).get("rootless")),
        cgroup_version=version,
        cpus=int(host.get("cpus") or os.cpu_count() or 1),
        runtime=runtime,
        storage=str(info.get("store", {}).get("graphRoot") or ""),
        driver=str(info.get("store", {}).get("graphDriverName") or ""),
        architecture=_architecture(host.get("arch")),
        cannot_limit=_podman_cannot_limit(host, version),
        redirected=_redirection(EngineName.PODMAN),
        pins="cpuset" in (host.get("cgroupControllers") or ())
        and host.get("kernel") == platform.release(),
    )


def _podman_cannot_limit(host: Mapping[str, Any], cgroup_version: int) -> dict[Limit, str]:
    """Return the limits that podman, by its own account, cannot enforce."""
    cannot = {}
    if (host.get("security") or {}).get("seccompEnabled") is False:
        cannot[Limit.SYSTEM_CALLS] = "Podman says that this machine's kernel cannot filter them"
    controllers = host.get("cgroupControllers")
    if controllers is None:
        return cannot
    why = (
        "Podman without root cannot use control groups of version 1"
        if cgroup_version == 1
        else "this user may not use the control group that limits it"
    )
    return cannot | {limit: why for limit, name in _CONTROLLERS.items() if name not in controllers}


def selinux_enforces() -> bool:
    """Return whether SELinux keeps containers from files that are not labelled for them."""
    with contextlib.suppress(OSError):
        return Path("/sys/fs/selinux/enforce").read_text(encoding="utf-8").strip() == "1"
    return False


def _all_on_path(name: str) -> list[str]:
    found = []
    for folder in os.get_exec_path():
        path = shutil.which(name, path=folder)
        if path and path not in found:
            found.append(path)
    return found


def _major(version: str) -> int:
    head = version.strip().partition(".")[0]
    return int(head) if head.isdecimal() else 0


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
