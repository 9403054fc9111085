"""Room, memory and cores."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from posebowl.challenge import EngineName
from posebowl.cli.tasks import host
from posebowl.doctor import data, resources
from posebowl.doctor.findings import Finding, State
from posebowl.engines.oci import client
from posebowl.engines.oci.client import Client
from posebowl.errors import EngineError, PoseBowlError
from posebowl.settings import Settings, resolve
from posebowl.util import host as util_host


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give folders of the test, and no engine."""

    def connect(_: EngineName) -> Client:
        raise EngineError("None.")

    monkeypatch.setattr(client, "connect", connect)
    return tmp_path


@pytest.fixture
def settings(places: Path) -> Settings:
    return replace(resolve.defaults(), submission=places / "out", cache=places / "cache" / "deep")


def free(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda _: SimpleNamespace(free=count))


@pytest.mark.parametrize(
    ("have", "state"), [(3, State.GOOD), (4, State.GOOD), (2.9, State.WARNING)]
)
def test_less_than_the_platform_has_is_a_warning(have: float, state: State) -> None:
    assert resources.enough(have, 3) is state


def test_cores_are_counted_where_affinity_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(resources.psutil.Process, "cpu_affinity", raising=False)
    monkeypatch.setattr(resources.psutil, "cpu_count", lambda: 12)
    _, cores, memory = resources.machine()
    assert cores.text.startswith("12 cores")
    assert "a run may take 4.0 GiB" in memory.text


@pytest.mark.parametrize(
    ("flags", "state", "text"),
    [
        ("avx avx2", State.GOOD, "Old; every package of uv.lock runs on it"),
        ("", State.GOOD, "Old; every package of uv.lock runs on it"),
        (
            "avx",
            State.WARNING,
            "on Old programs die of an illegal instruction in polars (needs AVX2)",
        ),
        ("sse", State.WARNING, "in polars (needs AVX2) and tensorflow-cpu (needs AVX)"),
    ],
)
def test_an_old_processor_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, state: State, text: str
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name\t: Old\nflags\t\t: {flags}\n")
    monkeypatch.setattr(util_host, "_CPUINFO", cpuinfo)
    found = resources.processor()
    assert found.state is state
    assert text in found.text


def test_one_disk_is_told_once(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    free(monkeypatch, 100 << 30)
    (finding,) = resources.disks(settings)
    assert finding.state is State.GOOD
    assert finding.text == "100.0 GiB free for results, environments"


def test_a_disk_that_is_almost_full(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    free(monkeypatch, 1 << 30)
    (finding,) = resources.disks(settings)
    assert finding.state is State.WARNING
    assert finding.fix == "Free some space; 5.0 GiB is enough."


def test_folders_that_may_not_be_written(
    monkeypatch: pytest.MonkeyPatch, places: Path, settings: Settings
) -> None:
    free(monkeypatch, 100 << 30)
    monkeypatch.setattr(os, "access", lambda path, _: path != places)
    found: list[Finding] = list(resources.disks(settings))
    states = {finding.name: finding.state for finding in found[1:]}
    assert states == {"results": State.BAD, "environments": State.WARNING}
    assert all("export POSEBOWL_" in finding.fix for finding in found[1:])


def test_wrong_settings_are_another_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(resources.disks(None)) == []
    (finding,) = data.data(None)
    assert finding.state is State.GOOD
    monkeypatch.setenv("POSEBOWL_CPUS", "two")
    assert host.diagnose({"json": True}) == 1
    found = {item["name"]: item for item in json.loads(capsys.readouterr().out)["findings"]}
    assert found["settings"]["fix"] == "Type: export POSEBOWL_CPUS=3"
    assert "data" in found
    assert "disk" not in found


def test_the_zip(places: Path, settings: Settings) -> None:
    (finding,) = data.archive(settings.archive)
    assert (finding.state, finding.fix) == (
        State.MISSING,
        "Type: invoke pack benchmark",
    )
    (places / "out").mkdir()
    (places / "out" / "submission.zip").write_bytes(b"x" * 2048)
    (finding,) = data.archive(settings.archive)
    assert (finding.state, finding.text) == (State.GOOD, "2.0 KiB")


def test_broken_data_is_bad(places: Path) -> None:
    (finding,) = data.data(places / "none")
    assert finding.state is State.BAD
    assert "is not a folder" in finding.text
    assert finding.fix


def test_data_that_cannot_be_read_on_this_processor_is_a_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = PoseBowlError("polars does not run.", fix="Type: uv pip install it")
    monkeypatch.setattr(data.data_room, "check", Mock(side_effect=refusal))
    (found,) = data.data(None)
    assert (found.state, found.fix) == (State.BAD, "Type: uv pip install it")
