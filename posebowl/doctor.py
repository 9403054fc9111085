"""What this machine has and lacks for a run, and what to type next."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psutil

from posebowl import data, environments, paths, process
from posebowl.challenge import GIB, LIMITS, Variant
from posebowl.engines import own_cgroup, select
from posebowl.engines.base import EngineName
from posebowl.errors import PoseBowlError
from posebowl.files import human_bytes

_DISK_BYTES: Final = 5 * GIB


class State(StrEnum):
    """How a finding bears on a run."""

    GOOD = "good"
    WARNING = "warning"
    MISSING = "missing"
    BAD = "bad"
    """Nothing can run until it is put right."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    text: str


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All that was looked at."""

    findings: tuple[Finding, ...]
    next_step: str
    """What to type next."""

    @property
    def healthy(self) -> bool:
        """Tell whether a submission can be run here."""
        return all(finding.state is not State.BAD for finding in self.findings)


def examine() -> Diagnosis:
    """Look at tools, engines, machine and data; nothing is changed."""
    engines = list(_engines())
    findings = [_uv(), _lock(), *engines, _environment(), *_machine(), _data(), _archive()]
    if not any(finding.state is State.GOOD for finding in engines):
        text = "none works here: see above for what each one lacks"
        findings.append(Finding(name="engines", state=State.BAD, text=text))
    return Diagnosis(findings=tuple(findings), next_step=_next_step(findings))


def _uv() -> Finding:
    try:
        version = process.run(["uv", "--version"], timeout_s=30).stdout.strip()
    except process.ProcessError:
        return Finding(name="uv", state=State.BAD, text="not installed; type: pip install uv")
    return Finding(name="uv", state=State.GOOD, text=version.removeprefix("uv "))


def _lock() -> Finding:
    command = ["uv", "lock", "--check", "--offline"]
    try:
        done = process.run(command, cwd=paths.ROOT, timeout_s=60, check=False)
    except process.ProcessError as error:
        text = f"could not be checked against pyproject.toml: {error}"
        return Finding(name="uv.lock", state=State.WARNING, text=text)
    if done.returncode == 0:
        short = environments.lock_hash()[:12]
        return Finding(name="uv.lock", state=State.GOOD, text=f"fits pyproject.toml ({short})")
    if "needs to be updated" in done.stderr:
        text = "older than pyproject.toml; type: uv lock"
        return Finding(name="uv.lock", state=State.BAD, text=text)
    text = "could not be checked against pyproject.toml offline; type: uv lock --check"
    return Finding(name="uv.lock", state=State.WARNING, text=text)


def _engines() -> Iterator[Finding]:
    for name in EngineName:
        try:
            problem = select.make(name).unavailable()
        except PoseBowlError as error:
            problem = str(error)
        if problem:
            yield Finding(name=name, state=State.MISSING, text=problem)
        else:
            yield Finding(name=name, state=State.GOOD, text=_detail(name))


def _detail(name: EngineName) -> str:
    if name is not EngineName.EMBEDDED:
        return process.run([name, "--version"], timeout_s=30).stdout.strip()
    group = own_cgroup.create(f"doctor-{os.getpid()}", LIMITS[Variant.CPU])
    if group is None:
        return "works; memory by a watchdog, since no control group may be made here"
    group.remove()
    return "works; memory and processes limited by control groups"


def _environment() -> Finding:
    made = [group for group in ("lean", "cpu") if environments.ready(group)]
    if made:
        text = f"made from this lock: {', '.join(made)}"
        return Finding(name="environments", state=State.GOOD, text=text)
    text = "none made from this lock yet; the first embedded run makes one"
    return Finding(name="environments", state=State.MISSING, text=text)


def _machine() -> Iterator[Finding]:
    wanted = LIMITS[Variant.CPU]
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 0
    cores = cores or psutil.cpu_count() or 1
    text = f"{cores} cores ({platform.machine()}); the platform has {wanted.cpus}"
    yield Finding(name="cores", state=_enough(cores, wanted.cpus), text=text)
    memory = psutil.virtual_memory()
    text = f"{human_bytes(memory.available)} free of {human_bytes(memory.total)}; a run may take "
    text += human_bytes(wanted.memory_bytes)
    yield Finding(name="memory", state=_enough(memory.available, wanted.memory_bytes), text=text)
    free = shutil.disk_usage(paths.ROOT).free
    text = f"{human_bytes(free)} free"
    yield Finding(name="disk", state=_enough(free, _DISK_BYTES), text=text)


def _enough(have: float, want: float) -> State:
    return State.GOOD if have >= want else State.WARNING


def _data() -> Finding:
    try:
        report = data.check(data.find())
    except PoseBowlError as error:
        return Finding(name="data", state=State.BAD, text=str(error))
    return Finding(name="data", state=State.GOOD, text=report.summary)


def _archive() -> Finding:
    path = paths.SUBMISSION / "submission.zip"
    if not path.is_file():
        return Finding(name="submission.zip", state=State.MISSING, text="not packed yet")
    return Finding(name="submission.zip", state=State.GOOD, text=human_bytes(path.stat().st_size))


def _next_step(findings: list[Finding]) -> str:
    bad = next((finding for finding in findings if finding.state is State.BAD), None)
    if bad is not None:
        return f"Put this right first: {bad.name}."
    packed = next(finding for finding in findings if finding.name == "submission.zip")
    if packed.state is State.MISSING:
        return "Type: invoke pack --solution benchmark"
    return "Type: invoke run"
