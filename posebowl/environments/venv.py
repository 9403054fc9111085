"""Environments made from uv.lock for the embedded engine and the training tools.

Each lies in the user's cache folder under the digest of the lock and its group's name, is made
once, and is reused while the lock is unchanged. It is complete or absent. Its files belong to the
user who made it, and others can only read them: one that belongs to others is made again, since
whoever plants a .pth file in it runs code as all who use it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

from posebowl.environments import uv
from posebowl.environments.lockfile import digest
from posebowl.errors import EngineError
from posebowl.util.files import atomic_folder, make_folder
from posebowl.util.host import is_root
from posebowl.util.os_errors import explain
from posebowl.util.process import ProcessError
from posebowl.util.units import human_bytes

Group = Literal["lean", "cpu", "gpu", "render", "cluster"]

NOBODY: Final = 65534
"""User and group of a run when root starts it, on the host."""
RUN_GROUP: Final = 65533
"""A second group of such a run, which no user has: through it the run can add to its own layer over
the folders of an environment, though they are root's."""

_MARKER: Final = ".posebowl.json"
_NEWS_EVERY_S: Final = 10.0

Note = Callable[[str], None]


def folder(cache: Path) -> Path:
    """Return the folder of the environments, inside that of the setting `cache`."""
    return cache / "environments"


def location(group: Group, cache: Path) -> Path:
    """Return the place of a group's environment, whether or not it exists."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return folder(cache) / f"{group}-py{version}-{digest()[:16]}"


def of_other_locks(cache: Path) -> list[Path]:
    """Return the environments made from other states of uv.lock, or by other checkouts."""
    root, now = folder(cache), f"-{digest()[:16]}"
    folders = (path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ()
    return sorted(path for path in folders if not path.name.endswith(now))


def ready(group: Group, cache: Path) -> bool:
    """Return whether the environment of a group is complete, and nobody else's."""
    place = location(group, cache)
    return (place / _MARKER).is_file() and not changeable(place)


def changeable(environment: Path) -> bool:
    """Check whether others than root and the caller can change what its Python loads first."""
    sites = [environment, environment / "bin", *environment.glob("lib/python*/site-packages")]
    places = [place for site in sites if site.is_dir() for place in (site, *site.iterdir())]
    return any(_is_of_others(place.lstat()) for place in places)


def _is_of_others(status: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):  # Windows
        return False
    if status.st_uid not in {0, os.geteuid()}:
        return True
    if stat.S_ISLNK(status.st_mode):
        return False
    group = status.st_mode & stat.S_IWGRP and status.st_gid not in {os.getegid(), RUN_GROUP}
    return bool(status.st_mode & stat.S_IWOTH or group)


def ensure(group: Group, cache: Path, *, note: Note = lambda _: None) -> Path:
    """Return the environment of a group, and make it from uv.lock first if need be.

    Args:
        group: The dependency group.
        cache: The folder of the setting `cache`.
        note: Called with what takes long, and its progress.

    Raises:
        EngineError: It does not exist for this system, or uv is missing or cannot make it.
    """
    with usable(cache):
        return _ensure(group, cache, note)


@contextmanager
def usable(cache: Path) -> Iterator[None]:
    """Report what the system refuses in the cache folder as an error that names the setting."""
    try:
        yield
    except OSError as error:
        why, _ = explain(error)
        raise EngineError(
            f"The cache {cache} cannot be used: {error.strerror or error}.",
            why=f"{error.filename or cache}: {why}",
            fix="Name a folder of yours: export POSEBOWL_CACHE=FOLDER",
        ) from error


def _ensure(group: Group, cache: Path, note: Note) -> Path:
    target = location(group, cache)
    if ready(group, cache):
        return target
    _check_system(group)
    make_folder(target.parent)
    check_owner(target.parent)
    with _held(target, group, note):
        if not ready(group, cache):
            size = "several GB" if group in {"cpu", "gpu"} else "a few hundred MB"
            note(f"Making the {group} environment from uv.lock, once ({size}) ...")
            _make(group, target, note)
    return target


def check_owner(place: Path, why: str = "Programs in it run with your rights.") -> None:
    """Check that nobody else can put something else into a folder.

    Args:
        place: The folder.
        why: That matters, in a sentence.

    Raises:
        EngineError: It belongs to another user, or all may write to it.
    """
    if os.name != "nt" and _is_of_others(place.stat()):
        raise EngineError(
            f"Other users can change what is in {place}.",
            why=why,
            fix=f"Type: sudo chown -R {os.geteuid()}: {place} && chmod 755 {place}; "
            "or name a folder of yours: export POSEBOWL_CACHE=FOLDER",
        )


