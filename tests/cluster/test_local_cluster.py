"""Clusters of one machine, which live as long as a command; before those of the other files."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from posebowl import paths
from posebowl.batch import Evaluation
from posebowl.errors import EngineError
from posebowl.settings import resolve
from posebowl.util import descendants
from posebowl.util.native import SETTLED
from tests.cluster.conftest import pack, temporary_folder
from tests.hostile.programs import OK

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.container,
    pytest.mark.usefixtures("embedded"),
]

ray_cluster = pytest.importorskip(
    "posebowl.batch.ray_cluster", reason="needs uv sync --group cluster-test"
)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """Make a submission that takes a moment."""
    pack(tmp_path / "zips/slow.zip", f"{OK}sleep 5")
    return tmp_path / "zips"


def cache() -> str:
    return str(resolve.load().cache)


def below(name: str) -> Iterator[psutil.Process]:
    """Yield the processes of a name that this one has started, or that its children have."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name().startswith(name):
                yield process


@contextlib.contextmanager
def once_it_runs(what: Callable[[], None]) -> Iterator[None]:
    """Do something in a thread as soon as a main.sh sleeps."""

    def wait() -> None:
        while not over.wait(0.05):
            if next(below("sleep"), None):
                what()
                return

    over, thread = threading.Event(), threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_local_cluster_is_private_and_leaves_nothing(
    data_folder: Path, slow: Path, tmp_path: Path
) -> None:
    heard: list[tuple[str, str]] = []
    born_with: dict[str, str] = {}

    def look_then_kill_the_worker() -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                heard.extend(
                    (process.name(), one.laddr.ip)
                    for one in process.net_connections("inet")
                    if one.status == psutil.CONN_LISTEN
                )
        worker = next(below("ray::slow"))
        born_with.update(worker.environ())
        worker.kill()

    out = tmp_path / "out"
    argv = [sys.executable, "-m", "posebowl.cli", "evaluate", str(slow), f"--out={out}"]
    argv += [f"--data={data_folder}", "--address=local", "--engine=embedded", "--json"]
    argv += ["--cpus=1", "--memory=512m", "--time-limit=2m"]
    env = {**os.environ, "PYTHONPATH": str(paths.ROOT), "COLUMNS": "200"}
    env |= {"HOME": str(tmp_path), "RAY_AUTH_MODE": "disabled", "POSEBOWL_CACHE": cache()}
    with temporary_folder(), descendants.ended(), once_it_runs(look_then_kill_the_worker):
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert not list(below("ray")), "it left processes"

    assert done.returncode == 0, done.stderr
    assert {"gcs_server", "raylet"} <= {name for name, _ in heard}
    assert {ip.removeprefix("::ffff:") for _, ip in heard} == {"127.0.0.1"}
    assert not (tmp_path / ".ray").exists()
    assert born_with.items() >= SETTLED.items(), "set later, beside Ray's threads"
    (row,) = json.loads(done.stdout)["rows"]
    assert row["verdict"] == "OK"
    assert row["tries"] == 2
    (reason,) = row["retried"]
    assert "worker died" in reason
    assert not reason.startswith(":")


def test_a_lost_head_is_reported_and_all_that_was_started_ends(
    evaluated: Callable[..., Evaluation],
    slow: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_cluster, "_ASK_S", 0.5)
    monkeypatch.setattr(ray_cluster, "_GONE_S", 2.0)

    def kill_the_head() -> None:
        next(below("gcs_server")).kill()

    with temporary_folder(), descendants.ended(), once_it_runs(kill_the_head):
        with pytest.raises(EngineError, match="head is lost") as error:
            evaluated(slow, address="local")
        left = [process.name() for process in psutil.Process().children(recursive=True)]

    assert "--resume" in error.value.fix
    assert not left


@pytest.mark.parametrize("first", ["ray_cluster", "ray_executor"])
def test_ray_does_not_start_workers_with_uv_run(first: str) -> None:
    # Under `uv run` it would refuse to join: what machines are sent is not a project of uv's.
    code = (
        f"import posebowl.batch.{first}\n"
        "from ray._private import ray_constants\n"
        "print(ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV)\n"
    )
    variables = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
