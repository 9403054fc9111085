"""The only way this project starts short-lived helper programs: argv, no shell, no surprises."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from posebowl.errors import PoseBowlError
from posebowl.util.console import note
from posebowl.util.host import slowness

_CPU_TIME_EVERY_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A program that ended."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


class ProcessError(PoseBowlError):
    """A helper program is missing, failed, or took too long."""


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    timeout_s: float | None = None,
    cpu_s: float = math.inf,
    umask: int = -1,
    on_line: Callable[[str], None] | None = None,
    capture: bool = True,
    to_stderr: bool = False,
    echo: bool = False,
    check: bool = True,
    stdin: IO[bytes] | None = None,
    fix: str = "",
) -> Completed:
    """Run a program to its end.

    Args:
        argv: The program and its arguments; never a shell string.
        cwd: Where to run it.
        env: Variables to set on top of the present environment; None takes one out of it.
        timeout_s: After this many seconds, or more on a slow machine, it is killed and
            ProcessError is raised.
        cpu_s: The same for its CPU time, as far as the system tells it (Linux does).
        umask: The mask of its file modes; by default that of this process.
        on_line: Called with each line that it prints, at once; stdout and stderr are then one,
            and `timeout_s` is ignored.
        capture: Return its output; otherwise it goes to this terminal.
        to_stderr: Without `capture`: print all of it there, so that stdout holds only a result.
        echo: Show the command line first.
        check: Raise ProcessError when it exits with anything but 0.
        stdin: What it reads; nothing by default.
        fix: What the user should type if it fails.

    Raises:
        ProcessError: The program is missing, failed (with `check`), or took too long.
    """
    words = tuple(str(word) for word in argv)
    line = shlex.join(words)
    if echo:
        note(f"$ {line}")
    settings: dict[str, Any] = {
        "cwd": cwd,
        "env": {k: v for k, v in {**os.environ, **(env or {})}.items() if v is not None},
        "stdin": subprocess.DEVNULL if stdin is None else stdin,
        "stdout": subprocess.PIPE if capture else sys.stderr if to_stderr else None,
        "stderr": subprocess.PIPE if capture else None,
        "umask": umask,
    }
    try:
        if on_line:
            done = _run_by_line(words, on_line, **settings)
        else:
            timeout_s = timeout_s and timeout_s * slowness()
            done = _run_within(words, timeout_s, cpu_s * slowness(), **settings)
    except OSError as error:
        raise ProcessError(_not_started(words[0], cwd, error), fix=fix) from None
    except ValueError:
        raise ProcessError(f"`{line!a}` holds a zero byte.", fix=fix) from None
    except subprocess.TimeoutExpired as error:
        kind = "" if error.timeout == timeout_s else " of CPU time"
        raise ProcessError(
            f"`{line}` did not end within {error.timeout:g} s{kind}.", fix=fix
        ) from None
    stdout = (done.stdout or b"").decode(errors="replace")
    stderr = (done.stderr or b"").decode(errors="replace")
    if check and done.returncode != 0:
        last = (stderr or stdout).strip().splitlines()[-8:]
        why = "\n".join(last) if last else "It printed nothing."
        raise ProcessError(f"`{line}` failed with exit code {done.returncode}.", why=why, fix=fix)
    return Completed(argv=words, returncode=done.returncode, stdout=stdout, stderr=stderr)


def _run_within(
    words: tuple[str, ...], timeout_s: float | None, cpu_s: float, **settings: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a program, and kill it when it has used up its time or CPU time.

    Raises:
        TimeoutExpired: It was killed; `timeout` is the limit that it reached.
    """
    if math.isinf(cpu_s):
        return subprocess.run(words, timeout=timeout_s, check=False, **settings)
    end = math.inf if timeout_s is None else time.monotonic() + timeout_s
    with subprocess.Popen(words, **settings) as child:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    output = child.communicate(timeout=_CPU_TIME_EVERY_S)
                    return subprocess.CompletedProcess(words, child.returncode, *output)
                if _cpu_time(child.pid) > cpu_s:
                    raise subprocess.TimeoutExpired(words, cpu_s)
                if timeout_s is not None and time.monotonic() > end:
                    raise subprocess.TimeoutExpired(words, timeout_s)
        finally:
            child.kill()


def _cpu_time(pid: int) -> float:
    """Return the CPU time of a child in seconds, or 0 where the system does not tell it."""
    with suppress(OSError):
        # The clock that clock_getcpuclockid(3) names, which Python does not offer.
        return time.clock_gettime(~pid << 3 | 2) if sys.platform == "linux" else 0.0
    return 0.0


def _run_by_line(
    words: tuple[str, ...], on_line: Callable[[str], None], **settings: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a program whose lines are passed on while it runs."""
    settings |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    lines = []
    with subprocess.Popen(words, **settings) as child:
        for line in child.stdout or ():
            lines.append(line)
            on_line(line.decode(errors="replace").rstrip())
    return subprocess.CompletedProcess(words, child.returncode, b"".join(lines), b"")


def _not_started(program: str, cwd: Path | None, error: OSError) -> str:
    """Return why a program could not be started; a bad `cwd` looks just like a missing program."""
    if cwd is not None and not cwd.is_dir():
        return f"{program} could not be started: {cwd} is not a folder."
    if isinstance(error, FileNotFoundError):
        return f"{program} is not installed."
    if isinstance(error, PermissionError):
        return f"{program} is not executable."
    return f"{program} could not be started: {error.strerror}."
