"""Machines of a network of their own: namespaces of this one, each with its address and folders.

A machine has an address on a switch, a name, processes, shared memory, a temporary folder, a home,
a cache and a checkout of its own; it does not see the folders of another. Only engines' daemons,
such as Docker's, are shared. Everything is in namespaces: this machine's own network is not
touched, and all ends with the process that made it, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import psutil

from posebowl.settings import resolve
from tests.scratch import copy_checkout

TOOLS: Final = ("ip", "unshare", "nsenter", "mount", "taskset")
UV_RUN: Final = ("uv", "run", "--no-sync")
NET: Final = "10.77.0"
"""Only namespaces know these addresses."""
HEAD_PORT: Final = 6379
TRIES: Final = 3
SOON: Final = {
    "RAY_health_check_failure_threshold": "3",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
}
"""A head that has these takes a machine that is cut off for lost within 20 s, not a minute."""

# It lives as long as someone holds the other end of its standard input.
_SWITCH: Final = """
ip link add name switch type bridge && ip address add {net}.254/24 dev switch &&
ip link set switch up && ip link set lo up && echo up && cat > /dev/null
"""
# What lies beside its folder, and in everyone's temporary folder, is hidden from it, but for the
# environments that it runs in: a checkout may lie there too.
_MACHINE: Final = """
mount --make-rprivate / && hostname {name} && ip link set lo up &&
mount -t tmpfs shm /dev/shm && cd {folder} && {kept}mount --no-canonicalize --rbind tmp /tmp &&
mkdir -p {others} && mount -t tmpfs none {others} && mkdir {folder} &&
mount --no-canonicalize --bind . {folder} && cd / && echo up && cat > /dev/null
"""


def _kept(environments: Path) -> str:
    """Return the commands that show a machine what it needs of the host's /tmp, in its own."""
    needed = (Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), environments)
    places = [place for place in needed if place.is_relative_to("/tmp") and place.is_dir()]
    return "".join(f"mkdir -p .{place} && mount --bind {place} .{place} && " for place in places)


