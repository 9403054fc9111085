"""Data in object storage, from a real S3 protocol server on loopback."""

from __future__ import annotations

import logging
import multiprocessing
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from posebowl.batch import shards, storage
from posebowl.batch.node_cache import NodeCache
from posebowl.batch.shards import Dataset
from posebowl.data import manifest
from posebowl.errors import BadDataError
from posebowl.settings import resolve
from tests.cluster.conftest import URI, Cluster, pack
from tests.conftest import IDS
from tests.hostile.programs import OK

pytestmark = [
    pytest.mark.cluster,
    # Of Google's SDK, which cloudpathlib loads whatever storage is used.
    pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning"),
]


class Bucket:
    """The bucket behind `URI`, and what was asked of its server."""

    def __init__(self, client: Any, log: pytest.LogCaptureFixture) -> None:
        self._client = client
        self._log = log

    def upload(self, folder: Path) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            self._client.put_object(Bucket="photos", Key=f"test-set/{name}", Body=path.read_bytes())

    def remove(self, name: str) -> None:
        self._client.delete_object(Bucket="photos", Key=f"test-set/{name}")

    def downloads(self) -> list[str]:
        """Return the photos that were sent, in their order."""
        lines = [record.getMessage() for record in self._log.records]
        found = (re.search(r'"GET /photos/test-set/(images/\S+)', line) for line in lines)
        return [match[1] for match in found if match]


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start a server, one for all tests, as cloudpathlib keeps its client; caches are empty."""
    moto = pytest.importorskip("moto.server", reason="needs uv sync --group cluster-test")
    cache = tmp_path_factory.mktemp("cache")
    # The embedded engine's environment stays where it is.
    (cache / "environments").symlink_to(resolve.load().cache / "environments")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=True)
    running.start()
    host, port = running.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POSEBOWL_CACHE": str(cache),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield
    running.stop()


@pytest.fixture
def bucket(caplog: pytest.LogCaptureFixture) -> Iterator[Bucket]:
    client = pytest.importorskip("boto3").client("s3")
    caplog.set_level(logging.INFO, logger="werkzeug")
    client.create_bucket(Bucket="photos")
    yield Bucket(client, caplog)
    for item in client.list_objects_v2(Bucket="photos").get("Contents", []):
        client.delete_object(Bucket="photos", Key=item["Key"])
    client.delete_bucket(Bucket="photos")
    for kept in ("slices", "photos"):
        shutil.rmtree(cache().root / kept, ignore_errors=True)


@pytest.fixture
def listed(photos: Path, tmp_path: Path) -> Path:
    """Copy the data, with its manifest."""
    return shutil.copytree(photos, tmp_path / "listed")


def cache() -> NodeCache:
    return NodeCache(resolve.load().cache)


def fill(shard: Dataset) -> str:
    return str(cache().data_folder(shard))


def test_the_cache_is_filled_once_however_many_ask(bucket: Bucket, listed: Path) -> None:
    bucket.upload(listed)
    whole = shards.load(URI, manifest.look)
    assert not bucket.downloads()

    with multiprocessing.get_context("spawn").Pool(4) as pool:
        folders = set(pool.map(fill, [whole] * 8))

    assert sorted(bucket.downloads()) == sorted(f"images/{name}.png" for name in IDS)
    (folder,) = (Path(name) for name in folders)
    for path in (listed / "images").iterdir():
        assert (folder / "images" / path.name).read_bytes() == path.read_bytes()


def test_a_photo_that_is_not_the_listed_one_is_refused_and_the_others_are_kept(
    bucket: Bucket, listed: Path
) -> None:
    bucket.upload(listed)
    whole = shards.load(URI, manifest.look)
    (listed / f"images/{IDS[2]}.png").write_bytes(b"x" * whole.entries[2].bytes)
    bucket.upload(listed)

    for tries in (1, 2, 3):
        # Not an EngineError, which is tried again.
        with pytest.raises(BadDataError, match=IDS[2]):
            cache().data_folder(whole)
        assert bucket.downloads().count(f"images/{IDS[2]}.png") == tries

    assert not (cache().root / "slices" / whole.digest).exists()
    others = [name for name in bucket.downloads() if IDS[2] not in name]
    assert len(others) == len(set(others))


def test_a_server_that_restarts_is_waited_for(
    bucket: Bucket, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.upload(listed)
    whole = shards.load(URI, manifest.look)
    pauses: list[tuple[int, float]] = []  # several threads fetch, each with pauses of its own
    down = 3

    def pause(seconds: float) -> None:
        pauses.append((threading.get_ident(), seconds))

    def answer(*_: object, **__: object) -> None:
        if len(pauses) < down:
            raise ConnectionError

    fetched = storage.BucketStorage(URI)
    events = fetched._root.client.client.meta.events
    events.register("before-send.s3", answer)
    monkeypatch.setattr(time, "sleep", pause)
    try:
        cache().data_folder(whole)
    finally:
        events.unregister("before-send.s3", answer)

    assert len(pauses) >= down
    for thread in {thread for thread, _ in pauses}:
        own = [seconds for one, seconds in pauses if one == thread]
        assert own == list(storage._PAUSES_S[: len(own)])
    assert list(storage._PAUSES_S) == sorted(storage._PAUSES_S)
    assert sum(storage._PAUSES_S) >= 60


def test_what_a_server_refuses_is_not_asked_for_again(
    bucket: Bucket, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.upload(listed)
    whole = shards.load(URI, manifest.look)
    bucket.remove(f"images/{IDS[1]}.png")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))

    with pytest.raises(BadDataError, match=IDS[1]):
        cache().data_folder(whole)


def test_a_bucket_is_the_same_data_as_its_folder(bucket: Bucket, listed: Path) -> None:
    bucket.upload(listed)

    assert shards.load(URI, manifest.look).digest == shards.load(str(listed), manifest.look).digest


def test_a_bucket_without_a_manifest_says_how_to_make_one(
    bucket: Bucket, data_folder: Path
) -> None:
    bucket.upload(data_folder)

    with pytest.raises(BadDataError, match=r"manifest\.csv") as error:
        shards.load(URI, manifest.look)

    assert "invoke data.manifest" in error.value.fix


@pytest.mark.container
def test_shards_on_two_machines_take_what_they_need(cluster: Cluster, zips: Path) -> None:
    pack(zips / "a.zip", f"ls ../data/images | wc -l\n{OK}")
    pack(zips / "b.zip", f"{OK}echo b")
    for machine in (cluster.first, cluster.second):
        shutil.rmtree(machine.folder / "cache/evaluate", ignore_errors=True)
    before = len(cluster.downloads())

    words = ("--address=auto", "--engine=embedded", f"--data={URI}", "--shards=3")
    done = cluster.evaluate(zips, *words)

    assert [row["verdict"] for row in done.rows] == ["OK"] * 2
    downloads = cluster.downloads()[before:]
    assert {name for _, name in downloads} == {f"images/{name}.png" for name in IDS}
    assert len(downloads) == len(set(downloads)), "a machine asked for a photo twice"
    logs = {row["submission"]: (done.out / row["log"]).read_text() for row in done.rows}
    assert logs["a"].count("\n2\n") == 3