def python(environment: Path) -> Path:
    """Return the interpreter of an environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _check_system(group: Group) -> None:
    """Check that uv is installed and uv.lock has the packages of a group for this system.

    Raises:
        EngineError: They are missing: large packages are locked for the platform's system only.
    """
    here = sys.platform, platform.machine()
    if group in {"lean", "cpu", "gpu"} and here != ("linux", "x86_64"):
        raise EngineError(
            f"The {group} environment cannot be made on {platform.system()} {platform.machine()}.",
            why="Its packages are locked for Linux on x86_64, which the platform has.",
            fix="Use such a machine, WSL2 on Windows, or a container: docs/how-to/other-systems.md",
        )
    if shutil.which("uv") is None:
        raise EngineError(
            "uv is not installed.",
            why="It makes the environments from uv.lock.",
            fix="Type: pip install uv",
        )


@contextmanager
def _held(target: Path, group: Group, note: Note) -> Iterator[None]:
    """Hold the lock of an environment; while another process holds it, report its progress."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  # a check makes no environment

    lock = FileLock(target.with_name(f"{target.name}.lock"))
    start, patience_s = time.monotonic(), 0.0
    while True:
        try:
            lock.acquire(timeout=patience_s)
            break
        except Timeout:
            patience_s = _NEWS_EVERY_S
            size = human_bytes(_bytes_below(target.with_name(f".{target.name}.part")))
            note(
                f"Waiting for another process, which is making the {group} environment: "
                f"{size} after {time.monotonic() - start:.0f} s ..."
            )
    try:
        yield
    finally:
        lock.release()


def _make(group: Group, target: Path, note: Note) -> None:
    python = ["--python", sys.executable]
    # Compiled once here rather than in every run, whose changes to it are thrown away.
    sync = ["sync", "--frozen", "--no-default-groups", "--group", group, "--no-editable"]
    try:
        with atomic_folder(target) as partial:
            uv.run_uv("venv", "--quiet", "--relocatable", *python, partial)
            with _telling(group, partial, note):
                uv.run_uv(
                    *(*sync, "--compile-bytecode", *python),
                    env={"UV_PROJECT_ENVIRONMENT": str(partial)},
                    on_line=lambda line: None if line.startswith(" + ") else note(f"uv: {line}"),
                )
            (partial / _MARKER).write_text(json.dumps({"group": group, "lock": digest()}) + "\n")
            _let_others_read(partial)
    except ProcessError as error:
        network = "Check the network (without one: docs/how-to/air-gapped.md)"
        if os.environ.get("UV_OFFLINE"):
            network = "UV_OFFLINE keeps uv off the network (type: unset UV_OFFLINE): check that"
        raise EngineError(
            f"The {group} environment could not be made from uv.lock.",
            why=error.why,
            fix=f"{network} and the disk "
            f"(POSEBOWL_CACHE names another place than {target.parent}), "
            "then repeat this command.",
        ) from error


@contextmanager
def _telling(group: Group, partial: Path, note: Note) -> Iterator[None]:
    """Report now and then how far an environment has got, until the block ends."""
    start, done = time.monotonic(), threading.Event()

    def tell() -> None:
        while not done.wait(_NEWS_EVERY_S):
            size, took_s = human_bytes(_bytes_below(partial)), time.monotonic() - start
            note(f"Still making the {group} environment: {size} after {took_s:.0f} s ...")

    teller = threading.Thread(target=tell, name="environment", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _let_others_read(environment: Path) -> None:
    """Set the modes of an environment, under whatever umask it or uv's cache was made.

    A run that root starts is not root. It can add packages to its own layer over the environment,
    so it must be able to write to the folders: not as their owner, but through a group that only
    runs have. Files keep their owner: they may be hard links into uv's cache, and write access to
    their folder is enough to replace or remove one.
    """
    as_root = is_root()
    for name, _, files in os.walk(environment):
        if as_root:
            os.chown(name, 0, RUN_GROUP)
        os.chmod(name, 0o775 if as_root else 0o755)  # noqa: PTH101
        for path in (os.path.join(name, file) for file in files):  # noqa: PTH118  # many
            mode = os.lstat(path).st_mode
            wanted = (mode | (0o555 if mode & 0o100 else 0o444)) & ~0o022
            if wanted != mode and not stat.S_ISLNK(mode):
                os.chmod(path, wanted)  # noqa: PTH101


def _bytes_below(place: Path) -> int:
    """Return the size of a folder that a process is filling."""
    total = 0
    for name, _, files in os.walk(place):
        for file in files:
            with suppress(OSError):
                total += Path(name, file).lstat().st_size
    return total
