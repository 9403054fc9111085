"""Images: what they are made from, what they are called, what a build is told."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, strategies as st

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import image, image_name
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.image import Image
from posebowl.errors import UsageError
from posebowl.images import build_secrets, builder, debian_base, pins, registry
from posebowl.images.build_secrets import Secret
from posebowl.images.builder import Built
from posebowl.images.debian_base import Source
from posebowl.util.host import is_root


def _image(**labels: str) -> Image:
    made = {
        image.VARIANT_LABEL: "cpu",
        image.LOCK_LABEL: image.lock_hash(),
        image.RECIPE_LABEL: image.recipe_hash(),
        **labels,
    }
    return Image(name="posebowl-runtime:cpu", id="abc", bytes=1, layers=(), labels=made)


def test_a_current_image_is_current() -> None:
    assert image.stale(_image(), Variant.CPU) == ""


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({image.LOCK_LABEL: "0" * 64}, "another uv.lock (000000000000, now"),
        ({image.LOCK_LABEL: ""}, "another uv.lock (none"),
        ({image.RECIPE_LABEL: "x"}, "runtime/ have changed"),
        ({image.VARIANT_LABEL: "gpu"}, "the gpu variant, not cpu"),
        ({image.VARIANT_LABEL: ""}, "unlabelled"),
    ],
)
def test_a_stale_image_is_never_silently_used(labels: dict[str, str], words: str) -> None:
    assert words in image.stale(_image(**labels), Variant.CPU)


def test_the_recipe_is_all_that_the_dockerfile_takes() -> None:
    text = (paths.RUNTIME / "Dockerfile").read_text()
    taken = set(re.findall(r"runtime/([\w.-]+(?:/[\w.-]+)?)", text)) - {"Dockerfile", "sources"}
    assert taken | {"Dockerfile"} == set(image.RECIPE)
    allowed = (paths.RUNTIME / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in allowed if line.startswith("!")}
    assert "*" in allowed
    assert kept == {f"runtime/{name}" for name in taken} | {"pyproject.toml", "uv.lock"}


def test_the_recipe_hash_follows_its_files(tmp_path: Path) -> None:
    for name in image.RECIPE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((paths.RUNTIME / name).read_bytes())
    assert image.recipe_hash(tmp_path) == image.recipe_hash()
    (tmp_path / "apt.txt").write_text("curl\n")
    assert image.recipe_hash(tmp_path) != image.recipe_hash()


def test_uv_in_the_image_is_the_one_of_the_lock_by_its_hashes() -> None:
    assert (paths.RUNTIME / "uv.txt").read_text() == pins.uv_requirement(paths.LOCK.read_text())
    text = (paths.RUNTIME / "Dockerfile").read_text()
    (step,) = re.findall(r"pip install (?:[^\n]+\\\n)*[^\n]+/opt/posebowl/build/uv.txt\n", text)
    assert {"--require-hashes", "--only-binary"} <= set(step.split())
    assert "uv==" not in text


def test_two_checkouts_never_share_the_name_of_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {image_name(variant, image.key()) for variant in Variant}
    monkeypatch.setattr(image, "lock_hash", lambda: "0" * 64)
    names |= {image_name(variant, image.key()) for variant in Variant}
    monkeypatch.setattr(image, "recipe_hash", lambda: "0" * 64)
    names |= {image_name(variant, image.key()) for variant in Variant}
    assert len(names) == 6
    assert all(re.fullmatch(r"posebowl-runtime:(cpu|gpu)-[0-9a-f]{16}", name) for name in names)


def test_what_the_cpu_image_leaves_out_is_in_the_lock() -> None:
    lines = (paths.RUNTIME / "cpu-without.txt").read_text().splitlines()
    left_out = {line for line in lines if line and not line.startswith("#")}
    locked = {package["name"] for package in tomllib.loads(paths.LOCK.read_text())["package"]}
    assert left_out <= locked
    assert not {"nvidia-cuda-runtime", "nvidia-cuda-cupti"} & left_out


def test_build_argv_of_docker() -> None:
    words = builder.build_argv(
        Variant.CPU,
        [Secret(id="ca", path=Path("/ca.pem"))],
        names=("posebowl-runtime:cpu-0123", "posebowl-runtime:cpu"),
        base_image="posebowl-base:bookworm",
        no_cache=True,
        network="host",
        labels={"b": "2", "a": "1"},
        podman=False,
        buildx=False,
    )
    assert words == [
        *("build", "--file", "runtime/Dockerfile"),
        *("--tag", "posebowl-runtime:cpu-0123", "--tag", "posebowl-runtime:cpu"),
        *("--build-arg", "VARIANT=cpu", "--build-arg", "BASE_IMAGE=posebowl-base:bookworm"),
        *("--network", "host"),
        *("--label", "a=1", "--label", "b=2", "--secret", "id=ca,src=/ca.pem", "--no-cache", "."),
    ]


@pytest.mark.parametrize(
    ("podman", "buildx", "network", "expected", "missing"),
    [
        (True, False, "host", "--layers", "--load"),
        (False, True, "host", "--load --allow network.host", "--layers"),
        (False, True, "default", "--load", "--allow"),
    ],
)
def test_build_argv_of_the_others(
    podman: bool, buildx: bool, network: str, expected: str, missing: str
) -> None:
    words = builder.build_argv(
        Variant.GPU,
        [],
        names=("n",),
        base_image="b",
        no_cache=False,
        network=network,
        labels={},
        podman=podman,
        buildx=buildx,
    )
    assert expected in " ".join(words)
    assert missing not in words


def test_the_base_is_that_of_the_dockerfile() -> None:
    assert re.fullmatch(
        r"debian:bookworm-slim|\S+/debian@sha256:[0-9a-f]{64}", builder.default_base()
    )


def test_what_was_built_in_words() -> None:
    built = Built(
        name="posebowl-runtime:cpu-0123",
        alias="posebowl-runtime:cpu",
        id="x",
        engine=EngineName.DOCKER,
        bytes=5 << 30,
        seconds=61.4,
        shared_bytes=1 << 30,
        lock="f" * 64,
    )
    assert builder.describe(built) == (
        "posebowl-runtime:cpu-0123 and posebowl-runtime:cpu (docker): 5.0 GiB in 61 s; "
        "1.0 GiB of it shared with the other variant"
    )


def test_settings_of_the_host_that_hold_in_a_build() -> None:
    environ = {
        "UV_INDEX_MINE_PASSWORD": "it's",
        "UV_DEFAULT_INDEX": "https://example.org/simple",
        "https_proxy": "http://proxy.example.org:3128",
        "UV_CACHE_DIR": "/somewhere",
        "PIP_CERT": "/ca.pem",
        "PIP_FIND_LINKS": "/wheels",
        "HOME": "/home/me",
    }
    text = build_secrets.exports(environ)
    names = [line.split("=")[0] for line in text.splitlines()]
    assert names == [
        "export UV_DEFAULT_INDEX",
        "export UV_INDEX_MINE_PASSWORD",
        "export https_proxy",
    ]
    script = text + 'printf %s "$UV_INDEX_MINE_PASSWORD"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "it's"


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_no_value_can_become_a_command(value: str) -> None:
    text = build_secrets.exports({"UV_INDEX_URL": value})
    script = text + 'printf %s "$UV_INDEX_URL"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout == value.encode()


def test_secrets_are_files_that_only_this_user_reads_and_that_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("x")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://me:secret@example.org/simple")
    with build_secrets.secrets(bundle) as found:
        by_id = {secret.id: secret.path for secret in found}
        assert by_id["ca"] == bundle
        assert "secret" in by_id["env"].read_text()
        if os.name == "posix":
            assert stat.S_IMODE(by_id["env"].stat().st_mode) == 0o600
    assert not by_id["env"].exists()
    assert bundle.exists()


def test_the_bundle_is_the_one_asked_for_or_the_environments(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch()
    other.touch()
    assert build_secrets.find_bundle(one, {"SSL_CERT_FILE": str(other)}) == one.resolve()
    assert build_secrets.find_bundle(None, {"SSL_CERT_FILE": str(other)}) == other.resolve()
    assert build_secrets.find_bundle(None, {"SSL_CERT_FILE": str(tmp_path / "gone")}) is None
    assert build_secrets.find_bundle(None, {}) is None
    with pytest.raises(UsageError, match="is not a file"):
        build_secrets.find_bundle(tmp_path / "gone", {})


SOURCES = """\
https://mirror.example.org/debian/ bookworm main
https://mirror.example.org/debian/ bookworm main
https://mirror.example.org/debian/ bookworm-updates main
https://me:secret@example.org/debian-security/ bookworm-security main
https://mirror.example.org/debian/ bookworm contrib
https://example.org/cloud/ cloud-bookworm main
"""


def test_the_base_gets_its_packages_where_the_host_does() -> None:
    found = debian_base.parse_sources(SOURCES)
    assert found == [
        Source(uri="https://mirror.example.org/debian/", suite="bookworm"),
        Source(uri="https://mirror.example.org/debian/", suite="bookworm-updates"),
    ]
    assert debian_base.mirror_of(found) == "https://mirror.example.org/debian/"
    root = Path("/r")
    assert debian_base.bootstrap_argv(root, debian_base.mirror_of(found)) == [
        *("debootstrap", "--variant=minbase", "bookworm", "/r", debian_base.mirror_of(found)),
    ]
    assert debian_base.bootstrap_argv(root, "")[-1] == "/r"


def test_the_base_is_tidied(tmp_path: Path) -> None:
    kept, gone = tmp_path / "usr/share/zoneinfo/UTC", tmp_path / "usr/share/doc/x/copyright"
    for path in (kept, gone, tmp_path / "etc/hostname"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("this machine")
    debian_base.forget_host(tmp_path)
    (tmp_path / "etc/apt").mkdir()
    script = debian_base.tidying(debian_base.sources_list(debian_base.parse_sources(SOURCES)))
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True)
    assert kept.exists()
    assert not gone.parent.exists()
    assert (tmp_path / "usr/share/doc").is_dir()
    assert (tmp_path / "etc/hostname").read_text() == ""
    assert (tmp_path / "etc/apt/sources.list").read_text().splitlines() == [
        "deb https://mirror.example.org/debian/ bookworm main",
        "deb https://mirror.example.org/debian/ bookworm-updates main",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are Linux's")
def test_what_a_killed_program_mounted_is_gone(tmp_path: Path) -> None:
    rights = [] if is_root() else ["unshare", "--user", "--map-root-user"]
    if subprocess.run(
        [*rights, "unshare", "--mount-proc", "--pid", "--fork", "true"],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("namespaces are forbidden here")
    code = (
        "import sys; from posebowl.images import debian_base; from posebowl.util import process\n"
        "words = [*debian_base.apart(), 'sh', '-ec', sys.argv[1]]\n"
        "process.run(words, cwd=sys.argv[2], capture=False)"
    )
    script = "mkdir m; mount -t tmpfs x m; touch m/file; sleep 60 & echo mounted; sleep 60"
    argv = [*rights, sys.executable, "-c", code, script, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"mounted\n"
        assert not list((tmp_path / "m").iterdir())
        child.kill()
        assert child.stdout.read() == b""  # the end, which comes when none of its processes is left
    (tmp_path / "m").rmdir()


def test_the_programs_of_root_are_found_where_a_users_path_lacks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    there = any(Path(folder, "debootstrap").exists() for folder in ("/usr/sbin", "/sbin"))
    assert (debian_base.missing(as_root=True) is None) == there
    if there:
        found = debian_base.missing(as_root=False)
        assert found is not None
        assert found.fix == "Type: sudo apt-get install fakeroot"


def test_the_tests_of_packages_tell_programs_how_they_ended(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_bytes((paths.RUNTIME / "tests" / "conftest.py").read_bytes())
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "@pytest.fixture\n"
        "def broken():\n    yield\n    raise ValueError\n"
        "def test_good(variant): assert variant == 'cpu'\n"
        "def test_bad(): assert not 1\n"
        "def test_left_out(): pytest.skip()\n"
        "def test_ends_badly(broken): pass\n"
    )
    result = tmp_path / "result.json"
    argv = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), str(tmp_path)]
    argv += ["--variant", "cpu", "--result", str(result)]
    assert subprocess.run(argv, capture_output=True, cwd=tmp_path, check=False).returncode == 1
    found = json.loads(result.read_text())
    assert found["packages"]["pytest"] == pytest.__version__
    assert {name.partition("::")[2]: ended for name, ended in found["tests"].items()} == {
        "test_good": "passed",
        "test_bad": "failed",
        "test_left_out": "skipped",
        "test_ends_badly": "failed",
    }


@pytest.mark.parametrize("version", ["1 0", "1/0", "1.0+cpu", "v" * 101])
def test_a_version_that_no_tag_can_have_is_refused(version: str) -> None:
    client = cast("Client", None)  # nothing is asked of an engine
    with pytest.raises(UsageError, match="cannot be part of an image's tag"):
        registry.push(client, Variant.CPU, "localhost:5000", version=version)


def test_a_registry_is_required() -> None:
    assert registry.required("localhost:5000") == "localhost:5000"
    with pytest.raises(UsageError, match="No registry") as caught:
        registry.required(None)
    assert "POSEBOWL_REGISTRY" in caught.value.fix


@pytest.mark.parametrize(
    ("engine", "place", "plain"),
    [
        (EngineName.PODMAN, "127.0.0.1:5000", True),
        (EngineName.PODMAN, "localhost:5000/team", True),
        (EngineName.PODMAN, "registry.example.org", False),
        (EngineName.PODMAN, "localhost.example.org", False),
        (EngineName.DOCKER, "127.0.0.1:5000", False),
    ],
)
def test_only_this_machines_registry_may_speak_plain_http(
    engine: EngineName, place: str, plain: bool
) -> None:
    remote = registry.remote_name(place, Variant.CPU, "a" * 64)
    assert remote == f"{place}/posebowl-runtime:cpu-{'a' * 16}"
    words = registry.transfer_argv("push", engine, remote)
    assert words == ["push", *(["--tls-verify=false"] if plain else []), remote]


@pytest.mark.parametrize(
    ("known", "digest"),
    [
        ([{"Id": "sha256:1d", "RepoDigests": ["debian@sha256:d1", "x@sha256:d2"]}], "sha256:d1"),
        ([{"Id": "sha256:1d", "RepoDigests": []}], "sha256:1d"),
        ([], "unknown"),
    ],
)
def test_an_image_says_which_base_it_has(known: object, digest: str, tmp_path: Path) -> None:
    engine = tmp_path / "docker"
    engine.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(known)}\nEND\n")
    engine.chmod(0o755)
    client = Client(
        engine=EngineName.DOCKER,
        argv=(str(engine),),
        client_version="1",
        engine_version="1",
        rootless=False,
        cgroup_version=2,
        cpus=1,
    )
    assert builder.base_labels(client, "debian:bookworm-slim") == {
        "org.opencontainers.image.base.name": "debian:bookworm-slim",
        "org.opencontainers.image.base.digest": digest,
    }
