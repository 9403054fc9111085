"""Environments made from uv.lock for the embedded engine and the training tools.

Each lies in the user's cache folder under the hash of the lock and its group's name, is made
once, and is reused while the lock is unchanged. It is complete or it is not there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock

from posebowl import paths
from posebowl.errors import EngineError
from posebowl.settings import resolve
from posebowl.util import process
from posebowl.util.files import write_text

Group = Literal["lean", "cpu", "gpu", "render", "cluster"]

# Distributions whose modules have another name than they have themselves.
MODULE_NAMES: Final = {
    "absl-py": ("absl",),
    "attrs": ("attr", "attrs"),
    "beautifulsoup4": ("bs4",),
    "fonttools": ("fontTools",),
    "google-pasta": ("pasta",),
    "grpcio": ("grpc",),
    "libclang": ("clang",),
    "matplotlib": ("matplotlib", "mpl_toolkits", "pylab"),
    "nvidia-ml-py": ("pynvml",),
    "opencv-python-headless": ("cv2",),
    "pillow": ("PIL",),
    "plum-dispatch": ("plum",),
    "protobuf": ("google",),
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

_MARKER: Final = ".posebowl.json"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A dependency group, and why it was chosen."""

    group: Group
    reason: str


def lock_hash(lock: Path = paths.LOCK) -> str:
    """Return the SHA-256 of uv.lock, in hex: what an environment or image was made from."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def cache_root() -> Path:
    """Return the folder that holds the environments, in that of the setting `cache`."""
    return resolve.load().cache / "environments"


def location(group: Group) -> Path:
    """Return where the environment of a group lies, made or not."""
    return (
        cache_root() / f"{group}-py{sys.version_info[0]}.{sys.version_info[1]}-{lock_hash()[:16]}"
    )


def of_other_locks() -> list[Path]:
    """List the environments made from other states of uv.lock, or by other checkouts."""
    root, now = cache_root(), f"-{lock_hash()[:16]}"
    folders = (path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ()
    return sorted(path for path in folders if not path.name.endswith(now))


def ready(group: Group) -> bool:
    """Tell whether the environment of a group is complete."""
    return (location(group) / _MARKER).is_file()


def choose(imports: frozenset[str], *, full: bool = False) -> Choice:
    """Choose the smallest environment that has what a submission imports.

    Args:
        imports: Top-level modules that its Python files import.
        full: The user asks for everything.
    """
    if full:
        return Choice(group="cpu", reason="the whole cpu group was asked for")
    heavy = sorted(imports & (modules("cpu") - modules("lean"))) if imports else []
    if heavy:
        names = ", ".join(heavy[:5]) + (" and more" if len(heavy) > 5 else "")
        return Choice(group="cpu", reason=f"the submission imports {names}")
    return Choice(group="lean", reason="the submission imports nothing that needs more")


def modules(group: Group) -> frozenset[str]:
    """Return the names under which the packages of a group are imported.

    Raises:
        EngineError: uv is missing, or cannot read its lock.
    """
    names: set[str] = set()
    for package in _packages(group):
        names.update(MODULE_NAMES.get(package, (re.sub(r"[-.]", "_", package),)))
    return frozenset(names)


def _packages(group: Group) -> list[str]:
    """List the packages of a group by their normal names.

    The list is kept beside the environments: asking uv takes as long as starting a run.
    """
    kept = cache_root() / f"packages-{group}-{lock_hash()[:16]}.txt"
    if not kept.is_file():
        argv = ["uv", "export", "--frozen", "--no-default-groups", "--group", group]
        argv += ["--no-hashes", "--no-header", "--no-annotate"]
        try:
            listing = process.run(argv, cwd=paths.ROOT, timeout_s=120, fix="pip install uv").stdout
        except process.ProcessError as error:
            raise EngineError(error.what, why=error.why, fix=error.fix) from error
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, "".join(f"{name}\n" for name in packages(listing)))
    return kept.read_text().split()


def packages(listing: str) -> list[str]:
    """Read the names of packages, in lower case, off what `uv export` printed."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==", listing, re.MULTILINE)
    return sorted({name.lower() for name in found})


