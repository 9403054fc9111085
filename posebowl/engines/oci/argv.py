"""Argument lists for docker and podman: pure functions, one table of options for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from posebowl.challenge import CODE_EXECUTION, EngineName, Limits, Variant

RUN_LABEL: Final = "posebowl.run"
"""On every container of this tool: the run's id."""
OWNER_LABEL: Final = "posebowl.owner"
"""On every container of this tool: which process of which machine made it."""
RUNNER: Final = 1000
"""User and group id of `runner`, who owns the environment in the images."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A file or folder of the host, seen by a container."""

    source: Path
    target: PurePosixPath
    writable: bool = False

    def text(self) -> str:
        """Write it as --mount takes it: a line of CSV, quoted, since paths may hold commas."""
        fields = ["type=bind", f"source={self.source}", f"target={self.target}"]
        if not self.writable:
            fields.append("readonly")
        return ",".join(_csv_field(word) for word in fields)


@dataclass(frozen=True, kw_only=True)
class User:
    """Who a container runs as, so that what it writes belongs to the host's user.

    The images' files belong to user and group 1000. Another user id gets that group beside its
    own, and with it what the image grants to the group.
    """

    uid: int = RUNNER
    gid: int = RUNNER
    keep_id: bool = False
    """Rootless podman: map the host's user to this one."""
    host_ids: bool = False
    """Docker with userns-remap: leave user ids as they are, or nobody could write the results."""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """A container as an engine is asked to make it."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    entrypoint: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    user: User = field(default_factory=User)
    limits: Limits = field(default_factory=Limits)
    cpus: int = 1
    """Cores it may use: those of the limits, or all there are if that is fewer."""
    cores: frozenset[int] = frozenset()
    """Which ones; empty: any, and it may move between them."""
    gpu: bool = False
    network: bool = False
    selinux: bool = False
    """The host labels its files, and would not let a container read them."""
    rlimits: Mapping[str, int] = field(default_factory=dict)
    """What this machine grants, by ulimit's names; an engine may ask for more and then fail."""
    tty: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of its environment, beside those of the image."""
    runtime: str = ""
    """What docker starts it with; podman's is an option of the client."""
    seccomp: Path | None = None
    """The file of the filter of system calls; None leaves the engine's own in force."""


def start(engine: EngineName, spec: ContainerSpec) -> list[str]:
    """Build the arguments after the client's name that make and start a container.

    Both ends of its pipe are held here, and it is kept when it has ended.
    """
    return ["run", "--log-driver", "none", *_container(engine, spec)]


def run(engine: EngineName, spec: ContainerSpec) -> list[str]:
    """Build the arguments that run a container in the foreground, and remove it at its end."""
    return ["run", "--rm", *_container(engine, spec)]


def kill(name: str, signal: str) -> list[str]:
    """Build the arguments that send a signal to process 1 of a container."""
    return ["kill", "--signal", signal, name]


def remove(engine: EngineName, name: str) -> list[str]:
    """Build the arguments that remove a container, running or not, and kill it at once."""
    at_once = ["--time", "0"] if engine == EngineName.PODMAN else []
    return ["rm", "--force", "--volumes", *at_once, name]


def listing() -> list[str]:
    """Build the arguments that list the ids of all containers of this tool."""
    words = ["ps", "--all", "--no-trunc", "--quiet"]
    return [*words, "--filter", f"label={RUN_LABEL}"]


def run_mounts(
    *, archive: Path, images: Path, submission_format: Path, output: Path
) -> tuple[Mount, ...]:
    """List all that a run sees of the host: never labels, and one writable folder."""
    data = CODE_EXECUTION / "data"
    return (
        Mount(source=archive, target=CODE_EXECUTION / "submission.zip"),
        Mount(source=images, target=data / "images"),
        Mount(source=submission_format, target=data / "submission_format.csv"),
        Mount(source=output, target=CODE_EXECUTION / "submission", writable=True),
    )


def image_name(variant: Variant, key: str = "") -> str:
    """Return the name of the image that was made from what `key` stands for, or of the latest."""
    return f"posebowl-runtime:{variant}" + (f"-{key[:16]}" if key else "")


def _container(engine: EngineName, spec: ContainerSpec) -> list[str]:
    words = ["--name", spec.name, "--pull", "never", "--hostname", "posebowl", "--interactive"]
    if spec.tty:
        words.append("--tty")
    for label in sorted(spec.labels):
        words += ["--label", f"{label}={spec.labels[label]}"]
    if spec.runtime:
        words += ["--runtime", spec.runtime]
    words += _isolation(engine, spec) + _limits(spec)
    for name in sorted(spec.variables):
        words += ["--env", f"{name}={spec.variables[name]}"]
    if engine == EngineName.PODMAN:
        for name in sorted(spec.rlimits):
            words += ["--ulimit", f"{name}={spec.rlimits[name]}:{spec.rlimits[name]}"]
    for mount in spec.mounts:
        words += ["--mount", mount.text()]
    if spec.entrypoint is not None:
        words += ["--entrypoint", spec.entrypoint]
    return [*words, spec.image, *spec.command]


def _isolation(engine: EngineName, spec: ContainerSpec) -> list[str]:
    # Without the flag an engine gives a container the network of its machine.
    network = [] if spec.network else ["--network", "none"]
    words = [*network, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    if spec.seccomp is not None:
        words += ["--security-opt", f"seccomp={spec.seccomp}"]
    if spec.selinux:
        words += ["--security-opt", "label=disable"]
    user = spec.user
    words += ["--user", f"{user.uid}:{user.gid}"]
    if user.gid != RUNNER:
        words += ["--group-add", str(RUNNER)]
    if user.uid != RUNNER:
        # The image knows no name for this user, and some packages ask for one.
        words += ["--env", "USER=runner", "--env", "LOGNAME=runner"]
    if user.keep_id:
        words += ["--userns", f"keep-id:uid={user.uid},gid={user.gid}"]
    if user.host_ids:
        words += ["--userns", "host"]
    if engine == EngineName.PODMAN:
        # Podman would pass the host's proxy settings on, and may prepare for systemd.
        words += ["--http-proxy=false", "--systemd=false"]
    if spec.gpu:
        podman = engine == EngineName.PODMAN
        words += ["--device", "nvidia.com/gpu=all"] if podman else ["--gpus", "all"]
    return words


def _limits(spec: ContainerSpec) -> list[str]:
    limits = spec.limits
    return [
        *("--memory", str(limits.memory_bytes)),
        # Memory and swap together: the same number means no swap.
        *("--memory-swap", str(limits.memory_bytes)),
        # Counts as memory of the container; the engines' 64 MB is too little for workers.
        *("--shm-size", str(limits.memory_bytes // 2)),
        *("--cpus", str(spec.cpus)),
        *(("--cpuset-cpus", ",".join(map(str, sorted(spec.cores)))) if spec.cores else ()),
        *("--pids-limit", str(limits.processes)),
        *("--ulimit", "core=0"),
        *("--ulimit", f"fsize={limits.file_bytes}"),
    ]


def _csv_field(word: str) -> str:
    if any(c in word for c in ',"\n\r'):
        return '"' + word.replace('"', '""') + '"'
    return word
