"""Who a container runs as, what it is made of, and what is refused before it is made."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from posebowl.challenge import LIMITS, EngineName, Limit, Limits, Variant
from posebowl.engines.base import RunSpec
from posebowl.engines.oci import engine as oci, host_user
from posebowl.engines.oci.argv import User
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.engine import OciEngine
from posebowl.errors import EngineError

linux = pytest.mark.skipif(sys.platform != "linux", reason="users are mapped elsewhere")

CLIENT = Client(
    engine=EngineName.DOCKER,
    argv=("docker",),
    client_version="28",
    engine_version="28",
    rootless=False,
    cgroup_version=2,
    cpus=2,
)


def _spec(tmp_path: Path, limits: Limits = LIMITS[Variant.CPU]) -> RunSpec:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("submission.zip", "format.csv", "images/a.png"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o644)
    images.chmod(0o755)
    return RunSpec(
        run_id="20260101-000000-abc",
        archive=tmp_path / "submission.zip",
        images=images,
        submission_format=tmp_path / "format.csv",
        output=tmp_path / "output",
        scratch=tmp_path / "scratch",
        log=tmp_path / "log.txt",
        variant=Variant.CPU,
        limits=limits,
        cache=tmp_path / "cache",
    )


@linux
@pytest.mark.parametrize(
    ("engine", "rootless", "uid", "user"),
    [
        (EngineName.DOCKER, False, 0, User(uid=1000, gid=1000)),
        (EngineName.PODMAN, False, 0, User(uid=1000, gid=1000)),
        (EngineName.DOCKER, False, 1234, User(uid=1234, gid=55)),
        (EngineName.DOCKER, True, 1234, User(uid=0, gid=0)),
        (EngineName.PODMAN, True, 1234, User(uid=1000, gid=1000, keep_id=True)),
    ],
)
def test_results_belong_to_the_hosts_user(
    monkeypatch: pytest.MonkeyPatch, engine: EngineName, rootless: bool, uid: int, user: User
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(os, "getegid", lambda: 55)
    assert host_user.run_user(dataclasses.replace(CLIENT, engine=engine, rootless=rootless)) == user


@linux
def test_a_container_gets_no_more_cores_than_there_are(tmp_path: Path) -> None:
    made = oci.container_spec(CLIENT, _spec(tmp_path), user=User(), image="x", gpu=False)
    assert made.cpus == 2
    assert set(made.rlimits) <= {"nofile", "nproc"}
    assert made.labels["posebowl.run"] == "20260101-000000-abc"


@linux
@pytest.mark.parametrize("pins", [True, False])
def test_a_container_gets_the_cores_that_this_process_is_held_to(
    pins: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    client = dataclasses.replace(CLIENT, pins=pins)
    made = oci.container_spec(client, _spec(tmp_path), user=User(), image="x", gpu=False)
    assert (made.cores, made.cpus) == ((frozenset({5}), 1) if pins else (frozenset(), 2))


@pytest.mark.parametrize("filters", [True, False])
def test_a_container_gets_the_filter_where_the_engine_has_filters(
    filters: bool, tmp_path: Path
) -> None:
    cannot = {} if filters else {Limit.SYSTEM_CALLS: "no"}
    client = dataclasses.replace(CLIENT, cannot_limit=cannot)
    spec = _spec(tmp_path)
    made = oci.container_spec(client, spec, user=User(), image="x", gpu=False)
    assert made.seccomp == (spec.scratch / "seccomp.json" if filters else None)


def test_names_are_what_engines_allow(tmp_path: Path) -> None:
    spec = dataclasses.replace(_spec(tmp_path), run_id="2026-01 a/b")
    made = oci.container_spec(CLIENT, spec, user=User(), image="x", gpu=False)
    assert made.name == "posebowl-2026-01-a-b"


def test_the_gpu_variant_needs_a_gpu_or_leave() -> None:
    with pytest.raises(EngineError) as caught:
        OciEngine(EngineName.DOCKER, has_gpu=False)._gpu(Variant.GPU)
    assert "--allow-cpu" in caught.value.fix
    assert OciEngine(EngineName.DOCKER, allow_cpu=True, has_gpu=False)._gpu(Variant.GPU) is False
    assert OciEngine(EngineName.DOCKER, has_gpu=True)._gpu(Variant.GPU) is True
    assert OciEngine(EngineName.DOCKER, has_gpu=True)._gpu(Variant.CPU) is False
