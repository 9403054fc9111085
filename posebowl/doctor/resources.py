"""Cores, memory, and free space for images, environments and results."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from posebowl.challenge import GIB, LIMITS, EngineName, Variant
from posebowl.doctor.findings import Finding, State
from posebowl.engines.oci import client as oci_client
from posebowl.environments import too_new
from posebowl.errors import EngineError
from posebowl.settings import Settings
from posebowl.util import host
from posebowl.util.native import polars_for_old_processors
from posebowl.util.units import human_bytes

_RESULTS_BYTES: Final = 5 * GIB
_ENVIRONMENTS_BYTES: Final = 2 * GIB
_IMAGES_BYTES: Final = 12 * GIB


def machine() -> Iterator[Finding]:
    """Check the processor for the lock's packages; compare cores and memory with the platform's."""
    yield processor()
    wanted = LIMITS[Variant.CPU]
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 0
    cores = cores or psutil.cpu_count() or 1
    text = f"{cores} cores ({platform.machine()}); the platform has {wanted.cpus}"
    yield Finding(name="cores", state=enough(cores, wanted.cpus), text=text)
    memory = psutil.virtual_memory()
    text = f"{human_bytes(memory.available)} free of {human_bytes(memory.total)}; a run may take "
    text += human_bytes(wanted.memory_bytes)
    yield Finding(name="memory", state=enough(memory.available, wanted.memory_bytes), text=text)


def processor() -> Finding:
    """Check whether all packages of the lock run on this processor."""
    model = host.cpu_model()
    if not (lacking := too_new()):
        text = f"{model}; every package of uv.lock runs on it"
        return Finding(name="processor", state=State.GOOD, text=text)
    packages = " and ".join(f"{name} (needs {lack})" for name, lack in lacking.items())
    return Finding(
        name="processor",
        state=State.WARNING,
        text=f"on {model} programs die of an illegal instruction in {packages}",
        fix=polars_for_old_processors(),
    )


def enough(have: float, want: float) -> State:
    """Return GOOD if there is as much as the platform has, else WARNING."""
    return State.GOOD if have >= want else State.WARNING


def disks(settings: Settings | None) -> Iterator[Finding]:
    """Check the free space and the write permission of each place that is written to."""
    if settings is None:
        return
    places = [
        ("results", settings.submission, _RESULTS_BYTES),
        ("environments", settings.cache, _ENVIRONMENTS_BYTES),
        *((f"images of {name}", path, _IMAGES_BYTES) for name, path in _storage()),
    ]
    by_disk: dict[int, list[tuple[str, Path, int]]] = {}
    for name, path, room in places:
        there = _existing(path)
        by_disk.setdefault(there.stat().st_dev, []).append((name, there, room))
    for held in by_disk.values():
        yield _disk(held)
    for name, path, state, setting in (
        ("results", settings.submission, State.BAD, "SUBMISSION"),
        ("environments", settings.cache, State.WARNING, "CACHE"),
    ):
        if not os.access(_existing(path), os.W_OK):
            fix = f"Type: export POSEBOWL_{setting}=~/posebowl (or any other folder of yours)"
            text = f"you cannot write to {_existing(path)}"
            yield Finding(name=name, state=state, text=text, fix=fix)


def _disk(held: list[tuple[str, Path, int]]) -> Finding:
    """Compare the free space of one disk with what may be kept there."""
    free = shutil.disk_usage(held[0][1]).free
    wanted = max(room for _, _, room in held)
    names = ", ".join(name for name, _, _ in held)
    text = f"{human_bytes(free)} free for {names}"
    if free >= wanted:
        return Finding(name="disk", state=State.GOOD, text=text)
    fix = f"Free some space; {human_bytes(wanted)} is enough."
    if any(name.startswith("images") for name, _, _ in held):
        fix = "Type: docker system df (or: podman system df), and remove what you do not need."
    return Finding(name="disk", state=State.WARNING, text=text, fix=fix)


def _storage() -> Iterator[tuple[str, Path]]:
    """Yield the folders in which engines keep images, where this user may read them."""
    for name in (EngineName.DOCKER, EngineName.PODMAN):
        try:
            client = oci_client.connect(name)
        except EngineError:
            continue
        if client.storage and _is_dir(Path(client.storage)):
            yield name, Path(client.storage)


def _existing(path: Path) -> Path:
    """Return a folder, or its nearest parent that exists."""
    path = path.absolute()
    return next((place for place in (path, *path.parents) if _is_dir(place)), Path("/"))


def _is_dir(path: Path) -> bool:
    """Return whether a folder exists, as far as this user can see."""
    with contextlib.suppress(OSError):
        return path.is_dir()
    return False
