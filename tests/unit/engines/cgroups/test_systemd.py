"""Scopes of systemd, in a made-up tree: its two clients are programs that do what they do there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from posebowl.challenge import Limit, Limits
from posebowl.engines.cgroups import manager, systemd
from posebowl.engines.cgroups.systemd import Scope

LIMITS = Limits(memory_bytes=1 << 30, cpus=3, processes=99)

# Puts itself into a new group of the tree, as `systemd-run --scope` does, and becomes the command.
SYSTEMD_RUN = """#!/bin/sh
echo "$XDG_RUNTIME_DIR $*" >> {root}/said
unit=$(printf '%s\\n' "$@" | sed -n s/^--unit=//p)
mkdir -p {root}/mount/user/"$unit" {root}/proc/$$
: > {root}/mount/user/"$unit"/cgroup.procs
echo "0::/user/$unit" > {root}/proc/$$/cgroup
while [ "$1" != -- ]; do shift; done
shift
{then}
"""
BUSCTL = """#!/bin/sh
echo "$XDG_RUNTIME_DIR $*" >> {root}/said
{then}
"""


@dataclass(frozen=True)
class Machine:
    """A machine that systemd seems to manage."""

    root: Path

    def program(self, name: str, text: str, then: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text.format(root=self.root, then=then))
        path.chmod(0o755)

    def delegated(self) -> Scope | None:
        return systemd.delegated(
            "posebowl-1-r",
            mount=self.root / "mount",
            proc=self.root / "proc",
            booted=self.root / "booted",
        )

    @property
    def said(self) -> list[str]:
        path = self.root / "said"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine with a version 2 tree and both clients, used by an ordinary user."""
    for name in ("mount", "proc", "booted", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "mount" / "cgroup.controllers").write_text("cpu memory pids\n")
    made = Machine(tmp_path)
    made.program("systemd-run", SYSTEMD_RUN, 'exec "$@"')
    made.program("busctl", BUSCTL, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/77")
    monkeypatch.setattr(systemd, "is_root", lambda: False)
    return made


@pytest.fixture
def scope(machine: Machine) -> Iterator[Scope]:
    found = machine.delegated()
    assert found is not None
    yield found
    found.close()


def test_a_user_gets_a_scope_of_their_own_manager(machine: Machine, scope: Scope) -> None:
    started, moved = machine.said
    # systemd moves processes only into a group that exists.
    assert scope.folder.with_name("holder").is_dir()
    assert scope.folder == machine.root / "mount/user/posebowl-1-r.scope/run"
    assert started.startswith("/run/user/77 --user --scope ")
    assert "--property=Delegate=yes" in started
    assert moved.startswith("/run/user/77 --user call org.freedesktop.systemd1 ")
    holder = scope.holder.pid
    assert moved.endswith(f"AttachProcessesToUnit ssau posebowl-1-r.scope /holder 1 {holder}")


def test_a_command_moves_itself_into_the_scope_before_it_starts(
    machine: Machine, scope: Scope
) -> None:
    with subprocess.Popen(
        [*scope.entry, "sh", "-c", 'echo "$$ $1"', "sh", "a  b"], stdout=subprocess.PIPE, text=True
    ) as child:
        said, _ = child.communicate()
    assert said == f"{child.pid} a  b\n"
    assert machine.said[-1].endswith(f"posebowl-1-r.scope /holder 1 {child.pid}")


def test_a_command_that_cannot_be_moved_does_not_start(machine: Machine, scope: Scope) -> None:
    machine.program("busctl", BUSCTL, "exit 3")
    assert subprocess.run([*scope.entry, "touch", machine.root / "ran"], check=False).returncode
    assert not (machine.root / "ran").exists()


def test_root_asks_the_system_s_manager_and_needs_no_help_to_join(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "is_root", lambda: True)
    scope = machine.delegated()
    assert scope is not None
    scope.close()
    assert scope.entry == ()
    assert not any("--user" in line for line in machine.said)


def test_a_session_without_a_login_finds_the_manager_too(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    scope = machine.delegated()
    assert scope is not None
    scope.close()
    assert machine.said[0].startswith(f"/run/user/{os.geteuid()} ")


def test_the_holder_ends_with_the_scope(scope: Scope) -> None:
    assert scope.holder.poll() is None
    scope.close()
    assert scope.holder.poll() == 0


@pytest.mark.parametrize("lacking", ["mount/cgroup.controllers", "booted"])
def test_other_machines_are_not_asked(lacking: str, machine: Machine) -> None:
    (machine.root / lacking).rename(machine.root / "away")
    assert machine.delegated() is None
    assert machine.said == []


def test_no_manager_no_scope(machine: Machine) -> None:
    machine.program("systemd-run", SYSTEMD_RUN, "exit 1")
    assert machine.delegated() is None


def test_a_manager_that_cannot_move_processes_gives_no_scope(machine: Machine) -> None:
    machine.program("busctl", BUSCTL, "exit 1")
    assert machine.delegated() is None


def test_a_scope_without_the_memory_controller_is_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The kernel refuses what the scope was not given.
    write = Path.write_text

    def refuse(path: Path, text: str) -> int:
        if path.name == "cgroup.subtree_control" and text == "+memory":
            raise OSError(2, "No such file or directory")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", refuse)
    assert machine.delegated() is None


def test_a_run_has_a_group_in_the_scope_with_its_limits(
    machine: Machine, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "delegated", lambda *_, **__: scope)
    own = machine.root / "own"
    own.write_text("0::/user/session\n")
    group = manager.create("r", LIMITS, mount=machine.root / "mount", own=own)
    assert group is not None
    assert group.folders == {"unified": scope.folder}
    assert group.entry == scope.entry
    assert {path.name: path.read_text() for path in group.paths[0].iterdir()} == {
        "memory.max": str(1 << 30),
        "memory.swap.max": "0",
        "pids.max": "99",
        "cpu.max": "300000 100000",
    }
    assert group.exceeded(LIMITS) == {}
    for path in group.paths[0].iterdir():  # the kernel does not count them as content
        path.unlink()
    group.remove()
    assert not group.paths[0].exists()
    assert scope.holder.poll() == 0


@pytest.mark.parametrize(
    ("file", "text", "limit"),
    [
        ("memory.max", str(2 << 30), Limit.MEMORY),
        ("memory.max", "max", Limit.MEMORY),
        ("memory.swap.max", "max", Limit.MEMORY),
        ("cpu.max", "max 100000", Limit.CPUS),
        ("pids.max", "max", Limit.PROCESSES),
    ],
)
def test_what_was_set_and_does_not_hold_is_said(
    file: str, text: str, limit: Limit, tmp_path: Path
) -> None:
    for path, wanted in manager.settings({"unified": tmp_path}, LIMITS):
        path.write_text(wanted)
    (tmp_path / file).write_text(text)
    group = manager.OwnCgroup(folders={"unified": tmp_path})
    assert group.exceeded(LIMITS).keys() == {limit}
