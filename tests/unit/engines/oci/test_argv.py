"""Argument lists for docker and podman."""

from __future__ import annotations

import csv
import io
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, strategies as st

from posebowl.challenge import EngineName, Limits, Variant
from posebowl.engines.oci import argv
from posebowl.engines.oci.argv import ContainerSpec, Mount, User

BOTH = (EngineName.DOCKER, EngineName.PODMAN)
SPEC = ContainerSpec(
    name="posebowl-1",
    image="abc",
    command=("nonce",),
    labels={"b": "2", "a": "1"},
    mounts=(Mount(source=Path("/data/images"), target=PurePosixPath("/code/images")),),
    limits=Limits(memory_bytes=4 << 30, processes=77, output_bytes=1 << 30),
    cpus=3,
    rlimits={"nproc": 9, "nofile": 8},
)

COMMON = [
    *("--name", "posebowl-1", "--pull", "never", "--hostname", "posebowl", "--interactive"),
    *("--label", "a=1", "--label", "b=2"),
    *("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--user", "1000:1000"),
]
LIMITS = [
    *("--memory", "4294967296", "--memory-swap", "4294967296", "--shm-size", "2147483648"),
    *("--cpus", "3", "--pids-limit", "77", "--ulimit", "core=0", "--ulimit", "fsize=1140850688"),
]
END = [
    *("--mount", "type=bind,source=/data/images,target=/code/images,readonly"),
    *("abc", "nonce"),
]
OF_PODMAN = ["--http-proxy=false", "--systemd=false"]
GRANTED = ["--ulimit", "nofile=8:8", "--ulimit", "nproc=9:9"]


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (EngineName.DOCKER, [*COMMON, *LIMITS, *END]),
        (EngineName.PODMAN, [*COMMON, *OF_PODMAN, *LIMITS, *GRANTED, *END]),
    ],
)
def test_start_and_run(engine: EngineName, expected: list[str]) -> None:
    assert argv.start(engine, SPEC) == ["run", "--log-driver", "none", *expected]
    assert argv.run(engine, SPEC) == ["run", "--rm", *expected]


@pytest.mark.parametrize("engine", BOTH)
def test_a_container_is_held_to_cores_only_if_some_are_named(engine: EngineName) -> None:
    assert "--cpuset-cpus 0,2,10 " in _with(engine, cores=frozenset({10, 0, 2}))
    assert "cpuset" not in _with(engine)


@pytest.mark.parametrize("engine", BOTH)
def test_variables_of_a_run(engine: EngineName) -> None:
    line = _with(engine, variables={"B": "2 3", "A": "1"})
    assert "--env A=1 --env B=2 3 " in line


def _with(engine: EngineName, **changes: object) -> str:
    spec = ContainerSpec(**{**vars(SPEC), **changes})  # type: ignore[arg-type]
    return " ".join(argv.start(engine, spec))


@pytest.mark.parametrize(
    ("changes", "docker", "podman"),
    [
        ({"gpu": True}, "--gpus all", "--device nvidia.com/gpu=all"),
        ({"selinux": True}, "--security-opt label=disable", "--security-opt label=disable"),
        (
            {"seccomp": Path("/a b/seccomp.json")},
            "no-new-privileges --security-opt seccomp=/a b/seccomp.json --user",
            "no-new-privileges --security-opt seccomp=/a b/seccomp.json --user",
        ),
        ({"tty": True}, "--interactive --tty", "--interactive --tty"),
        ({"user": User(host_ids=True)}, "--userns host", "--userns host"),
        ({"entrypoint": "sh"}, "--entrypoint sh abc nonce", "--entrypoint sh abc nonce"),
        (
            {"user": User(uid=501, gid=20)},
            "--user 501:20 --group-add 1000 --env USER=runner --env LOGNAME=runner",
            "--user 501:20 --group-add 1000 --env USER=runner --env LOGNAME=runner",
        ),
        (
            {"user": User(keep_id=True)},
            "--userns keep-id:uid=1000,gid=1000",
            "--user 1000:1000 --userns keep-id:uid=1000,gid=1000",
        ),
    ],
)
def test_options_that_only_some_runs_have(
    changes: dict[str, object], docker: str, podman: str
) -> None:
    for engine, words in zip(BOTH, (docker, podman), strict=True):
        assert words in _with(engine, **changes)
        assert words not in _with(engine)


@pytest.mark.parametrize("engine", BOTH)
def test_nothing_that_would_open_the_container(engine: EngineName) -> None:
    words = argv.start(engine, SPEC)
    assert not {"--privileged", "--cap-add", "--pid", "--ipc", "--volume", "-v"} & set(words)
    assert not any("docker.sock" in word for word in words)


def test_a_run_mounts_one_writable_folder_and_no_labels() -> None:
    mounts = argv.run_mounts(
        archive=Path("/s.zip"), images=Path("/i"), submission_format=Path("/f"), output=Path("/o")
    )
    assert [str(m.target) for m in mounts if m.writable] == ["/code_execution/submission"]
    assert {str(m.source) for m in mounts} == {"/s.zip", "/i", "/f", "/o"}


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1))
def test_any_path_can_be_mounted(name: str) -> None:
    source = Path("/data") / name
    text = Mount(source=source, target=PurePosixPath("/x")).text()
    (fields,) = csv.reader(io.StringIO(text, newline=""))
    assert f"source={source}" in fields
    assert fields[-1] == "readonly"


def test_the_small_commands() -> None:
    assert argv.kill("x", "TERM") == ["kill", "--signal", "TERM", "x"]
    assert argv.listing()[-1] == "label=posebowl.run"
    assert argv.image_name(Variant.GPU) == "posebowl-runtime:gpu"


def test_podman_is_told_not_to_wait_before_it_kills() -> None:
    assert argv.remove(EngineName.DOCKER, "x") == ["rm", "--force", "--volumes", "x"]
    assert argv.remove(EngineName.PODMAN, "x")[3:] == ["--time", "0", "x"]
