"""Real images: what stays in them, moved through a registry, opened, built from nothing."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import client as oci_client, image
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.engine import OciEngine
from posebowl.errors import EngineError, UsageError
from posebowl.images import debian_base, package_tests, pins, registry, shell
from posebowl.images.package_report import is_copyleft
from posebowl.util import process
from tests.typed import invoke
from tests.umask import umask

pytestmark = pytest.mark.container

TEST_IMAGE = "posebowl-moved:cpu"


@pytest.fixture(params=["docker", "podman"])
def client(request: pytest.FixtureRequest) -> Client:
    """Return a client of each engine in turn; none of this project's images is needed."""
    name = EngineName(request.param)
    if problem := oci_client.problem(name):
        pytest.skip(problem)
    return oci_client.connect(name)


def _tiny(client: Client, folder: Path, **labels: str) -> None:
    """Import an image of one file, with the labels of the real one."""
    (folder / "file").write_text("x")
    with tarfile.open(folder / "tiny.tar", "w") as archive:
        archive.add(folder / "file", "file")
    wanted = {
        image.VARIANT_LABEL: "cpu",
        image.LOCK_LABEL: image.lock_hash(),
        image.RECIPE_LABEL: image.recipe_hash(),
        **labels,
    }
    changes = [w for name in wanted for w in ("--change", f"LABEL {name}={wanted[name]}")]
    client.run("import", *changes, str(folder / "tiny.tar"), TEST_IMAGE)


