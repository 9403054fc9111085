"""GPU and driver, against the CUDA that the gpu image brings."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.doctor.findings import Finding, State
from posebowl.engines import TOOLKIT_FIX, host_has_gpu, toolkit_is_missing
from posebowl.util import process

# NVIDIA, "CUDA Compatibility", minor version compatibility: a driver runs all of a major version.
_LEAST_DRIVER: Final = {12: "525", 13: "580"}


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What nvidia-smi reports."""

    version: str
    cuda: tuple[int, int]
    """The newest CUDA that the driver supports."""
    gpus: tuple[str, ...]


def look() -> Iterator[Finding]:
    """Check for a GPU that the gpu image can use."""
    if shutil.which("nvidia-smi") is None and not host_has_gpu():
        text = "no NVIDIA GPU here: only the cpu variant can be tested"
        yield Finding(name="gpu", state=State.MISSING, text=text)
        return
    try:
        done = process.run(["nvidia-smi", "-q"], timeout_s=30, check=False)
    except process.ProcessError as error:
        fix = "Type: sudo apt-get install nvidia-smi"
        yield Finding(name="gpu", state=State.WARNING, text=error.what, fix=fix)
        return
    yield judge(done.stdout + done.stderr, cuda_needed())
    if toolkit_is_missing():
        text = "containers get no GPU: the NVIDIA container toolkit is not installed"
        yield Finding(name="gpu toolkit", state=State.WARNING, text=text, fix=TOOLKIT_FIX)


def judge(said: str, needed: tuple[int, int] | None) -> Finding:
    """Compare what nvidia-smi reports with the CUDA that the image brings."""
    driver = read(said)
    if driver is None:
        line = next((line.strip() for line in said.splitlines() if line.strip()), "nothing")
        fix = "Install the NVIDIA driver again, or reboot after its update."
        text = f"nvidia-smi says: {line}"
        return Finding(name="gpu", state=State.WARNING, text=text, fix=fix)
    if not driver.gpus:
        text = f"driver {driver.version}, but no GPU"
        return Finding(name="gpu", state=State.WARNING, text=text, fix="Type: nvidia-smi -L")
    knows = f"driver {driver.version}, CUDA {_dotted(driver.cuda)}"
    text = f"{', '.join(driver.gpus)}; {knows}"
    if needed is None:
        return Finding(name="gpu", state=State.GOOD, text=text)
    text += f"; the gpu image brings CUDA {_dotted(needed)}"
    if driver.cuda[0] < needed[0]:
        least = _LEAST_DRIVER.get(needed[0])
        fix = f"Install driver version {least} or newer." if least else "Install a newer driver."
        return Finding(name="gpu", state=State.WARNING, text=f"{text}, too new for it", fix=fix)
    return Finding(name="gpu", state=State.GOOD, text=text)


def read(said: str) -> Driver | None:
    """Read what `nvidia-smi -q` prints; None if it is an error message."""
    version = re.search(r"(?:Driver|KMD) Version\s*:\s*([0-9.]+)", said)
    cuda = re.search(r"CUDA (?:UMD )?Version\s*:\s*(\d+)\.(\d+)", said)
    if version is None or cuda is None:
        return None
    gpus = re.findall(r"^\s*Product Name\s*:\s*(\S.*?)\s*$", said, re.MULTILINE)
    return Driver(version=version[1], cuda=(int(cuda[1]), int(cuda[2])), gpus=tuple(gpus))


def cuda_needed(lock: Path = paths.LOCK) -> tuple[int, int] | None:
    """Return the CUDA version that the gpu image brings, read from uv.lock; None if none."""
    found = re.findall(
        r'^name = "nvidia-cuda-runtime(?:-cu\d+)?"\nversion = "(\d+)\.(\d+)',
        lock.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return max(((int(major), int(minor)) for major, minor in found), default=None)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
