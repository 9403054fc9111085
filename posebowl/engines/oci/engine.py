"""The engines docker and podman: each run has a container of its own."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Final

from posebowl.challenge import EngineName, Limit, Variant
from posebowl.engines.base import Outcome, RunSpec, Watcher, refuse_unwaived
from posebowl.engines.execution import execute
from posebowl.engines.gpu import gives_gpu, host_has_gpu
from posebowl.engines.oci import (
    argv,
    client as oci_client,
    foreign_image,
    image as identity,
    runtimes,
)
from posebowl.engines.oci.argv import ContainerSpec, User
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.container import Container
from posebowl.engines.oci.host_user import handed_over, rlimits, run_user
from posebowl.engines.oci.image import Image
from posebowl.engines.oci.sandbox import OciSandbox
from posebowl.engines.seccomp.profile import FILE
from posebowl.util.host import restricted_cores
from posebowl.util.process_identity import is_orphan, owner

PREFIX: Final = "posebowl-"


class OciEngine:
    """Runs submissions in containers of the images that were built from uv.lock.

    Args:
        name: Docker or podman.
        allow_cpu: Run the gpu image without a GPU where the host has none.
        user: Who runs are in their containers; None: as the host's user needs it.
        has_gpu: Whether the host has a GPU; None: look.
    """

    def __init__(
        self,
        name: EngineName,
        *,
        allow_cpu: bool = False,
        user: User | None = None,
        has_gpu: bool | None = None,
    ) -> None:
        self.name = name
        self._user = user
        self._has_gpu = host_has_gpu() if has_gpu is None else has_gpu
        self._allow_cpu = allow_cpu
        self._images: dict[Variant, Image] = {}
        self._clients: dict[str, Client] = {}

    def unavailable(self) -> str | None:
        """Return why the engine cannot be used here and how to fix that, or None if it can."""
        return oci_client.problem(self.name)

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:
        """Check, cheapest first, that the engine can do this run; show which image it takes."""
        self._gpu(spec.variant)
        client = self._connect(spec)
        refuse_unwaived(client.cannot_limit, spec, self.name)
        image = self._images[spec.variant] = _image(client, spec)
        client.check_shares_files(spec.scratch, image.id)
        watch.note(f"image: {image.name} ({image.id[:12]})")
        if warning := image.emulation(client.architecture):
            watch.note(warning)

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        """Run main.sh in a container, which is gone on return."""
        asked_at = time.monotonic()
        client = self._connect(spec)
        image = self._images.get(spec.variant) or _image(client, spec)
        user = self._user or run_user(client)
        gpu = self._gpu(spec.variant)
        asked = container_spec(client, spec, user=user, image=image.id, gpu=gpu)
        sandbox = OciSandbox(spec=spec, client=client, image=image, asked=asked)
        with contextlib.ExitStack() as given:
            given.enter_context(handed_over(spec.output, user))
            if spec.image:
                sandbox.workspace = foreign_image.workspace(spec.scratch)
                given.enter_context(handed_over(sandbox.workspace, user))
            return execute(sandbox, spec, watch, asked_at=asked_at)

    def reap(self) -> None:
        """Remove containers whose harness on this machine is dead."""
        client = oci_client.connect(self.name)
        for found in client.run(*argv.listing()).stdout.split():
            container = Container(client=client, name=found)
            labels = container.labels()
            if labels is not None and is_orphan(labels.get(argv.OWNER_LABEL, "")):
                container.remove()

    def _connect(self, spec: RunSpec) -> Client:
        """Return the client that starts containers as the run asks for."""
        if spec.runtime not in self._clients:
            client = oci_client.connect(self.name)
            self._clients[spec.runtime] = runtimes.chosen(client, spec.runtime)
        return self._clients[spec.runtime]

    def _gpu(self, variant: Variant) -> bool:
        return gives_gpu(variant, has_gpu=self._has_gpu, allow_cpu=self._allow_cpu)


def _image(client: Client, spec: RunSpec) -> Image:
    """Return the image that the user names, or the one that this checkout makes."""
    return (
        identity.named(client, spec.image) if spec.image else identity.current(client, spec.variant)
    )


def container_spec(
    client: Client, spec: RunSpec, *, user: User, image: str, gpu: bool
) -> ContainerSpec:
    """Describe the container of a run; the handshake's nonce is added when it is made."""
    mounts = argv.run_mounts(
        archive=spec.archive.resolve(),
        images=spec.images.resolve(),
        submission_format=spec.submission_format.resolve(),
        output=spec.output.resolve(),
    )
    cores = restricted_cores() if client.pins and not client.redirected else frozenset()
    return ContainerSpec(
        # Engines allow few characters in names.
        name=PREFIX + re.sub(r"[^a-zA-Z0-9_.-]", "-", spec.run_id),
        image=image,
        labels={argv.RUN_LABEL: spec.run_id, argv.OWNER_LABEL: owner()},
        entrypoint=foreign_image.ENTRYPOINT if spec.image else None,
        command=("-c", foreign_image.SCRIPT) if spec.image else (),
        mounts=(*foreign_image.mounts(spec.scratch), *mounts) if spec.image else mounts,
        user=user,
        limits=spec.limits,
        cpus=min(spec.limits.cpus, client.cpus, len(cores) or client.cpus),
        cores=cores,
        gpu=gpu,
        network=spec.network,
        selinux=oci_client.selinux_enforces(),
        rlimits=rlimits(),
        variables=spec.variables,
        runtime=spec.runtime if client.engine is EngineName.DOCKER else "",
        seccomp=None if Limit.SYSTEM_CALLS in client.cannot_limit else spec.scratch / FILE,
    )
