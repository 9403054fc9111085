"""The engines as the doctor sees them; none is started."""

from __future__ import annotations

import dataclasses
import platform
from pathlib import Path

import pytest

from posebowl import environments
from posebowl.challenge import EngineName, Limit, Variant
from posebowl.doctor import engines
from posebowl.doctor.findings import State
from posebowl.engines.cgroups import manager
from posebowl.engines.cgroups.manager import OwnCgroup
from posebowl.engines.embedded import namespaces
from posebowl.engines.oci import client, image as identity
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.image import Image
from posebowl.errors import EngineError
from posebowl.images import debian_base

PODMAN = Client(
    engine=EngineName.PODMAN,
    argv=("podman",),
    client_version="5.1",
    engine_version="5.1",
    rootless=True,
    cgroup_version=2,
    cpus=4,
    runtime="crun",
)


def test_an_engine_in_one_line() -> None:
    finding = engines.engine(PODMAN)
    assert finding.state is State.GOOD
    assert finding.text == "5.1, rootless, cgroup v2, crun"


def test_rootless_on_version_1_ignores_limits() -> None:
    finding = engines.engine(dataclasses.replace(PODMAN, cgroup_version=1))
    assert finding.state is State.WARNING
    assert "--waive" in finding.fix


@pytest.mark.parametrize(
    ("name", "rootless", "fix"),
    [
        (
            "podman",
            True,
            'it driver = "overlay" to ~/.config/containers/storage.conf, type',
        ),
        ("podman", False, '" and graphroot = "/images" to /etc/containers/storage.conf, type'),
        ("docker", False, "daemon.json"),
    ],
)
def test_storage_that_copies_the_image_for_each_run_is_a_warning(
    name: str, rootless: bool, fix: str
) -> None:
    copies = dataclasses.replace(
        PODMAN, engine=EngineName(name), driver="vfs", rootless=rootless, storage="/images"
    )
    finding = engines.engine(copies)
    assert finding.state is State.WARNING
    assert "each run copies its whole image" in finding.text
    assert fix in finding.fix
    stacks = dataclasses.replace(copies, driver="overlay")
    assert engines.engine(stacks).state is State.GOOD


def test_swap_that_is_not_counted_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.reader, "has_uncounted_swap", lambda: True)
    finding = engines.engine(PODMAN)
    assert finding.state is State.WARNING
    assert "does not hold, since this kernel does not count swap" in finding.text
    assert "sudo swapoff -a" in finding.fix


def test_a_socket_of_one_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    docker = dataclasses.replace(PODMAN, engine=EngineName.DOCKER, client_version="6", runtime="")
    assert (
        engines.engine(docker).text
        == "5.1, client 6, rootless, cgroup v2, DOCKER_HOST=tcp://elsewhere:2375"
    )


def test_an_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_: EngineName) -> Client:
        raise EngineError("Podman is not installed.", fix="Install Podman.")

    monkeypatch.setattr(client, "connect", connect)
    (finding,) = engines.containers(EngineName.PODMAN)
    assert (finding.state, finding.fix) == (State.MISSING, "Install Podman.")


def test_images_fresh_stale_and_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image(name="x", id="a" * 64, bytes=1 << 30, layers=(), labels={})
    there: list[Image | None] = [image]
    answers: dict[Variant, Image | EngineError] = {
        Variant.CPU: EngineError("Not what this checkout builds.", why="Another lock.", fix="b"),
        Variant.GPU: image,
    }

    def current(_: Client, variant: Variant) -> Image:
        answer = answers[variant]
        if isinstance(answer, EngineError):
            raise answer
        return answer

    monkeypatch.setattr(client, "connect", lambda _: PODMAN)
    monkeypatch.setattr(identity, "current", current)
    monkeypatch.setattr(identity, "find", lambda *_: there[-1])
    names = {finding.name: finding for finding in engines.containers(EngineName.PODMAN)}
    assert list(names) == ["podman", "podman filter", "podman cpu image", "podman gpu image"]
    assert names["podman cpu image"].state is State.WARNING
    assert names["podman cpu image"].fix == "b"
    assert "Another lock." in names["podman cpu image"].text
    assert names["podman gpu image"].text == "fresh (1.0 GiB, aaaaaaaaaaaa)"
    answers[Variant.CPU] = EngineError("None.", fix="build")
    there.append(None)
    found = list(engines.containers(EngineName.PODMAN))
    assert found[2].state is State.MISSING


def test_the_embedded_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(namespaces, "problem", lambda: None)
    monkeypatch.setattr(manager, "create", lambda *_: None)
    monkeypatch.setattr(environments, "ready", lambda group, _: group == "lean")
    found = {finding.name: finding for finding in engines.embedded(tmp_path)}
    assert "watchdog" in found["embedded"].text
    assert found["environments"].text == "made from this lock: lean"
    (tmp_path / "environments" / "lean-py3.11-0123").mkdir(parents=True)
    environments.location("lean", tmp_path).mkdir()
    found = {finding.name: finding for finding in engines.embedded(tmp_path)}
    assert "; 1 of other locks in " in found["environments"].text
    monkeypatch.setattr(environments, "ready", lambda *_: False)
    assert {finding.state for finding in engines.embedded(tmp_path)} == {State.GOOD, State.MISSING}
    swaps = OwnCgroup(folders={}, without={Limit.MEMORY: "swap is not counted"})
    monkeypatch.setattr(manager, "create", lambda *_: swaps)
    (swapping, _) = engines.embedded(tmp_path)
    assert swapping.text.endswith("a watchdog memory: swap is not counted")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    weak, _ = engines.embedded(tmp_path)
    assert (weak.state, weak.fix) == (State.WARNING, "Type: invoke run --waive system-calls")
    assert weak.text.startswith("this tool does not know the system calls of riscv64")
    monkeypatch.setattr(namespaces, "problem", lambda: "Forbidden.")
    (finding,) = engines.embedded(tmp_path)
    assert (finding.state, finding.text) == (State.MISSING, "Forbidden.")


@pytest.mark.parametrize(
    ("image", "machine", "emulated"),
    [
        ("amd64", "amd64", False),
        ("amd64", "arm64", True),
        ("arm64", "amd64", True),
        ("", "arm64", False),
        ("amd64", "", False),
    ],
)
def test_an_image_of_another_architecture_is_emulated(
    image: str, machine: str, emulated: bool
) -> None:
    found = Image(name="a", id="1", bytes=0, layers=(), labels={}, architecture=image)
    warning = found.emulation(machine)
    assert bool(warning) == emulated
    assert ("times do not tell" in warning) == emulated


def test_a_base_image_needs_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(debian_base, "_path", lambda: str(tmp_path))
    (finding,) = engines.base()
    assert finding.state is State.MISSING
    assert "debootstrap" in finding.text
    for name in ("debootstrap", "fakeroot"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    (finding,) = engines.base()
    assert finding.state is State.GOOD
