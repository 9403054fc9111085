"""The packages of a dependency group, their modules, and the smallest group that is enough."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.environments import uv
from posebowl.environments.lockfile import digest
from posebowl.environments.venv import Group, folder, usable
from posebowl.errors import EngineError
from posebowl.util.files import make_folder, write_text
from posebowl.util.host import lacks
from posebowl.util.process import ProcessError

# Distributions whose modules have other names than their own.
MODULE_NAMES: Final = {
    "absl-py": ("absl",),
    "attrs": ("attr", "attrs"),
    "beautifulsoup4": ("bs4",),
    "cuda-bindings": ("cuda",),
    "cuda-pathfinder": ("cuda",),
    "fonttools": ("fontTools",),
    "google-pasta": ("pasta",),
    "grpcio": ("grpc",),
    "libclang": ("clang",),
    "markdown-it-py": ("markdown_it",),
    "matplotlib": ("matplotlib", "mpl_toolkits", "pylab"),
    "nvidia-ml-py": ("pynvml",),
    "opencv-python-headless": ("cv2",),
    "pillow": ("PIL",),
    "plum-dispatch": ("plum",),
    "protobuf": ("google",),
    "py-cpuinfo": ("cpuinfo",),
    "python-dateutil": ("dateutil",),
    "python-dotenv": ("dotenv",),
    "python-fasthtml": ("fasthtml",),
    "python-multipart": ("multipart", "python_multipart"),
    "pytorch-lightning": ("lightning_fabric", "pytorch_lightning"),
    "pyyaml": ("yaml",),
    "scikit-image": ("skimage",),
    "scikit-learn": ("sklearn",),
    "tensorflow-cpu": ("tensorflow",),
    "torch": ("functorch", "torch", "torchgen"),
    "ultralytics-thop": ("thop",),
    "xgboost-cpu": ("xgboost",),
}


NEEDED_INSTRUCTIONS: Final = {"polars": "avx2", "tensorflow-cpu": "avx"}
"""Packages of the lock that die of an illegal instruction on older processors (docs/images.md)."""


def too_new() -> dict[str, str]:
    """Return the packages that do not run on this machine's processor, and what it lacks."""
    return {name: needed.upper() for name, needed in NEEDED_INSTRUCTIONS.items() if lacks(needed)}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A dependency group, and why it was chosen."""

    group: Group
    reason: str


def choose(imports: frozenset[str], cache: Path, *, full: bool = False) -> Choice:
    """Return the smallest group that has what a submission imports.

    Args:
        imports: Top-level modules that its Python files import.
        cache: The folder of the setting `cache`.
        full: The user asks for everything.

    Raises:
        EngineError: uv is missing, or cannot read its lock.
    """
    if full:
        return Choice(group="cpu", reason="the whole cpu group was asked for")
    heavy = sorted(imports & (modules("cpu", cache) - modules("lean", cache))) if imports else []
    if heavy:
        names = ", ".join(heavy[:5]) + (" and more" if len(heavy) > 5 else "")
        return Choice(group="cpu", reason=f"the submission imports {names}")
    return Choice(group="lean", reason="the submission imports nothing that needs more")


def modules(group: Group, cache: Path) -> frozenset[str]:
    """Return the names under which the packages of a group are imported.

    Raises:
        EngineError: uv is missing, or cannot read its lock.
    """
    return frozenset(
        name for package in package_names(group, cache) for name in module_names(package)
    )


def module_names(package: str) -> tuple[str, ...]:
    """Return the names under which a package is imported."""
    return MODULE_NAMES.get(package, (re.sub(r"[-.]", "_", package),))


def package_names(group: Group, cache: Path) -> list[str]:
    """Return the normalized names of the packages of a group.

    The list is kept beside the environments, since asking uv takes as long as starting a run.

    Raises:
        EngineError: uv is missing, or cannot read its lock.
    """
    with usable(cache):
        return _package_names(group, cache)


def _package_names(group: Group, cache: Path) -> list[str]:
    kept = folder(cache) / f"packages-{group}-{digest()[:16]}.txt"
    if not kept.is_file():
        export = ["export", "--frozen", "--no-default-groups", "--group", group]
        try:
            done = uv.run_uv(*export, "--format", "pylock.toml", "--no-emit-project", timeout_s=120)
        except ProcessError as error:
            raise EngineError(error.what, why=error.why, fix=error.fix) from error
        import tomllib  # noqa: PLC0415  # only where the list is not kept

        names = {package["name"].lower() for package in tomllib.loads(done.stdout)["packages"]}
        make_folder(kept.parent)
        write_text(kept, "".join(f"{name}\n" for name in sorted(names)))
    return kept.read_text(encoding="utf-8").split()
