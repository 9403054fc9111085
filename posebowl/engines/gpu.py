"""The NVIDIA GPU of this machine, and what of its driver a run without containers needs.

A driver's libraries must be of the same version as its kernel module, so they come from the
machine, never from an environment. The NVIDIA container toolkit does the same for containers.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.challenge import Variant
from posebowl.errors import EngineError
from posebowl.util import process

CDI: Final = (Path("/etc/cdi"), Path("/var/run/cdi"))
"""Where `nvidia-ctk cdi generate` writes, and podman looks."""
TOOLKIT_FIX: Final = (
    "Install nvidia-container-toolkit; for podman also type: "
    "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
)

_NODES: Final = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version")
_DEVICES: Final = ("nvidia[0-9]*", "nvidiactl", "nvidia-uvm*", "nvidia-caps/*", "dxg")
_LIBRARY: Final = re.compile(r"lib(cuda|cudadebugger|nvcuvid|nvidia-[\w-]+|nvoptix|dxcore)\.so\b")
_LISTED: Final = re.compile(r"^\s*(\S+) \(.*x86-64.*\) => (\S+)$", re.MULTILINE)
_IN_CDI: Final = re.compile(r"\"?hostPath\"?:\s*\"?([^\",\n]+)")
_NEEDED: Final = "libcuda.so.1"


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What of this machine's driver a run must see."""

    devices: tuple[Path, ...]
    libraries: dict[str, Path]
    """By the name under which programs load them."""


def host_has_gpu() -> bool:
    """Return whether this machine has an NVIDIA GPU with its driver."""
    return any(Path(node).exists() for node in _NODES)


def gives_gpu(variant: Variant, *, has_gpu: bool, allow_cpu: bool) -> bool:
    """Return whether a run gets a GPU.

    Raises:
        EngineError: It must have one, and this machine has none.
    """
    if variant is not Variant.GPU:
        return False
    if has_gpu or allow_cpu:
        return has_gpu
    raise EngineError(
        "This machine has no NVIDIA GPU, or no driver for it.",
        why="The gpu variant gives main.sh a GPU.",
        fix="Add --allow-cpu to run the gpu variant without one, or use --variant cpu.",
    )


def toolkit_is_missing(folders: Iterable[Path] = CDI) -> bool:
    """Return whether the NVIDIA container toolkit, which gives containers a GPU, is missing."""
    programs = ("nvidia-ctk", "nvidia-container-runtime", "nvidia-container-cli")
    return not _specifications(folders) and not any(map(shutil.which, programs))


def _list_libraries() -> str:
    program = shutil.which("ldconfig") or "/sbin/ldconfig"
    return process.run([program, "-p"], timeout_s=30, check=False).stdout


def driver(
    dev: Path = Path("/dev"),
    folders: Iterable[Path] = CDI,
    listed: Callable[[], str] = _list_libraries,
) -> Driver:
    """Find the driver's device nodes and libraries.

    Args:
        dev: Where device nodes are.
        folders: Where a CDI file may name the libraries.
        listed: Returns what `ldconfig -p` prints; asked where no CDI file names them.

    Raises:
        EngineError: The library that every CUDA program loads is missing.
    """
    devices = (path for pattern in _DEVICES for path in dev.glob(pattern) if not path.is_dir())
    libraries = _of_cdi(_specifications(folders))
    if _NEEDED not in libraries:
        libraries = {
            name: Path(path)
            for name, path in reversed(_LISTED.findall(listed()))  # the first one is loaded
            if _LIBRARY.match(name)
        }
    if _NEEDED not in libraries:
        raise EngineError(
            f"The NVIDIA driver's library {_NEEDED} is missing.",
            why="Neither a CDI file nor `ldconfig -p` names it, though there is a GPU.",
            fix="Install the driver's CUDA library: sudo apt-get install libcuda1",
        )
    return Driver(devices=tuple(sorted(devices)), libraries=libraries)


def _specifications(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders if folder.is_dir() for path in folder.glob("nvidia*")]


def _of_cdi(specifications: Iterable[Path]) -> dict[str, Path]:
    """Read the libraries that CDI files name, in YAML or JSON, each under its versions too."""
    found = {}
    for path in specifications:
        for word in _IN_CDI.findall(path.read_text(encoding="utf-8")):
            library = Path(word.strip())
            if _LIBRARY.match(library.name) and library.exists():
                # A CDI file names libcuda.so.560.35.03, and has a hook make the link to it.
                found[library.name] = library
                found[library.name.partition(".so")[0] + ".so.1"] = library
    return found
