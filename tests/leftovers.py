"""What a session of tests leaves behind: it fails where processes or temporary files are left.

Every process of the session inherits a variable, so it is found even after its parent has ended;
temporary files go into a folder of the session. Other sessions on the same machine are not mistaken
for this one.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import secrets
import shutil
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import psutil
import pytest

VARIABLE: Final = "TESTS_SESSION"
PATIENCE_S: Final = 10.0
"""How long processes may take to end after the last test."""

ENDS_WITH_US: Final = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Started by Python itself: they end when this process does."""
PAUSE: Final = re.compile(r"(\S*/)?(podman( pause)?|catatonit -P)")
"""Rootless podman's process that keeps its user namespace, one for each user and login."""
OF_OTHERS: Final = (
    *(".ses", "uv-*.lock", "torchinductor_*"),
    *("containers-user-*", "podman-run-*", "storage-run-*"),
    *("ray", "pymp-*"),
)
"""What onnxruntime (its session), uv (its locks), PyTorch (its cache), rootless podman (where no
XDG_RUNTIME_DIR is set), Ray (its logs) and multiprocessing (until Python ends) keep in the
temporary folder."""


class Leftovers:
    """The plugin: marks what the session starts and writes, and looks for it at the end."""

    def __init__(self) -> None:
        # Pytest's own folders stay where they are: it keeps those of the last three sessions.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
        self.found: list[str] = []
        self.mark = secrets.token_hex(8)
        self.folder = Path(tempfile.mkdtemp(prefix="tests-"))
        # Writable by anyone, like the system's own.
        self.folder.chmod(0o1777)
        os.environ[VARIABLE] = self.mark
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.folder)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the session for what is left, and remove the files."""
        self.found += [f"process {one}" for one in processes(self.mark, PATIENCE_S)]
        self.found += [
            f"file {path}"
            for path in sorted(self.folder.iterdir())
            if not any(fnmatch(path.name, pattern) for pattern in OF_OTHERS)
            and str(path) not in _removed_at_exit()
            and not _emptied(path)
            and not is_probe(path)
        ]
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what is left."""
        for line in self.found:
            terminalreporter.write_line(f"LEFT BEHIND {line}", red=True)


def _removed_at_exit() -> set[str]:
    """Return the folders that Python removes when it ends, such as cloudpathlib's caches."""
    kind = tempfile.TemporaryDirectory
    return {one.name for one in gc.get_objects() if type(one) is kind}


def _emptied(path: Path) -> bool:
    """Return whether it is an empty folder of tempfile's naming.

    Ray kills its workers, and cloudpathlib's cache in each of them stays behind, empty.
    """
    named = fnmatch(path.name, "tmp????????")
    return named and path.is_dir() and not any(path.iterdir())


def is_probe(path: Path) -> bool:
    """Return whether it is the file by which tempfile tries whether it can write a folder.

    It is there for an instant (`tempfile._get_default_tempdir`); a process that is killed just then
    leaves it.
    """
    named = re.fullmatch(r"[a-z0-9_]{8}", path.name)
    return bool(named) and path.is_file() and path.read_bytes() in {b"", b"blat"}


def processes(mark: str, patience_s: float) -> list[str]:
    """Return the processes of a session, other than this one, that do not end in time."""
    until = time.monotonic() + patience_s
    while (found := _marked(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _marked(mark: str) -> list[str]:
    ours = {os.getpid(), *(one.pid for one in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        # Processes end while they are looked at, and those of other users show no environment.
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid in ours or process.environ().get(VARIABLE) != mark:
                continue
            command = " ".join(process.cmdline())
            stays = any(word in command for word in ENDS_WITH_US) or PAUSE.fullmatch(command)
            if not stays:
                found.append(f"{process.pid}: {command[:200]}")
    return found
