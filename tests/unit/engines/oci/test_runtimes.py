"""The runtime that a user asks for: passed on, refused where it is not, and read back."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl.challenge import EngineName, Limit, Limits
from posebowl.engines.base import RunSpec
from posebowl.engines.cgroups import reader
from posebowl.engines.monitoring.cgroup_probe import CgroupProbe
from posebowl.engines.monitoring.process_tree import ProcessTree
from posebowl.engines.oci import argv, readback, runtimes
from posebowl.engines.oci.argv import ContainerSpec, User
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.engine import container_spec
from posebowl.engines.oci.readback import ContainerReader, Readback
from posebowl.engines.oci.sandbox import checked
from posebowl.errors import EngineError
from tests.unit.engines.oci.test_readback import FILTER, NET, STATUS, V2

DOCKER = Client(
    engine=EngineName.DOCKER,
    argv=("docker",),
    client_version="28",
    engine_version="28",
    rootless=False,
    cgroup_version=2,
    cpus=3,
    runtimes=("runc", "runsc"),
)


def podman(folder: Path, script: str) -> Client:
    """Make a podman that runs a shell script."""
    program = folder / "podman"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    words = (str(program), "--runtime", "crun")
    return dataclasses.replace(DOCKER, engine=EngineName.PODMAN, argv=words, runtime="crun")


def test_without_a_wish_nothing_changes(tmp_path: Path) -> None:
    for client in (DOCKER, podman(tmp_path, "exit 1")):
        assert runtimes.chosen(client, "") is client


@pytest.mark.parametrize("name", ["runsc", "runc", "io.containerd.kata.v2"])
def test_docker_takes_what_its_daemon_knows_or_finds(name: str) -> None:
    assert runtimes.chosen(DOCKER, name).runtime == name


def test_docker_refuses_what_its_daemon_does_not_know() -> None:
    with pytest.raises(EngineError) as caught:
        runtimes.chosen(DOCKER, "kata")
    assert caught.value.why == "Its daemon knows: runc, runsc."
    assert "daemon.json" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("crun", ()),
        ("runsc", ("--runtime-flag", "network=none")),
        ("/opt/gvisor/runsc", ("--runtime-flag", "network=none")),
    ],
)
def test_podman_is_asked_with_the_runtime(
    name: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    client = podman(tmp_path, f'[ "$2" = {name} ]')
    chosen = runtimes.chosen(client, name)
    assert chosen.argv[1:] == ("--runtime", name, *flags)
    assert chosen.runtime == name


def test_podman_says_why_it_cannot(tmp_path: Path) -> None:
    client = podman(tmp_path, 'echo "first\nError: runtime $2 not found" >&2; exit 125')
    with pytest.raises(EngineError) as caught:
        runtimes.chosen(client, "kata")
    assert caught.value.why == "Error: runtime kata not found"
    assert "--runtime" in caught.value.fix


def test_a_remote_podman_chooses_itself(tmp_path: Path) -> None:
    client = podman(tmp_path, "exit 0")
    remote = dataclasses.replace(client, argv=client.argv[:1])
    with pytest.raises(EngineError, match="cannot be asked for the runtime runsc"):
        runtimes.chosen(remote, "runsc")


def spec(folder: Path, runtime: str = "runsc") -> RunSpec:
    return RunSpec(
        run_id="r",
        archive=folder / "z",
        images=folder / "i",
        submission_format=folder / "f",
        output=folder / "o",
        scratch=folder / "s",
        log=folder / "l",
        variant=argv.Variant.CPU,
        limits=Limits(processes=100),
        cache=folder / "c",
        runtime=runtime,
    )


@pytest.mark.parametrize(
    ("engine", "words"), [(EngineName.DOCKER, ["--runtime", "runsc"]), (EngineName.PODMAN, [])]
)
def test_only_docker_is_told_with_the_container(
    engine: EngineName, words: list[str], tmp_path: Path
) -> None:
    client = dataclasses.replace(DOCKER, engine=engine)
    made = container_spec(client, spec(tmp_path), user=User(), image="x", gpu=False)
    told = argv.start(engine, made)
    place = told.index("--network")
    assert told[place - len(words) : place] == words
    assert ("--runtime" in told) == bool(words)


@pytest.mark.parametrize(
    ("inspected", "name"),
    [
        ({"HostConfig": {"Runtime": "runc"}}, "runc"),  # docker
        ({"HostConfig": {"Runtime": "oci"}, "OCIRuntime": "runsc"}, "runsc"),  # podman
        ({}, ""),
    ],
)
def test_what_started_it_is_read_back(inspected: dict[str, object], name: str) -> None:
    assert readback.runtime(inspected) == name


def seen(runtime: str, **changes: str) -> Readback:
    host = {"NetworkMode": "none", "SecurityOpt": [f"seccomp={FILTER}"], "Runtime": runtime}
    texts = {"status": STATUS, "net": NET, **changes}
    return Readback(inspected={"HostConfig": host}, files=V2, **texts)


def test_another_runtime_than_asked_for_is_an_error(tmp_path: Path) -> None:
    asked = ContainerSpec(name="n", image="i", cpus=3, seccomp=FILTER)
    assert checked(seen("runsc"), spec(tmp_path), asked, EngineName.DOCKER) == {}
    assert checked(seen("runc"), spec(tmp_path, ""), asked, EngineName.DOCKER) == {}
    with pytest.raises(EngineError) as caught:
        checked(seen("runc"), spec(tmp_path), asked, EngineName.DOCKER)
    assert caught.value.what == "docker did not use the runtime runsc."
    assert "reports runc" in caught.value.why


GVISOR = "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nSeccomp:\t0\n"
"""What gVisor says of a process inside."""


def test_a_kernel_of_its_own_is_held_by_what_holds_its_process() -> None:
    limits = Limits(processes=100)
    guarded = seen("runsc", status=GVISOR, guard="CapEff:\t0000000000240000\n" + STATUS)
    assert readback.missing_isolation(guarded) == ""
    assert readback.weak(guarded, limits, cpus=3, seccomp=FILTER) == {}
    open_ = seen("runsc", status=GVISOR, guard=STATUS.replace("Seccomp:\t2", "Seccomp:\t0"))
    assert readback.weak(open_, limits, cpus=3, seccomp=FILTER).keys() == {Limit.SYSTEM_CALLS}
    assert readback.missing_isolation(seen("runc", status=GVISOR)) == "It may gain new privileges."


@pytest.mark.parametrize(
    ("command", "local", "pid"),
    [
        ("sh\0entrypoint.sh\0nonce\0", True, 77),
        ("runsc-sandbox\0boot\0container-id\0", True, 0),
        ("another\0program\0", False, 0),
        ("", False, 0),
    ],
)
def test_whose_process_it_is(
    command: str, local: bool, pid: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "cmdline").write_text(command)
    (tmp_path / "77" / "cgroup").write_text("0::/somewhere\n")
    monkeypatch.setattr(readback.reader, "PROC", tmp_path)
    monkeypatch.setattr(readback.reader, "of_process", lambda _: object())
    found = ContainerReader(DOCKER, "n", 77, names=("nonce", "container-id"))
    assert (found.local, found.pid) == (local, pid)


@pytest.mark.parametrize(("swap", "probe"), [("0", CgroupProbe), ("max", ProcessTree)])
def test_processes_are_summed_up_where_a_container_may_swap(
    swap: str, probe: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits()
    (tmp_path / "memory.max").write_text(str(limits.memory_bytes))
    (tmp_path / "memory.swap.max").write_text(swap)
    group = reader.Cgroup(version=2, folders={"": tmp_path})
    other = reader.Cgroup(version=2, folders={"": tmp_path / "mine"})
    monkeypatch.setattr(reader, "of_process", lambda pid: other if pid == os.getpid() else group)
    command = [sys.executable, "-c", "print(flush=True); input()", "nonce"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()  # before that, /proc may not have its command yet
        found = ContainerReader(DOCKER, "n", child.pid, names=("nonce", "container-id"))
        assert type(found.probe(limits)) is probe
        child.kill()