@pytest.fixture
def named(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the modules use a tiny image instead of the real one, and remove it afterwards."""
    for module in (image, registry):
        monkeypatch.setattr(module, "image_name", lambda *_: TEST_IMAGE)
    yield
    client.run("rmi", "--force", TEST_IMAGE, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a registry on this machine."""
    program = next(
        (path for path in ("/usr/bin/docker-registry", "/bin/registry") if Path(path).exists()),
        None,
    )
    if program is None:
        pytest.skip("no registry to serve: apt-get install docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}\n"
        f"http:\n  addr: 127.0.0.1:{port}\nlog:\n  level: error\n"
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [program, "serve", folder / "config.yml"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return
    pytest.fail("the registry does not answer")


def _digest(name: str) -> str:
    """Ask the registry for the digest of an image."""
    place, _, tag = name.rpartition(":")
    host, _, repository = place.partition("/")
    kinds = ("docker.distribution.manifest.v2", "oci.image.manifest.v1")
    accepted = ", ".join(f"application/vnd.{kind}+json" for kind in kinds)
    request = urllib.request.Request(
        f"http://{host}/v2/{repository}/manifests/{tag}", headers={"Accept": accepted}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return str(answer.headers["Docker-Content-Digest"])


@pytest.mark.usefixtures("named")
def test_what_is_pushed_can_be_pulled(client: Client, place: str, tmp_path: Path) -> None:
    _tiny(client, tmp_path)
    pushed = registry.push(client, Variant.CPU, place, version="0.1.0")
    assert pushed.remote == f"{place}/{TEST_IMAGE}"
    assert pushed.tags == (f"{place}/{TEST_IMAGE}-0.1.0",)
    for name in (pushed.remote, *pushed.tags):
        assert _digest(name) == pushed.digest
    client.run("rmi", "--force", TEST_IMAGE)
    pulled = registry.pull(client, Variant.CPU, place)
    assert (pulled.id, pulled.digest) == (pushed.id, pushed.digest)
    found = image.find(client, TEST_IMAGE)
    assert found is not None
    assert found.id == pushed.id
    assert image.find(client, pushed.remote) is None


@pytest.mark.usefixtures("named")
def test_a_stale_image_is_neither_pushed_nor_taken(
    client: Client, place: str, tmp_path: Path
) -> None:
    _tiny(client, tmp_path, **{image.LOCK_LABEL: "0" * 64})
    with pytest.raises(EngineError, match="not what this checkout builds"):
        registry.push(client, Variant.CPU, place)
    remote = registry.remote_name(f"{place}/wrong", Variant.CPU, image.key())
    client.run("tag", TEST_IMAGE, remote)
    client.run(*registry.transfer_argv("push", client.engine, remote))
    client.run("rmi", "--force", remote, TEST_IMAGE, check=False)
    with pytest.raises(EngineError, match="not what its name says"):
        registry.pull(client, Variant.CPU, f"{place}/wrong")
    assert image.find(client, TEST_IMAGE) is None
    with pytest.raises(EngineError):
        registry.pull(client, Variant.CPU, f"{place}/nothing-here")


@pytest.mark.usefixtures("named")
def test_the_base_is_pinned_to_what_the_registry_served(
    client: Client, place: str, tmp_path: Path
) -> None:
    """What is served under the tag later is not what a build starts from."""
    name = f"{place}/debian:bookworm-slim"
    runtime = tmp_path / "runtime"
    shutil.copytree(paths.RUNTIME, runtime, ignore=shutil.ignore_patterns("tests"))
    (runtime / "uv.txt").write_text("uv==0.0.1\n")
    served = []
    try:
        for content in ("one", "two"):
            _tiny(client, tmp_path, content=content)
            client.run("tag", TEST_IMAGE, name)
            client.run(*registry.transfer_argv("push", client.engine, name))
            served.append(_digest(name))
            client.run("rmi", "--force", name, TEST_IMAGE)
            if content == "one":
                pins.renew(pins.PinOptions(engine=client.engine, base=name), runtime)
    finally:
        pulled = (f"{place}/debian@{digest}" for digest in served)
        for left in (name, *pulled):
            client.run("rmi", "--force", left, check=False)
    assert served[0] != served[1]
    assert (runtime / "uv.txt").read_bytes() == (paths.RUNTIME / "uv.txt").read_bytes()
    lines = (runtime / "Dockerfile").read_text().splitlines()
    assert f"ARG BASE_IMAGE={place}/debian@{served[0]}" in lines


@pytest.mark.usefixtures("named")
def test_a_digest_holds_where_labels_are_forged(client: Client, place: str, tmp_path: Path) -> None:
    """Whoever writes to a registry can put another image, with the same labels, under the tag."""
    own = f"{place}/forged"
    _tiny(client, tmp_path)
    pushed = registry.push(client, Variant.CPU, own)
    _tiny(client, tmp_path, forged="yes")
    forged = registry.push(client, Variant.CPU, own)
    client.run("rmi", "--force", TEST_IMAGE)
    assert forged.digest != pushed.digest
    assert registry.pull(client, Variant.CPU, own).digest == forged.digest
    client.run("rmi", "--force", TEST_IMAGE)
    pulled = registry.pull(client, Variant.CPU, own, digest=pushed.digest)
    assert (pulled.id, pulled.digest) == (pushed.id, pushed.digest)
    assert image.named(client, TEST_IMAGE).id == pushed.id
    client.run("rmi", "--force", TEST_IMAGE)
    with pytest.raises(EngineError):
        registry.pull(client, Variant.CPU, own, digest="sha256:" + "0" * 64)
    assert image.find(client, TEST_IMAGE) is None


def test_the_packages_of_an_image_are_surveyed(oci: OciEngine) -> None:
    found = package_tests.survey(oci_client.connect(oci.name), Variant.CPU, ["click"])
    assert found["click"]["bytes"] > 100_000
    assert found["click"]["imported"]["module"] == "click"
    assert found["click"]["imported"]["seconds"] > 0
    assert is_copyleft(found["ultralytics"]["licence"])
    assert {name for name, one in found.items() if "imported" in one} == {"click"}


def test_nothing_of_the_hosts_settings_stays(oci: OciEngine, photos: Path) -> None:
    """Neither certificates nor indexes of the host, in no layer and no label."""
    client = oci_client.connect(oci.name)
    name = image.current(client, Variant.CPU).name
    assert "/run/secrets/" not in str((client.inspect("image", name) or {})["Config"])
    history = client.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", name).stdout
    local = sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))
    own = [path.read_text().splitlines()[1] for path in local if path.stat().st_size]
    for line in own:
        assert line not in history
    script = (
        "ls -A /run/secrets /tmp /var/cache/uv 2>/dev/null | grep -v ':$' | grep . && exit 1\n"
        "env | grep -E '^(UV_|PIP_|SSL_|[A-Za-z]*_proxy)' && exit 2\n"
        + "".join(f"grep -rqsF '{line}' /etc /opt /home /var /tmp && exit 3\n" for line in own)
        + "exit 0"
    )
    code = shell.shell(
        client,
        Variant.CPU,
        images=photos / "images",
        submission_format=photos / "submission_format.csv",
        command=script,
    )
    assert code == 0


def test_a_shell_is_where_main_would_be(
    oci: OciEngine, photos: Path, spec_of: object, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of("echo main", files={"more/file": "x"})  # type: ignore[operator]
    code = shell.shell(
        oci_client.connect(oci.name),
        Variant.CPU,
        images=photos / "images",
        submission_format=photos / "submission_format.csv",
        archive=spec.archive,
        command="pwd; ls; ls ../data/images | wc -l; touch ../submission/x && exit 9",
    )
    assert code == 9
    assert capfd.readouterr().out.split() == ["/code_execution/workdir", "main.sh", "more", "3"]


def test_packages_are_listed_with_what_works(
    oci: OciEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    client = oci_client.connect(oci.name)
    found = package_tests.check_packages(client, Variant.CPU, select="tqdm", to_stderr=True)
    assert found.exit_code == 0
    assert [(name.rpartition("::")[2], ended) for name, ended in found.tests.items()] == [
        ("test_tqdm", "passed")
    ]
    assert {"torch", "numpy", "tqdm"} <= set(found.packages)
    assert capfd.readouterr().out == ""
    for word in ("zzz", "no such"):
        with pytest.raises(UsageError, match=f'--select "{word}" matches no test'):
            package_tests.check_packages(client, Variant.CPU, select=word)


@pytest.mark.parametrize("as_root", [True, False], ids=["root", "user"])
def test_a_base_image_from_packages_alone(client: Client, as_root: bool, tmp_path: Path) -> None:
    if lacking := debian_base.missing(as_root=as_root):
        pytest.skip(str(lacking))
    name = "posebowl-base-test:bookworm"
    try:
        with umask(0o077):
            made = debian_base.make(client, cache=tmp_path, name=name, as_root=as_root)
        assert made.name == name
        assert 50e6 < made.bytes < 400e6
        argv = ["run", "--rm", "--network", "none", "--pull", "never", "--user", "1000"]
        if client.engine == EngineName.PODMAN:
            argv += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        words = "cat /etc/debian_version; wc -l < /etc/apt/sources.list; apt-get --version"
        words += "; ls -d /debootstrap /usr/share/doc/* 2>/dev/null; stat -c %u:%g /etc/shadow"
        done = process.run([*client.argv, *argv, made.name, "sh", "-c", words])
        version, sources, *others = done.stdout.split()
        assert version.startswith("12.")
        assert int(sources) >= 1
        assert "/debootstrap" not in others
        assert others[-1] == "0:42"  # owners that no user could give
    finally:
        client.run("rmi", "--force", name, check=False)
    assert image.find(client, f"{name}-unfinished") is None
    assert not list((tmp_path / "bases").iterdir())


def test_check_looks_into_the_image_of_an_engine(oci: OciEngine, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("main.sh", "python main.py\n")
        zipped.writestr("main.py", "import polars\nimport nobody_has_this\n")
    done = invoke("check", str(archive), "--engine", oci.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "main.py:2 imports nobody_has_this, which is not in the image" in done.stderr
    assert "polars" not in done.stderr
