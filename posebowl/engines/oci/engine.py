"""The engines docker and podman: start, inspect, wait, inspect; the host holds both gates."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from posebowl.challenge import EngineName, Variant
from posebowl.engines.base import Outcome, RunSpec, Watcher
from posebowl.engines.oci import argv, client as oci_client, image as identity
from posebowl.engines.oci.argv import ContainerSpec, User
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.container import Container
from posebowl.engines.oci.execution import Execution
from posebowl.engines.oci.image import Image
from posebowl.errors import EngineError
from posebowl.util import process

PREFIX: Final = "posebowl-"


class OciEngine:
    """Runs submissions in containers of the images that were built from uv.lock.

    Args:
        name: Docker or podman.
        allow_cpu: Run the gpu image without a GPU where the host has none.
    """

    def __init__(self, name: EngineName, *, allow_cpu: bool = False) -> None:
        self.name = name
        self._allow_cpu = allow_cpu
        self._images: dict[Variant, Image] = {}

    def unavailable(self) -> str | None:
        """Say why the engine cannot be used here and what to do about it, or None if it can."""
        return oci_client.problem(self.name)

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:
        """Check that the image is there, made from this uv.lock; say which one it is."""
        client = oci_client.connect(self.name)
        image = self._images[spec.variant] = identity.current(client, spec.variant)
        self._gpu(spec.variant)
        watch.note(f"image: {image.name} ({image.id[:12]})")

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        """Run main.sh in a container of its own, which is gone on return."""
        asked_at = time.monotonic()
        client = oci_client.connect(self.name)
        image = self._images.get(spec.variant) or identity.current(client, spec.variant)
        user = run_user(client)
        _check_readable(spec, user)
        execution = Execution(
            spec=spec,
            watcher=watch,
            client=client,
            image=image,
            asked=container_spec(
                client, spec, user=user, image=image.id, gpu=self._gpu(spec.variant)
            ),
            asked_at=asked_at,
        )
        with handed_over(spec.output, user):
            return execution.run()

    def reap(self) -> None:
        """Remove containers whose harness on this machine is dead."""
        client = oci_client.connect(self.name)
        for found in client.run(*argv.listing()).stdout.split():
            container = Container(client=client, name=found)
            labels = container.labels()
            if labels is not None and is_orphan(labels.get(argv.OWNER_LABEL, "")):
                container.remove()

    def _gpu(self, variant: Variant) -> bool:
        if variant is not Variant.GPU:
            return False
        if oci_client.host_has_gpu():
            return True
        if self._allow_cpu:
            return False
        raise EngineError(
            "This machine has no NVIDIA GPU, or no driver for it.",
            why="The gpu variant gives main.sh a GPU.",
            fix="Add --allow-cpu to run the gpu image without one, or use --variant cpu.",
        )


def container_spec(
    client: Client, spec: RunSpec, *, user: User, image: str, gpu: bool
) -> ContainerSpec:
    """Describe the container of a run; the entrypoint's nonce is added when it is made."""
    return ContainerSpec(
        name=container_name(spec.run_id),
        image=image,
        labels={argv.RUN_LABEL: spec.run_id, argv.OWNER_LABEL: owner()},
        mounts=argv.run_mounts(
            archive=spec.archive.resolve(),
            images=spec.images.resolve(),
            submission_format=spec.submission_format.resolve(),
            output=spec.output.resolve(),
        ),
        user=user,
        limits=spec.limits,
        cpus=min(spec.limits.cpus, client.cpus),
        gpu=gpu,
        selinux=oci_client.selinux_enforces(),
        rlimits=rlimits(),
    )


def container_name(run_id: str) -> str:
    """Return a container's name for a run's id: what engines allow in names."""
    return PREFIX + re.sub(r"[^a-zA-Z0-9_.-]", "-", run_id)


def run_user(client: Client) -> User:
    """Choose who a container runs as, so that its results belong to the host's user.

    Root's runs are the image's own user, never root: their results change hands afterwards.
    """
    if sys.platform != "linux":
        return User()
    if client.engine == EngineName.PODMAN and client.rootless:
        return User(keep_id=True)
    if client.mapped_to_me:
        return User(uid=0, gid=0)
    if os.geteuid() == 0:
        return User(host_ids=client.remapped)
    return User(uid=os.geteuid(), gid=os.getegid(), host_ids=client.remapped)


def owner() -> str:
    """Name this process among all processes of all machines."""
    started = psutil.Process().create_time()
    return f"{socket.gethostname()}:{os.getpid()}:{started:.2f}"


def is_orphan(label: str) -> bool:
    """Tell whether a process of this machine made a container and is no longer alive."""
    host, _, rest = label.rpartition(":")[0].rpartition(":")
    started = label.rpartition(":")[2]
    if host != socket.gethostname() or not rest.isdecimal():
        return False
    try:
        return f"{psutil.Process(int(rest)).create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True


def rlimits() -> dict[str, int]:
    """Return how many files and processes this process may grant, where that is finite."""
    if sys.platform == "win32":
        return {}
    import resource  # noqa: PLC0415  # not there on Windows

    known = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    hard = {name: resource.getrlimit(which)[1] for name, which in known.items()}
    with contextlib.suppress(OSError, ValueError):
        # Podman lowers its own limit on processes to this number before it starts anything.
        most = int(Path("/proc/sys/kernel/pid_max").read_text())
        hard["nproc"] = most if hard["nproc"] < 0 else min(most, hard["nproc"])
    return {
        name: min(value, 1 << 20) for name, value in hard.items() if value != resource.RLIM_INFINITY
    }


def _hands_over(user: User) -> bool:
    """Tell whether the run is another user of this machine than who started it."""
    return sys.platform == "linux" and os.geteuid() == 0 and user.uid != 0 and not user.keep_id


@contextlib.contextmanager
def handed_over(folder: Path, user: User) -> Iterator[None]:
    """Let a run write to a folder, and give all that it made there to the host's user."""
    if not _hands_over(user):
        yield
        return
    os.chown(folder, user.uid, user.gid)
    try:
        yield
    finally:
        # Links are changed themselves, never followed.
        mine = f"{os.geteuid()}:{os.getegid()}"
        process.run(["chown", "-R", "-h", "-P", mine, folder], check=False)


def _check_readable(spec: RunSpec, user: User) -> None:
    """Refuse what root can read but the run, which is not root, cannot.

    Raises:
        EngineError: A file or folder is closed to others.
    """
    if not _hands_over(user):
        return
    photo = next(spec.images.iterdir(), None)
    for path in (spec.archive, spec.submission_format, spec.images, photo):
        if path is None:
            continue
        status = path.stat()
        wanted = 0o005 if path.is_dir() else 0o004
        if status.st_uid != user.uid and status.st_mode & wanted != wanted:
            raise EngineError(
                f"The run cannot read {path}.",
                why="Started by root, it runs as an ordinary user, and others may not read this.",
                fix=f"Type: chmod -R o+rX {path}",
            )
