"""Type commands as on Windows or macOS: what Python lacks there is taken away here.

    python -X warn_default_encoding -m tests.foreign_system win32 < commands.json

The standard library and other people's packages are loaded first, since they choose their own way
at import. From then on the platform has the other name; modules, functions and signals that it
does not have are gone, and text is read and written in no encoding but one that is named. Each
command is a list of words for invoke; its exit code, stdout and stderr are printed as JSON, or the
traceback in the place of stderr. The command `import` imports all modules, and prints the errors.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import pkgutil
import platform
import shutil
import signal
import sys
import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

LIBRARIES: Final = (
    "PIL.Image", "asyncio", "concurrent.futures.process", "concurrent.futures.thread", "ctypes",
    "filelock", "invoke", "jinja2", "msgspec", "multiprocessing.pool", "numpy", "pathspec",
    "polars", "psutil", "rich.console", "rich.live", "rich.progress", "rich.table", "socket",
    "subprocess", "tarfile", "tempfile", "zipfile",
)  # fmt: skip
ABSENT_MODULES: Final = {
    "win32": ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"),
    "darwin": ("spwd",),
}
_SIGNALS_OF_WINDOWS: Final = {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"}
_LINUX_SIGNALS: Final = ("SIGPWR", "SIGSTKFLT", "sigtimedwait", "sigwaitinfo")
ABSENT_SIGNALS: Final = {
    "win32": (
        *(item.name for item in signal.Signals if item.name not in _SIGNALS_OF_WINDOWS),
        *("alarm", "pthread_sigmask", "setitimer", "siginterrupt", "sigpending", "sigwait"),
        *_LINUX_SIGNALS,
    ),
    "darwin": _LINUX_SIGNALS,
}
_LINUX_FUNCTIONS: Final = (
    "copy_file_range", "eventfd", "getrandom", "getxattr", "listxattr", "memfd_create",
    "pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate", "sched_getaffinity",
    "sched_getparam", "sched_setaffinity", "setxattr", "splice",
)  # fmt: skip
ABSENT_FUNCTIONS: Final = {
    "win32": (
        *_LINUX_FUNCTIONS,
        "O_ASYNC", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "O_SYNC",
        "WEXITSTATUS", "WIFEXITED", "WIFSIGNALED", "WTERMSIG", "chown", "chroot", "ctermid",
        "fchdir", "fchmod", "fchown", "fork", "forkpty", "fpathconf", "fstatvfs", "getegid",
        "geteuid", "getgid", "getgroups", "getloadavg", "getpgid", "getpgrp", "getpriority",
        "getsid", "getuid", "initgroups", "killpg", "lchown", "lockf", "mkfifo", "mknod", "nice",
        "openpty", "pathconf", "posix_spawn", "pread", "preadv", "pwrite", "sched_yield",
        "sendfile", "setegid", "seteuid", "setgid", "setgroups", "setpgid", "setpriority",
        "setregid", "setreuid", "setsid", "setuid", "statvfs", "sync", "sysconf", "tcgetpgrp",
        "tcsetpgrp", "ttyname", "uname", "wait", "wait3", "wait4", "waitid",
    ),
    "darwin": _LINUX_FUNCTIONS,
}  # fmt: skip
ABSENT_METHODS: Final = {
    "win32": ("gids", "num_fds", "rlimit", "terminal", "uids"),
    "darwin": ("cpu_affinity", "rlimit"),
}
"""Of psutil.Process."""


def become(system: str) -> None:
    """Take away what a system lacks, once all that is not ours is loaded."""
    for name in LIBRARIES:
        importlib.import_module(name)
    _keep_libraries_alive()
    sys.modules |= dict.fromkeys(ABSENT_MODULES[system])  # type: ignore[arg-type]
    for owner, absent in (
        (os, ABSENT_FUNCTIONS[system]),
        (signal, ABSENT_SIGNALS[system]),
        (sys.modules["psutil"].Process, ABSENT_METHODS[system]),
    ):
        for name in absent:
            if hasattr(owner, name):
                delattr(owner, name)
    warnings.filterwarnings("error", category=EncodingWarning, module="posebowl")
    sys.platform = system


def _keep_libraries_alive() -> None:
    """Leave to libraries the functions that they chose, this being Linux, as they were loaded."""
    platform.uname()  # is remembered
    kept = SimpleNamespace(**vars(os))
    vars(importlib.import_module("filelock._unix"))["os"] = kept

    def disk_usage(path: Path) -> Any:
        found = kept.statvfs(path)
        free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        return SimpleNamespace(total=total, used=total - free, free=free)

    def which(name: str, *_: Any, **__: Any) -> str | None:
        places = (Path(folder, name) for folder in os.environ.get("PATH", "").split(os.pathsep))
        return next((str(path) for path in places if os.access(path, os.X_OK)), None)

    shutil.disk_usage, shutil.which = disk_usage, which


def import_all() -> dict[str, str]:
    """Import every module of the package; return the name and the error of each that failed."""
    import posebowl  # noqa: PLC0415

    failed = {}
    for found in pkgutil.walk_packages(posebowl.__path__, "posebowl."):
        try:
            importlib.import_module(found.name)
        except Exception as error:  # noqa: BLE001
            failed[found.name] = f"{type(error).__name__}: {error}"
    return failed


def main() -> None:
    commands: list[list[str]] = json.load(sys.stdin)
    become(sys.argv[1])
    from tests.typed import invoke  # noqa: PLC0415  # as the other system would load it

    results: list[Any] = []
    for words in commands:
        if words == ["import"]:
            results.append(import_all())
            continue
        try:
            done = invoke(*words, cwd=Path.cwd())
        except Exception:  # noqa: BLE001
            results.append([None, "", traceback.format_exc()])
        else:
            results.append([done.returncode, done.stdout, done.stderr])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
