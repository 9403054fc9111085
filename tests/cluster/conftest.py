"""A Ray cluster of two machines in namespaces, and a third that keeps its photos."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from PIL import Image

from posebowl.batch.evaluation import Evaluation, EvaluationRequest, evaluate
from posebowl.batch.plan import RunOptions
from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH, LIMITS, EngineName, Variant
from posebowl.data import manifest
from posebowl.engines import select
from posebowl.results import result
from posebowl.settings import resolve
from posebowl.util import descendants
from tests.cluster.namespaces import UV_RUN, Machine, checkout, network, problem
from tests.conftest import IDS

MIB = 1 << 20
PATIENCE_S = 120.0
SMALL = ("--cpus=1", "--memory=512m", "--time-limit=2m")
URI = "s3://photos/test-set"
_UPLOAD = """
import boto3, pathlib, sys
client, folder = boto3.client("s3"), pathlib.Path(sys.argv[1])
client.create_bucket(Bucket="photos")  # again, if the server was too slow the first time
for path in folder.rglob("*"):
    if path.is_file():
        key = "test-set/" + path.relative_to(folder).as_posix()
        client.put_object(Bucket="photos", Key=key, Body=path.read_bytes())
"""


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that was typed on a machine, and how it ended."""

    out: Path
    returncode: int
    stdout: str
    stderr: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        assert self.returncode == 0, self.stderr
        return list(json.loads(self.stdout)["rows"])


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Two machines of one core: the first has the head, and commands are typed there."""

    first: Machine
    second: Machine
    third: Machine
    """Has a bucket, and is not part of the cluster."""

    def argv(self, zips: Path, out: Path, *words: str) -> tuple[str, ...]:
        """Return the command of an evaluation, with limits that these machines can give."""
        given = {word.partition("=")[0] for word in words}
        small = [word for word in SMALL if word.partition("=")[0] not in given]
        return (*UV_RUN, "invoke", "evaluate", str(zips), f"--out={out}", *small, *words)

    def evaluate(self, zips: Path, *words: str, **variables: str) -> Evaluated:
        """Type an evaluation on the first machine."""
        out = Path(tempfile.mkdtemp(dir=self.first.folder)) / "out"
        done = self.first.run(*self.argv(zips, out, *words, "--json"), **variables)
        return Evaluated(out, done.returncode, done.stdout, done.stderr)

    def downloads(self) -> list[tuple[str, str]]:
        """Return who was sent each photo, in their order, and its name."""
        log = (self.third.checkout / "server.log").read_text()
        return re.findall(r'^(\S+) .*"GET /photos/test-set/(images/\S+)', log, re.MULTILINE)

    def replaced(self, name: str) -> Cluster:
        """Return the cluster with a new machine for the second."""
        made = self.first.network.add(name, self.third.checkout)
        made.join(self.first)
        return replace(self, second=made)

    def whole(self) -> None:
        """Start what is missing of the cluster: tests end machines, and cut them off."""
        self.second.link(up=True)
        if not self.first.named("gcs_server"):
            for machine in (self.first, self.second):
                machine.leave()
            self.first.lead()
        if not self.second.named("raylet"):
            self.second.leave()
            self.second.join(self.first)


@pytest.fixture(scope="session")
def embedded() -> None:
    """Skip, with the reason, where the embedded engine cannot be used."""
    if problem := select.make(EngineName.EMBEDDED).unavailable():
        pytest.skip(f"embedded: {problem}")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Path:
    """Copy the data, each photo another, with its manifest."""
    folder = tmp_path_factory.mktemp("photos") / "listed"
    shutil.copytree(data_folder, folder)
    for number, name in enumerate(IDS):  # photos of the same content would be kept as one
        size = (IMAGE_WIDTH, IMAGE_HEIGHT)
        Image.new("RGB", size, (number, 0, 0)).save(folder / f"images/{name}.png")
    manifest.write(folder, IDS)
    return folder


@pytest.fixture(scope="session")
def started(embedded: None, photos: Path) -> Iterator[Cluster]:  # noqa: ARG001  # skips
    """Start the machines and the cluster."""
    pytest.importorskip("ray", reason="needs uv sync --group cluster-test")
    pytest.importorskip("moto.server", reason="needs uv sync --group cluster-test")
    if reason := problem():
        pytest.skip(reason)
    with cluster_of(photos) as made:
        yield made


@contextlib.contextmanager
def cluster_of(photos: Path) -> Iterator[Cluster]:
    """Start the machines and the cluster, as docs/evaluate.md says; nothing of it is left.

    Args:
        photos: A data folder with a manifest, for the bucket.
    """
    with checkout() as source, network() as switch:
        first, second, third = (switch.add(name, source) for name in ("first", "second", "third"))
        switch.variables.update(
            AWS_ENDPOINT_URL=f"http://{third.address}:5000",
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="testing",  # noqa: S106  # the server takes any
            AWS_DEFAULT_REGION="us-east-1",
        )
        shutil.copytree(photos, third.folder / "photos")
        serve = 'exec "$@" > server.log 2>&1'
        server = ("python", "-m", "moto.server", "-H", third.address, "-p", "5000")
        with third.start("sh", "-c", serve, "sh", *server):
            try:
                first.lead()
                second.join(first)
                upload = ("python", "-c", _UPLOAD, third.folder / "photos")
                eventually(lambda: third.run(*upload).returncode == 0)
                yield Cluster(first=first, second=second, third=third)
            finally:
                third.kill()


@pytest.fixture
def cluster(started: Cluster) -> Cluster:
    """Return the cluster with both machines."""
    started.whole()
    return started


@pytest.fixture
def zips(cluster: Cluster) -> Path:
    """Return a new folder for submissions on the first machine, which the second cannot see."""
    return Path(tempfile.mkdtemp(dir=cluster.first.folder))


@contextlib.contextmanager
def typed(
    machine: Machine, *command: str, errors: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Type a command, and kill it at the end of the block."""
    with machine.start(*command, errors=errors) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                descendants.end({*psutil.Process(process.pid).children(recursive=True)})


def eventually(done: Callable[[], object]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.1)


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


@pytest.fixture
def evaluated(tmp_path: Path, data_folder: Path) -> Callable[..., Evaluation]:
    """Evaluate the zips of a folder in this process, with limits that a small machine can give."""

    def run(zips: Path, **changes: Any) -> Evaluation:
        given = {"out": tmp_path / "out", "data": str(data_folder), **changes}
        limits = LIMITS[Variant.CPU].__class__(cpus=1, memory_bytes=512 * MIB)
        options = RunOptions(variant=Variant.CPU, engine=EngineName.EMBEDDED, limits=limits)
        cache = resolve.load().cache
        return evaluate(EvaluationRequest(places=(zips,), options=options, cache=cache, **given))

    return run


def pack(path: Path, main: str, files: Mapping[str, str | bytes] | None = None) -> None:
    """Write a submission; the same one has the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"main.sh": main, **(files or {})}.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def kept(out: Path) -> dict[str, str]:
    """Return the id of each run whose result is kept; one may be on its way when all is killed."""
    found = out.glob("runs/[!.]*/result.json")
    return {path.parent.name: result.read(path).run_id for path in found}