def problem() -> str:
    """Return why no machines can be made here; empty if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "namespaces of machines need root on Linux"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"namespaces of machines need {', '.join(missing)}"
    tried = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "name", "switch", "type", "bridge"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip()


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine; made by `Network.add`."""

    name: str
    address: str
    folder: Path
    """At the same path for the machine and for all others, which do not see it."""
    core: int
    network: Network
    holder: subprocess.Popen[str]
    init: int
    """The machine's first process, as this one numbers it."""
    holding: frozenset[int]
    """It, and what it waits for."""

    @property
    def checkout(self) -> Path:
        """Return its copy of the checkout, in which its commands are typed."""
        return self.folder / "checkout"

    @property
    def token_file(self) -> Path:
        """Return where its user keeps the cluster's token."""
        return self.folder / "home/.ray/auth_token"

    def argv(self, *command: str | Path) -> list[str]:
        """Return the argv of a command on this machine, in its checkout, on its core."""
        inside = ["nsenter", f"--target={self.init}", "--mount", "--net", "--uts", "--ipc", "--pid"]
        at_home = ["env", f"--chdir={self.checkout}"]
        return [*inside, "taskset", "-c", str(self.core), *at_home, *map(str, command)]

    def variables(self, **changes: str) -> dict[str, str]:
        """Return the environment of its user."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RAY_", "POSEBOWL_", "AWS_"))
        }
        home = self.folder / "home"
        return kept | {
            "HOME": str(home),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "POSEBOWL_CACHE": str(self.folder / "cache"),
            "COLUMNS": "200",
            "UV_PROJECT_ENVIRONMENT": sys.prefix,
            "RAY_AUTH_MODE": "token",
            "RAY_TMPDIR": "/tmp",  # paths of sockets must be short
            **self.network.variables,
            **changes,
        }

    def start(
        self, *command: str | Path, errors: IO[str] | None = None, **variables: str
    ) -> subprocess.Popen[str]:
        """Start a command; its output can be read, what it says on stderr may go to a file."""
        return subprocess.Popen(
            self.argv(*command),
            env=self.variables(**variables),
            stdout=subprocess.PIPE,
            stderr=errors or subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        # Into files: what it starts may keep its output open for ever.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            argv, env = self.argv(*command), self.variables(**variables)
            done = subprocess.run(argv, env=env, stdout=out, stderr=err, check=False)
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(argv, done.returncode, out.read(), err.read())

    def must(self, *command: str | Path, **variables: str) -> str:
        """Run a command that has to succeed, and return its output."""
        done = self.run(*command, **variables)
        assert done.returncode == 0, f"{self.name}: {command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def lead(self) -> None:
        """Make a token and start the head of a cluster, as docs/evaluate.md says."""
        self.must(*UV_RUN, "ray", "get-auth-token", "--generate")
        self.token_file.chmod(0o600)
        self.start_ray("--head", f"--port={HEAD_PORT}", **SOON)

    def join(self, head: Machine) -> None:
        """Copy the token of a head, and join its cluster."""
        self.token_file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(head.token_file, self.token_file)
        self.start_ray(f"--address={head.address}:{HEAD_PORT}")

    def start_ray(self, *words: str, mode: str = "token", **variables: str) -> None:
        """Start Ray with as much of this machine as belongs to each."""
        small = ("--num-cpus=1", f"--memory={1 << 30}", f"--object-store-memory={100 << 20}")
        dashboard = ("--include-dashboard=false",) if "--head" in words else ()
        command = (*UV_RUN, "ray", "start", *words, *small, *dashboard)
        given = {"RAY_AUTH_MODE": mode, "RAY_agent_register_timeout_ms": "120000", **variables}
        for _ in range(TRIES - 1):  # on a busy machine Ray gives up
            if self.run(*command, **given).returncode == 0:
                return
            self.leave()
        self.must(*command, **given)

    def leave(self) -> None:
        """End Ray on it, whatever state that is in."""
        self.run(*UV_RUN, "ray", "stop", "--force")

    def processes(self) -> set[psutil.Process]:
        """Return what is alive on it, in sandboxes too, beside what holds the machine itself."""
        found: set[psutil.Process] = set()
        inside = {self.init}
        for process in psutil.process_iter():  # by number: parents mostly come first
            with contextlib.suppress(psutil.Error, OSError):
                if process.ppid() in inside or _space(process.pid) == _space(self.init):
                    inside.add(process.pid)
                    found.add(process)
        return {one for one in found if one.pid not in self.holding}

    def sandboxed(self) -> list[psutil.Process]:
        """Return the processes of runs: their sandboxes have namespaces of their own."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error, OSError):
                if _space(process.pid) != _space(self.init):
                    found.append(process)
        return found

    def named(self, name: str) -> list[psutil.Process]:
        """Return the processes whose name begins so."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith(name):
                    found.append(process)
        return found

    def link(self, *, up: bool) -> None:
        """Plug in or pull out its cable; its processes go on."""
        self.network.inside("ip", "link", "set", self.name, "up" if up else "down")

    def kill(self) -> None:
        """End the machine and all that is on it, at once."""
        _release(self.holder)
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(self.init).wait()


@dataclass(frozen=True)
class Network:
    """The switch, and the machines on it; made by `network`."""

    folder: Path
    switch: subprocess.Popen[str]
    variables: dict[str, str] = field(default_factory=dict)
    """Set on all machines."""
    machines: list[Machine] = field(default_factory=list)

    def add(self, name: str, source: Path) -> Machine:
        """Make a machine with a copy of a checkout.

        Its caches are empty, but for the environments of the embedded engine.
        """
        number = len(self.machines) + 1
        folder = self.folder / name
        for part in ("home", "tmp", "cache"):
            (folder / part).mkdir(parents=True)
        (folder / "tmp").chmod(0o1777)
        shutil.copytree(source, folder / "checkout", symlinks=True)
        # Not to another link: that may lie in the host's /tmp, which machines do not see.
        environments = (resolve.load().cache / "environments").resolve()
        (folder / "cache/environments").symlink_to(environments)
        holder = _hold(
            ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
             "--mount-proc"],
            _MACHINE.format(
                name=name, folder=folder, others=self.folder, kept=_kept(environments)
            ),
        )  # fmt: skip
        (init,) = psutil.Process(holder.pid).children()
        address = f"{NET}.{number}"
        self.inside(
            "ip",
            "link",
            "add",
            name,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            str(init.pid),
        )
        self.inside("ip", "link", "set", name, "up", "master", "switch")
        cores = sorted(os.sched_getaffinity(0))
        made = Machine(
            name=name,
            address=address,
            folder=folder,
            core=cores[number % len(cores)],
            network=self,
            holder=holder,
            init=init.pid,
            holding=frozenset({init.pid, *(one.pid for one in init.children())}),
        )
        made.must("ip", "address", "add", f"{address}/24", "dev", "eth0")
        made.must("ip", "link", "set", "eth0", "up")
        made.must("ip", "route", "add", "default", "via", f"{NET}.254")
        self.machines.append(made)
        return made

    def inside(self, *command: str) -> None:
        """Run a command in the network of the switch."""
        argv = ["nsenter", f"--target={self.switch.pid}", "--net", *command]
        subprocess.run(argv, check=True)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Make a network without machines; all that is in it is gone after the block."""
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="network-", ignore_cleanup_errors=True)
        )
        switch = _hold(["unshare", "--net"], _SWITCH.format(net=NET))
        stack.callback(_release, switch)
        made = Network(Path(name), switch)
        stack.callback(lambda: [machine.kill() for machine in made.machines])
        yield made


@contextlib.contextmanager
def checkout() -> Iterator[Path]:
    """Copy the checkout for the machines of a network."""
    with tempfile.TemporaryDirectory(prefix="checkout-") as name:
        yield copy_checkout(Path(name))


def _hold(unshare: Sequence[str], script: str) -> subprocess.Popen[str]:
    """Start what keeps namespaces, and wait until its script says that they are up."""
    held = subprocess.Popen(
        [*unshare, "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout is not None
    if held.stdout.readline() != "up\n":
        held.kill()
        held.wait()
        raise OSError(f"no namespaces could be made: {unshare}")
    return held


def _release(held: subprocess.Popen[str]) -> None:
    held.kill()
    held.communicate()


def _space(pid: int) -> str:
    """Return the name of a process's namespace of processes."""
    return str(Path(f"/proc/{pid}/ns/pid").readlink())