def ensure(group: Group, *, note: Callable[[str], None] = lambda _: None) -> Path:
    """Return the environment of a group, made from uv.lock first where it is not there yet.

    Args:
        group: The dependency group.
        note: Told, in words, what takes long.

    Raises:
        EngineError: uv is missing, or cannot make the environment.
    """
    target = location(group)
    if ready(group):
        return target
    if shutil.which("uv") is None:
        raise EngineError(
            "uv is not installed.",
            why="Environments are made with it, from uv.lock.",
            fix="Type: pip install uv",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f"{target.name}.lock")):
        if not ready(group):
            size = "several GB" if group in {"cpu", "gpu"} else "a few hundred MB"
            note(f"Making the {group} environment from uv.lock, once ({size}) ...")
            _make(group, target)
    return target


def _make(group: Group, target: Path) -> None:
    partial = target.with_name(f".{target.name}.part")
    _remove(partial)
    env = {"UV_PROJECT_ENVIRONMENT": str(partial), "UV_NO_PROGRESS": "0", "VIRTUAL_ENV": ""}
    sync = ["uv", "sync", "--frozen", "--no-default-groups", "--group", group]
    try:
        process.run(["uv", "venv", "--quiet", "--relocatable", "--python", sys.executable, partial])
        # Compiled once here rather than in every run, whose changes to it are thrown away.
        process.run(
            [*sync, "--quiet", "--compile-bytecode", "--python", sys.executable],
            cwd=paths.ROOT,
            env=env,
        )
    except process.ProcessError as error:
        _remove(partial)
        why, fix = uv_failure(error.why, target)
        what = f"The {group} environment could not be made from uv.lock."
        raise EngineError(what, why=why, fix=fix) from error
    if os.geteuid() == 0:
        _give_folders_to_nobody(partial)
    (partial / _MARKER).write_text(json.dumps({"group": group, "lock": lock_hash()}) + "\n")
    _remove(target)
    partial.rename(target)


def uv_failure(said: str, place: Path) -> tuple[str, str]:
    """Say in a sentence why uv failed, and what to do.

    Args:
        said: The last lines of what uv printed.
        place: Where the environment was to be.
    """
    again = "then type the same command again."
    if re.search(r"certificate|UnknownIssuer", said):
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        fix = f"Type: export SSL_CERT_FILE={bundle} (or your proxy's own bundle), {again}"
        return "uv does not trust the certificate of the package index, or of a proxy.", fix
    if "connectivity is disabled" in said:
        fix = f"Type: unset UV_OFFLINE, or fill uv's cache with: uv sync --group lean; {again}"
        return "uv may not use the network, and its cache lacks a package.", fix
    if re.search(r"No space left|os error 28|quota", said):
        disk = shlex.quote(str(place.parent))
        fix = f"Make room (type: df -h {disk}), or set POSEBOWL_CACHE elsewhere, {again}"
        return "The disk is full.", fix
    if re.search(r"Permission denied|os error 13|Read-only file system", said):
        fix = f"Set POSEBOWL_CACHE to a folder of yours, {again}"
        return f"{place.parent}, or uv's own cache, may not be written.", fix
    if re.search(r"dns error|error sending request|timed out|Connect", said):
        fix = f"Connect, or see docs/how-to/air-gapped.md, {again}"
        return "uv does not reach the package index, and its cache lacks a package.", fix
    return said, f"Check the network and the disk, {again}"


def _give_folders_to_nobody(environment: Path) -> None:
    """Let the run, which never is root, add packages to its own copy of the environment.

    Only folders change hands: the files may be hard links into uv's cache, and adding,
    replacing or removing one takes no more than write access to its folder.
    """
    for folder, _, _ in os.walk(environment):
        os.chown(folder, NOBODY, NOBODY)


NOBODY: Final = 65534
"""User and group of a run when root starts it, on the host."""


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
