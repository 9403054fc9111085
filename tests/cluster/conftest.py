"""A Ray cluster of two machines, each a raylet with its own resources, on this one."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from posebowl import paths
from posebowl.batch.evaluation import Evaluation, EvaluationRequest, evaluate
from posebowl.batch.plan import RunOptions
from posebowl.challenge import LIMITS, EngineName, Variant
from posebowl.engines import select
from posebowl.settings import resolve
from posebowl.util import descendants

MIB = 1 << 20
PATIENCE_S = 300.0
PORTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in sockets]


@dataclass(frozen=True)
class TwoMachines:
    """The cluster; its head has a core, and machines of one core may be added."""

    cluster: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self) -> Any:
        # With named ports, Ray does not wait for those that its agents choose: on a busy
        # machine it would give up.
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        return self.cluster.add_node(
            num_cpus=1, memory=1 << 30, object_store_memory=80 * MIB, **ports
        )

    def runs(self, machine: Any) -> bool:
        """Return whether a main.sh that sleeps is under way on a machine."""
        raylet = psutil.Process(machine.all_processes["raylet"][0].process.pid)
        with contextlib.suppress(psutil.NoSuchProcess):
            return any(one.name() == "sleep" for one in raylet.children(recursive=True))
        return False

    def kill(self, machine: Any) -> None:
        self.cluster.remove_node(machine, allow_graceful=False)


@pytest.fixture(scope="session")
def embedded() -> None:
    """Skip, with the reason, where the embedded engine cannot be used."""
    if problem := select.make(EngineName.EMBEDDED).unavailable():
        pytest.skip(f"embedded: {problem}")


@pytest.fixture(scope="module")
def machines(embedded: None) -> Iterator[TwoMachines]:  # noqa: ARG001  # skips
    """Start a cluster of two machines of one core each; nothing of it is left alive."""
    # It says how long a busy machine may take.
    pytest.importorskip("posebowl.batch.ray_executor")
    with temporary_folder(), token(), descendants.ended():
        two = _start()
        try:
            yield two
        finally:
            two.cluster.shutdown()


@contextlib.contextmanager
def temporary_folder() -> Iterator[None]:
    """Give what is started in a block a temporary folder that goes with it.

    A machine that is killed leaves there whatever its work had written.
    """
    usual = tempfile.gettempdir()
    with (
        tempfile.TemporaryDirectory(prefix="machines-", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TMPDIR", folder)
        # Paths of sockets must be short.
        patch.setenv("RAY_TMPDIR", usual)
        yield


@contextlib.contextmanager
def token() -> Iterator[None]:
    """Start what is started in a block with a token, which those who join it need."""
    from posebowl.batch import ray_cluster  # noqa: PLC0415  # where Ray is installed

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        ray_cluster.read_authentication()
        yield
    ray_cluster.read_authentication()


def _start() -> TwoMachines:
    """Start the cluster, again if a busy machine was too slow for Ray."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415  # where it is installed

    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        before = descendants.alive()
        two = TwoMachines(Cluster())
        try:
            for _ in range(2):
                two.add()
            two.cluster.wait_for_nodes()
        except Exception:
            two.cluster.shutdown()
            # A machine that did not come up is not on its list, and its servers live on.
            descendants.end(descendants.alive() - before)
            if time.monotonic() > give_up_at:
                raise
        else:
            return two


@pytest.fixture
def evaluated(tmp_path: Path, data_folder: Path) -> Callable[..., Evaluation]:
    """Evaluate the zips of a folder, with limits that two small machines can give."""

    def run(zips: Path, **changes: Any) -> Evaluation:
        given = {"out": tmp_path / "out", "data": str(data_folder), "limits": {}, **changes}
        given["cache"] = resolve.load().cache
        limits = {"cpus": 1, "memory_bytes": 512 * MIB, **given.pop("limits")}
        options = RunOptions(
            variant=Variant.CPU,
            engine=EngineName.EMBEDDED,
            limits=LIMITS[Variant.CPU].__class__(**limits),
        )
        return evaluate(EvaluationRequest(places=(zips,), options=options, **given))

    return run


@pytest.fixture
def command(data_folder: Path) -> Callable[..., tuple[list[str], dict[str, str]]]:
    """Give the argv and variables of an evaluation in a process of its own."""

    def make(zips: Path, out: Path, *words: str) -> tuple[list[str], dict[str, str]]:
        argv = [sys.executable, "-m", "posebowl.cli", "evaluate", str(zips), "--out", str(out)]
        argv += ["--data", str(data_folder), "--engine", "embedded", "--cpus", "1"]
        argv += ["--memory", "512m", "--time-limit", "2m", *words]
        env = {**os.environ, "PYTHONPATH": str(paths.ROOT), "COLUMNS": "200"}
        env.pop("RAY_AUTH_MODE", None)  # that there is a token is enough
        return argv, env

    return make


def pack(path: Path, main: str, files: Mapping[str, str | bytes] | None = None) -> None:
    """Write a submission; the same one has the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"main.sh": main, **(files or {})}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
