"""Kernels and engines, compared with the holes that are known."""

from __future__ import annotations

import dataclasses
import re
import sys

import pytest

from posebowl.challenge import EngineName, Limit
from posebowl.doctor import holes
from posebowl.doctor.findings import State
from tests.unit.doctor.test_engines import PODMAN

DOCKER = dataclasses.replace(PODMAN, engine=EngineName.DOCKER, engine_version="28.2.2")
AF_ALG, PIPES = "CVE-2026-31431", "CVE-2022-0847"


@pytest.mark.parametrize(
    ("release", "known"),
    [
        ("4.13.16", []),
        ("4.14", [AF_ALG]),
        ("4.19.0-27-amd64", [AF_ALG]),
        ("5.4.0", [AF_ALG]),
        ("5.8.0", [AF_ALG, PIPES]),
        ("5.10.101", [AF_ALG, PIPES]),
        ("5.10.102-1-MANJARO", [AF_ALG]),
        ("5.15.25", [AF_ALG]),
        ("5.15.0-1-generic", [AF_ALG, PIPES]),
        ("5.16.10", [AF_ALG, PIPES]),
        ("5.16.11", [AF_ALG]),
        ("6.6.87.2-microsoft-standard-WSL2", [AF_ALG]),
        ("6.19.11", [AF_ALG]),
        ("6.19.12", []),
        ("7.0.0-rc1", []),
        ("10.1", []),
        ("unknown", []),
    ],
)
def test_kernels(release: str, known: list[str]) -> None:
    found = list(holes.kernel(release))
    assert re.findall(r"CVE-\d+-\d+", " ".join(item.text for item in found)) == known
    for item in found:
        assert release in item.text
        assert (item.state is State.WARNING) == (PIPES in item.text) == bool(item.fix)
    assert len(found) == max(1, len(known))


def test_this_kernel_is_named_where_there_is_one() -> None:
    assert bool([*holes.kernel()]) == (sys.platform == "linux")


@pytest.mark.parametrize(
    ("engine", "version", "named"),
    [
        (EngineName.DOCKER, "20.10.24+dfsg1", True),
        (EngineName.DOCKER, "29.4.1", True),
        (EngineName.DOCKER, "29.4.2", False),
        (EngineName.DOCKER, "30.0", False),
        (EngineName.PODMAN, "5.6.0", True),
    ],
)
def test_engines(engine: EngineName, version: str, named: bool) -> None:
    client = dataclasses.replace(PODMAN, engine=engine, engine_version=version)
    found = holes.filters(client)
    assert found.state is State.GOOD
    assert (AF_ALG in found.text) == named
    assert "own filter" in found.text


def test_an_engine_without_filters_is_a_warning() -> None:
    client = dataclasses.replace(DOCKER, cannot_limit={Limit.SYSTEM_CALLS: "the kernel cannot"})
    found = holes.filters(client)
    assert (found.state, found.text) == (State.WARNING, "none: the kernel cannot")
    assert "--engine embedded" in found.fix
