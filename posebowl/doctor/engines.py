"""The engines: which work, what they are, and whether their images fit this checkout."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from posebowl import environments
from posebowl.challenge import LIMITS, EngineName, Limit, Variant
from posebowl.doctor import holes
from posebowl.doctor.findings import Finding, State, of_error
from posebowl.engines.cgroups import manager, reader
from posebowl.engines.embedded import namespaces
from posebowl.engines.oci import Client, client as oci_client, image as identity, image_name
from posebowl.engines.seccomp import bpf
from posebowl.errors import EngineError
from posebowl.images import debian_base
from posebowl.util.host import is_root
from posebowl.util.units import human_bytes

NAMES: Final = ("docker cpu image", "podman cpu image", "embedded")
"""Findings of which one must be good for a run."""

COPIES: Final = "vfs"
"""The storage driver of docker and podman that needs nothing of the kernel."""


def containers(name: EngineName) -> Iterator[Finding]:
    """Check docker or podman, and the images that it has."""
    try:
        client = oci_client.connect(name)
    except EngineError as error:
        yield of_error(name, State.MISSING, error)
        return
    yield engine(client)
    yield holes.filters(client)
    for variant in Variant:
        yield _image(client, variant)


def engine(client: Client) -> Finding:
    """Return an engine's versions, rights, control groups, runtime and socket."""
    other = client.client_version != client.engine_version
    parts = [
        client.engine_version,
        f"client {client.client_version}" if other else "",
        "rootless" if client.rootless else "as root",
        f"cgroup v{client.cgroup_version}",
        client.runtime,
        _socket(client),
    ]
    text = ", ".join(part for part in parts if part)
    if client.rootless and client.cgroup_version == 1:
        return Finding(
            name=client.engine,
            state=State.WARNING,
            text=f"{text}: limits do not hold without root on control groups of version 1",
            fix="Type: invoke run --waive memory,cpus,processes; or boot with version 2.",
        )
    if reader.has_uncounted_swap():
        return Finding(
            name=client.engine,
            state=State.WARNING,
            text=f"{text}: the memory limit does not hold, since {reader.UNCOUNTED_SWAP}",
            fix=f"Type: {reader.SWAPOFF}; or invoke run --waive memory.",
        )
    if client.driver == COPIES:
        return Finding(
            name=client.engine,
            state=State.WARNING,
            text=f"{text}: each run copies its whole image, since the storage driver is {COPIES}",
            fix=_overlay(client),
        )
    return Finding(name=client.engine, state=State.GOOD, text=text)


def _overlay(client: Client) -> str:
    """Return how to make an engine stack images."""
    if client.engine is EngineName.DOCKER:
        written = '{"storage-driver": "overlay2"} to /etc/docker/daemon.json, restart docker'
        return f"Write {written}, and build the images again."
    words, file = 'driver = "overlay"', "~/.config/containers/storage.conf"
    if not client.rootless:  # Podman as root takes no file without these
        words += f', runroot = "/run/containers/storage" and graphroot = "{client.storage}"'
        file = "/etc/containers/storage.conf"
    return (
        f"Write [storage] and below it {words} to {file}, type: podman system reset, which removes "
        "all images; and build them again."
    )


def _socket(client: Client) -> str:
    """Return where docker's daemon listens; podman has none."""
    if client.engine is not EngineName.DOCKER:
        return ""
    if host := os.environ.get("DOCKER_HOST"):
        return f"DOCKER_HOST={host}"
    form = "{{.Endpoints.docker.Host}}"
    try:
        return client.run("context", "inspect", "-f", form, check=False).stdout.strip()
    except EngineError:
        return ""


def _image(client: Client, variant: Variant) -> Finding:
    """Check that an image exists and was built from this lock and recipe."""
    name = f"{client.engine} {variant} image"
    try:
        image = identity.current(client, variant)
    except EngineError as error:
        absent = identity.find(client, image_name(variant)) is None
        # The gpu image is large, and few need it.
        state = State.MISSING if absent or variant is Variant.GPU else State.WARNING
        return of_error(name, state, error)
    text = f"fresh ({human_bytes(image.bytes)}, {image.id[:12]})"
    if warning := image.emulation(client.architecture):
        text += f". {warning}"
    return Finding(name=name, state=State.GOOD, text=text)


def base() -> Iterator[Finding]:
    """Check that a base image can be made here, for which no registry is needed."""
    if problem := debian_base.missing(as_root=is_root()):
        text = f"{problem.what} Only `invoke base` needs it."
        yield Finding(name="base image", state=State.MISSING, text=text, fix=problem.fix)
    else:
        text = "can be made here, without a registry"
        yield Finding(name="base image", state=State.GOOD, text=text)


def embedded(cache: Path | None) -> Iterator[Finding]:
    """Check what the embedded engine needs, and the environments that it has made."""
    if problem := namespaces.problem():
        yield Finding(name="embedded", state=State.MISSING, text=problem)
        return
    if problem := bpf.problem():
        fix = "Type: invoke run --waive system-calls"
        yield Finding(name="embedded", state=State.WARNING, text=problem, fix=fix)
    else:
        yield Finding(name="embedded", state=State.GOOD, text=f"works; {_memory()}")
    if cache is not None:
        yield _environments(cache)


def _environments(cache: Path) -> Finding:
    try:
        made = [group for group in ("lean", "cpu") if environments.ready(group, cache)]
        others = len(environments.of_other_locks(cache))
    except OSError as error:
        text = f"{error.filename}: {error.strerror}"
        fix = "Set POSEBOWL_CACHE to a folder of yours."
        return Finding(name="environments", state=State.BAD, text=text, fix=fix)
    if not made:
        text = "none made from this lock yet; the first embedded run makes one"
        return Finding(name="environments", state=State.MISSING, text=text)
    text = f"made from this lock: {', '.join(made)}"
    if others:
        text += f"; {others} of other locks in {cache / 'environments'} can be removed"
    return Finding(name="environments", state=State.GOOD, text=text)


def _memory() -> str:
    group = manager.create(f"doctor-{os.getpid()}", LIMITS[Variant.CPU])
    if group is None:
        return "a watchdog limits memory, since no control group can be made here"
    group.remove()
    if why := group.without.get(Limit.MEMORY):
        return f"control groups limit processes, and a watchdog memory: {why}"
    return "control groups limit memory and processes"


def none_works(findings: Iterable[Finding]) -> Finding:
    """Return the finding that no engine works, with the shortest way to one that does."""
    lacking = {finding.name: finding for finding in findings}
    text = "none can run a submission: see above for what each lacks"
    for name in (EngineName.DOCKER, EngineName.PODMAN):
        if lacking[name].state is State.GOOD:
            fix = f"Type: uv run nox -s build-cpu -- --engine {name}"
            return Finding(name="engines", state=State.BAD, text=text, fix=fix)
    fix = next((lacking[name].fix for name in EngineName if lacking[name].fix), "")
    return Finding(name="engines", state=State.BAD, text=text, fix=fix)
