"""A group that systemd delegates to a run, on a machine whose only tree is of version 2.

A user may make groups below their own manager (`systemd --user`), but may not move a process there
from a login session: that takes rights in a common ancestor, which is root's. The manager may do
it, so it makes a scope (systemd.scope(5)) and moves the run into it.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from posebowl.engines.cgroups import reader
from posebowl.util import process
from posebowl.util.host import is_root, slowness

BOOTED: Final = Path("/run/systemd/system")
"""Exists where systemd manages the machine (sd_booted(3))."""

_CONTROL: Final = "cgroup.subtree_control"
_HOLDER: Final = "/holder"
_RUN: Final = "run"
_MANAGER: Final = (
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
)
_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A group of systemd's with one in it for the run.

    It lives as long as its holder, a process that waits for the end of its input: if the harness
    is killed, the scope goes too.
    """

    folder: Path
    """The run's group: its limits are for whoever asked to set."""
    entry: tuple[str, ...]
    """What to put before a command so that it starts in the scope; nothing for root, who may move
    any process."""
    holder: subprocess.Popen[bytes]

    def close(self) -> None:
        """Let the scope go; systemd removes what is left of it."""
        _let_go(self.holder)


def delegated(
    name: str,
    *,
    mount: Path = reader.MOUNT,
    proc: Path = reader.PROC,
    booted: Path = BOOTED,
) -> Scope | None:
    """Ask systemd for a scope whose groups can limit memory; return None if there is none to have.

    Args:
        name: Of the scope, unique on this machine.
        mount: Where the tree of control groups is.
        proc: Where the kernel lists processes.
        booted: Exists where systemd manages the machine.
    """
    programs = shutil.which("systemd-run") and shutil.which("busctl")
    if not (programs and booted.is_dir() and (mount / "cgroup.controllers").is_file()):
        return None
    user = () if is_root() else ("--user",)
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    # Not inherited in a session without a login, as of cron or su.
    variable = ("env", f"XDG_RUNTIME_DIR={runtime}")
    unit = f"{name}.scope"
    start = ("systemd-run", *user, "--scope", "--quiet", "--collect", "--property=Delegate=yes")
    holder = subprocess.Popen(
        [*variable, *start, f"--unit={unit}", "--", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,  # Ctrl-C is meant for the harness
    )
    move = ("busctl", *user, "call", *_MANAGER, "AttachProcessesToUnit", "ssau", unit, _HOLDER, "1")
    if _answers(holder) and (folder := _prepare(holder.pid, unit, (*variable, *move), mount, proc)):
        script = f'{shlex.join((*variable, *move))} $$ >/dev/null && exec "$@"'
        entry = ("sh", "-c", script, "sh") if user else ()
        return Scope(folder=folder, entry=entry, holder=holder)
    _let_go(holder)
    return None


def _answers(holder: subprocess.Popen[bytes]) -> bool:
    """Wait until the holder, which systemd starts when the scope exists, repeats what it reads."""
    stdin, stdout = _pipes(holder)
    with contextlib.suppress(BrokenPipeError):
        stdin.write(b"\n")
    ready, _, _ = select.select([stdout], [], [], _PATIENCE_S * slowness())
    return bool(ready) and stdout.read(1) == b"\n"


def _prepare(holder: int, unit: str, move: tuple[str, ...], mount: Path, proc: Path) -> Path | None:
    """Make the run's group in a scope, and return it; None if that is not possible."""
    group = reader.of_process(holder, mount=mount, proc=proc)
    if group is None or group.place.name != unit:
        return None
    # A group with controllers for its children may hold no process itself.
    try:
        (group.place / _HOLDER[1:]).mkdir()
        process.run([*move, str(holder)], timeout_s=_PATIENCE_S)
        (group.place / _CONTROL).write_text("+memory")
        (group.place / _RUN).mkdir()
    except (process.ProcessError, OSError):
        return None
    for controller in ("pids", "cpu"):
        with contextlib.suppress(OSError):
            (group.place / _CONTROL).write_text(f"+{controller}")
    return group.place / _RUN


def _let_go(holder: subprocess.Popen[bytes]) -> None:
    for pipe in _pipes(holder):
        with contextlib.suppress(OSError):
            pipe.close()
    try:
        holder.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        holder.kill()
        holder.wait()


def _pipes(holder: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert holder.stdin is not None  # noqa: S101  # pipes: for the type checker
    assert holder.stdout is not None  # noqa: S101
    return holder.stdin, holder.stdout
