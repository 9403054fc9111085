"""Which client works, and what it says when it does not."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from posebowl.challenge import EngineName, Limit
from posebowl.engines.oci import client as oci_client, runtimes
from posebowl.engines.oci.client import Client
from posebowl.errors import EngineError

Programs = Callable[..., None]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "CONTAINER_CONNECTION"):
        monkeypatch.delenv(variable, raising=False)
    oci_client.connect.cache_clear()
    yield
    oci_client.connect.cache_clear()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Put small programs on a PATH that holds nothing else but the shell's."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name: str, script: str, folder: str = "") -> None:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / name).write_text(f"#!/bin/sh\n{script}\n")
        (place / name).chmod(0o755)

    return put


DOCKER_INFO = {
    "Driver": "overlay2",
    "NCPU": 8,
    "CgroupVersion": "2",
    "SecurityOptions": ["name=seccomp", "name=cgroupns"],
}
PODMAN_INFO = {
    "host": {
        "cgroupVersion": "v2",
        "cpus": 4,
        "security": {"rootless": True},
        "ociRuntime": {"name": "crun"},
    },
    "store": {"graphRoot": "/images", "graphDriverName": "vfs"},
    "version": {"Version": "5.1"},
}


def _docker(info: dict[str, object], client: str = "28.2.2") -> str:
    versions = {"Client": {"Version": client}, "Server": {"Version": "27.0"}}
    return (
        'case "$1" in\n'
        f"info) echo '{json.dumps(info)}' ;;\n"
        f"version) case \"$3\" in *json*) echo '{json.dumps(versions)}' ;;\n"
        f"*) echo {client} ;; esac ;;\n"
        "*) exit 1 ;;\nesac"
    )


def test_docker(programs: Programs) -> None:
    programs("docker", _docker(DOCKER_INFO))
    client = oci_client.connect(EngineName.DOCKER)
    assert (client.client_version, client.engine_version) == ("28.2.2", "27.0")
    assert (client.rootless, client.cgroup_version, client.cpus) == (False, 2, 8)
    assert client.driver == "overlay2"
    assert not client.mapped_to_me


@pytest.mark.parametrize(
    ("here", "cpuset", "pins"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_cores_are_those_of_this_machine_only_under_its_kernel(
    programs: Programs, here: bool, cpuset: bool, pins: bool
) -> None:
    kernel = platform.release() if here else "6.6.0-linuxkit"
    host = {
        **dict(PODMAN_INFO["host"]), "kernel": kernel,
        "cgroupControllers": ["cpu", "memory", "pids", *(["cpuset"] if cpuset else [])],
    }  # fmt: skip
    programs("docker", _docker({**DOCKER_INFO, "KernelVersion": kernel, "CPUSet": cpuset}))
    programs("podman", f"echo '{json.dumps({**PODMAN_INFO, 'host': host})}'")
    for engine in (EngineName.DOCKER, EngineName.PODMAN):
        assert oci_client.connect(engine).pins is pins


@pytest.mark.parametrize("engine", [EngineName.DOCKER, EngineName.PODMAN])
def test_an_engine_that_hangs_does_not_answer(engine: EngineName, programs: Programs) -> None:
    programs(engine, "kill -STOP $$")
    with pytest.raises(EngineError, match="does not answer") as caught:
        oci_client.connect(engine, timeout_s=0.1)
    assert caught.value.fix == f"Type: {engine} info"


def test_docker_without_root(programs: Programs) -> None:
    options = ["name=seccomp,profile=builtin", "name=rootless"]
    programs("docker", _docker({**DOCKER_INFO, "SecurityOptions": options}))
    assert oci_client.connect(EngineName.DOCKER).mapped_to_me


@pytest.mark.parametrize(
    ("script", "what", "fix"),
    [
        (
            "echo 'Cannot connect to the Docker daemon at unix:///x. Is it running?' >&2; exit 1",
            "daemon does not answer",
            "docker",
        ),
        (
            "echo 'permission denied while trying to connect to the socket' >&2; exit 1",
            "refuses this user",
            "usermod -aG docker",
        ),
        ("echo 'something new' >&2; exit 1", "does not work here", "docker version"),
        ('echo \'{"Client": {}, "Server": null}\'', "does not work here", "docker version"),
    ],
)
def test_what_docker_lacks(programs: Programs, script: str, what: str, fix: str) -> None:
    programs("docker", script)
    with pytest.raises(EngineError) as caught:
        oci_client.connect(EngineName.DOCKER)
    assert what in caught.value.what
    assert fix in caught.value.fix
    assert what in (oci_client.problem(EngineName.DOCKER) or "")


@pytest.mark.parametrize(
    ("engine", "variable", "said"),
    [
        (EngineName.DOCKER, "DOCKER_HOST", "Cannot connect to the Docker daemon at tcp://far:1."),
        (EngineName.DOCKER, "DOCKER_HOST", "error during connect: lookup far: no such host"),
        (EngineName.DOCKER, "DOCKER_HOST", "ssh: Permission denied (publickey)."),
        (EngineName.DOCKER, "DOCKER_CONTEXT", "Failed to initialize: context not found"),
        (EngineName.PODMAN, "CONTAINER_HOST", "Cannot connect to Podman socket"),
    ],
)
def test_a_variable_that_leads_to_no_daemon_is_named(
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
    engine: EngineName,
    variable: str,
    said: str,
) -> None:
    monkeypatch.setenv(variable, "tcp://far:1")
    programs(engine, f"echo '{said}' >&2; exit 1")
    with pytest.raises(EngineError) as caught:
        oci_client.connect(engine)
    assert "does not answer at tcp://far:1" in caught.value.what
    assert variable in caught.value.why
    assert said in caught.value.why
    assert caught.value.fix.startswith(f"Type: unset {variable};")


DOCKER_ELSEWHERE = (
    'Error response from daemon: invalid mount config for type "bind": '
    "bind source path does not exist: /x/y"
)


@pytest.mark.parametrize(
    "said", [DOCKER_ELSEWHERE, "Error: statfs /x/y: no such file or directory"]
)
def test_a_daemon_on_another_machine_is_found_out_before_a_run(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://far:1")
    tail = f"*) echo {said!r} >&2; exit 1"
    programs("docker", _docker(DOCKER_INFO).replace("*) exit 1", tail))
    client = oci_client.connect(EngineName.DOCKER)
    with pytest.raises(EngineError, match="does not see the files of this machine") as caught:
        client.check_shares_files(tmp_path, "image")
    assert "DOCKER_HOST" in caught.value.why
    assert "tcp://far:1" in caught.value.why
    assert "unset DOCKER_HOST" in caught.value.fix


def test_a_daemon_that_shares_the_files_is_left_as_it_was(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    calls = tmp_path / "calls"
    tail = f'*) echo "$@" >> {calls}; [ "$1" = create ] && echo made; true'
    programs("docker", _docker(DOCKER_INFO).replace("*) exit 1", tail))
    oci_client.connect(EngineName.DOCKER).check_shares_files(tmp_path, "image")
    create, remove = calls.read_text().splitlines()
    assert str(tmp_path) in create
    assert remove == "rm --force made"


def test_this_machine_s_own_daemon_is_not_asked(programs: Programs, tmp_path: Path) -> None:
    programs("docker", _docker(DOCKER_INFO))
    oci_client.connect(EngineName.DOCKER).check_shares_files(tmp_path, "image")


def test_other_failures_do_not_mean_another_machine(tmp_path: Path) -> None:
    assert _client(tmp_path).elsewhere("Error: no space left on device") is None
    assert _client(tmp_path).elsewhere("") is None
    error = _client(tmp_path).elsewhere("Mounts denied: The path /x is not shared from the host")
    assert "File sharing" in (error.fix if error else "")


@pytest.mark.parametrize(
    ("changes", "limits"),
    [
        ({}, set()),
        ({"MemoryLimit": True, "CpuCfsQuota": True, "PidsLimit": True}, set()),
        ({"MemoryLimit": False}, {Limit.MEMORY}),
        ({"CpuCfsQuota": False, "PidsLimit": False}, {Limit.CPUS, Limit.PROCESSES}),
        ({"SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin"]}, set()),
        ({"SecurityOptions": ["name=apparmor"]}, {Limit.SYSTEM_CALLS}),
        ({"SecurityOptions": []}, {Limit.SYSTEM_CALLS}),
        ({"SecurityOptions": None}, set()),
    ],
)
def test_what_docker_cannot_limit(
    programs: Programs, changes: dict[str, object], limits: set[Limit]
) -> None:
    programs("docker", _docker({**DOCKER_INFO, **changes}))
    assert set(oci_client.connect(EngineName.DOCKER).cannot_limit) == limits


@pytest.mark.parametrize(
    ("version", "controllers", "limits"),
    [
        ("v1", [], {Limit.MEMORY, Limit.CPUS, Limit.PROCESSES}),
        ("v2", ["memory", "pids"], {Limit.CPUS}),
        ("v2", ["cpuset", "cpu", "io", "memory", "pids"], set()),
        ("v2", None, set()),
    ],
)
def test_what_podman_cannot_limit(
    programs: Programs, version: str, controllers: list[str] | None, limits: set[Limit]
) -> None:
    host = {**PODMAN_INFO["host"], "cgroupVersion": version}  # type: ignore[dict-item]
    host |= {} if controllers is None else {"cgroupControllers": controllers}
    programs("podman", f"echo '{json.dumps({**PODMAN_INFO, 'host': host})}'")
    programs("runc", "")
    assert set(oci_client.connect(EngineName.PODMAN).cannot_limit) == limits


@pytest.mark.parametrize("enabled", [True, False])
def test_podman_without_a_filter(programs: Programs, enabled: bool) -> None:
    host = {**PODMAN_INFO["host"], "security": {"seccompEnabled": enabled}}  # type: ignore[dict-item]
    programs("podman", f"echo '{json.dumps({**PODMAN_INFO, 'host': host})}'")
    programs("crun", "")
    cannot = oci_client.connect(EngineName.PODMAN).cannot_limit
    assert (Limit.SYSTEM_CALLS in cannot) == (not enabled)


@pytest.mark.parametrize("engine", [EngineName.DOCKER, EngineName.PODMAN])
def test_not_installed(programs: Programs, engine: EngineName) -> None:
    programs("other", "")
    assert "is not installed" in (oci_client.problem(engine) or "")


def test_podman(programs: Programs) -> None:
    programs("podman", f"echo '{json.dumps(PODMAN_INFO)}'")
    programs("crun", "")
    client = oci_client.connect(EngineName.PODMAN)
    assert client.argv[1:] == ("--runtime", "crun")
    assert (client.rootless, client.cgroup_version, client.cpus) == (True, 2, 4)
    assert (client.storage, client.driver) == ("/images", "vfs")
    assert not client.mapped_to_me
    assert oci_client.builder(client) == (client.argv, {})


def test_podman_takes_runc_where_crun_fails(programs: Programs) -> None:
    host = {**PODMAN_INFO["host"], "cgroupVersion": "v1"}  # type: ignore[dict-item]
    programs("podman", f"echo '{json.dumps({**PODMAN_INFO, 'host': host})}'")
    programs("crun", "")
    programs("runc", "")
    assert oci_client.connect(EngineName.PODMAN).runtime == "runc"


def test_podman_without_any_runtime(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs("podman", f"echo '{json.dumps(PODMAN_INFO)}'")
    monkeypatch.setattr(runtimes, "_PLACES", str(tmp_path))
    with pytest.raises(EngineError) as caught:
        oci_client.connect(EngineName.PODMAN)
    assert "apt-get install runc" in caught.value.fix


def _client(tmp_path: Path) -> Client:
    return Client(
        engine=EngineName.DOCKER,
        argv=(str(tmp_path / "docker"),),
        client_version="28.2.2",
        engine_version="28.2.2",
        rootless=False,
        cgroup_version=2,
        cpus=2,
    )


def test_an_old_client_further_down_the_path_can_build(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("docker", _docker(DOCKER_INFO))
    programs("docker", _docker(DOCKER_INFO, client="20.10.24+dfsg1"), "old")
    monkeypatch.setenv("PATH", f"{tmp_path}:{tmp_path / 'old'}")
    argv, variables = oci_client.builder(_client(tmp_path))
    assert argv == (str(tmp_path / "old" / "docker"),)
    assert variables == {"DOCKER_BUILDKIT": "1"}


def test_buildx_is_preferred(programs: Programs, tmp_path: Path) -> None:
    programs("docker", "[ $1 = buildx ]")
    assert oci_client.builder(_client(tmp_path)) == ((str(tmp_path / "docker"), "buildx"), {})


def test_no_client_can_build(programs: Programs, tmp_path: Path) -> None:
    programs("docker", _docker(DOCKER_INFO))
    with pytest.raises(EngineError) as caught:
        oci_client.builder(_client(tmp_path))
    assert "buildx" in caught.value.fix


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('echo \'[{"Id": "x"}]\'', {"Id": "x"}),
        ("echo 'Error: No such container: x' >&2; exit 1", None),
        ("echo 'Error: x: image not known' >&2; exit 125", None),
    ],
)
def test_inspect(
    programs: Programs, tmp_path: Path, script: str, found: dict[str, str] | None
) -> None:
    programs("docker", script)
    assert _client(tmp_path).inspect("image", "x") == found


def test_inspect_says_when_the_daemon_died(programs: Programs, tmp_path: Path) -> None:
    programs("docker", "echo 'Cannot connect' >&2; exit 1")
    with pytest.raises(EngineError, match="cannot inspect"):
        _client(tmp_path).inspect("image", "x")
