"""What a machine has and lacks for a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from posebowl import data, doctor, environments, paths, process
from posebowl.doctor import Diagnosis, Finding, State, examine
from posebowl.engines import own_cgroup, select
from posebowl.engines.base import EngineName
from posebowl.errors import BadDataError
from posebowl.process import Completed, ProcessError


@dataclass
class FakeEngine:
    problem: str | None

    def unavailable(self) -> str | None:
        return self.problem


class Machine:
    """A machine on which all is well unless a test says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines: dict[EngineName, str | None] = dict.fromkeys(EngineName)
        self.uv = True
        self.lock = Completed(argv=(), returncode=0, stdout="", stderr="")
        self.data: str | None = None

    def run(self, argv: list[str], **_: object) -> Completed:
        if argv[0] == "uv" and not self.uv:
            raise ProcessError("uv is not installed.")
        if argv[:2] == ["uv", "lock"]:
            return self.lock
        return Completed(argv=(), returncode=0, stdout=f"{argv[0]} 1.2.3\n", stderr="")

    def check(self, _: object) -> object:
        if self.data:
            raise BadDataError(self.data, fix="mend it")
        return type("Report", (), {"summary": "In use: the demo set."})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """Put a made-up machine where the doctor looks."""
    machine = Machine(tmp_path)
    monkeypatch.setattr(process, "run", machine.run)
    monkeypatch.setattr(select, "make", lambda name: FakeEngine(machine.engines[name]))
    monkeypatch.setattr(data, "find", lambda: None)
    monkeypatch.setattr(data, "check", machine.check)
    monkeypatch.setattr(paths, "SUBMISSION", tmp_path)
    monkeypatch.setattr(own_cgroup, "create", lambda *_: None)
    monkeypatch.setattr(environments, "ready", lambda group: group == "lean")
    return machine


def states(found: Diagnosis) -> dict[str, State]:
    return {finding.name: finding.state for finding in found.findings}


def text(found: Diagnosis, name: str) -> str:
    return next(finding.text for finding in found.findings if finding.name == name)


def test_all_is_well(machine: Machine) -> None:
    (machine.folder / "submission.zip").write_bytes(b"x" * 2048)
    found = examine()
    assert found.healthy
    assert found.next_step == "Type: invoke run"
    assert text(found, "uv") == "1.2.3"
    assert text(found, "docker") == "docker 1.2.3"
    assert text(found, "submission.zip") == "2.0 KiB"
    assert "watchdog" in text(found, "embedded")
    assert text(found, "environments") == "made from this lock: lean"
    assert all(state is not State.BAD for state in states(found).values())


@pytest.mark.usefixtures("machine")
def test_without_a_zip_the_next_step_is_to_pack() -> None:
    found = examine()
    assert found.healthy
    assert states(found)["submission.zip"] is State.MISSING
    assert found.next_step == "Type: invoke pack --solution benchmark"


def test_one_engine_is_enough(machine: Machine) -> None:
    machine.engines |= {EngineName.DOCKER: "no daemon", EngineName.PODMAN: "not installed"}
    found = examine()
    assert found.healthy
    assert states(found)["docker"] is State.MISSING
    assert text(found, "docker") == "no daemon"


def test_no_engine_is_bad(machine: Machine) -> None:
    machine.engines = dict.fromkeys(EngineName, "not here")
    found = examine()
    assert not found.healthy
    assert states(found)["engines"] is State.BAD
    assert found.next_step == "Put this right first: engines."


def test_without_uv(machine: Machine) -> None:
    machine.uv = False
    found = examine()
    assert states(found)["uv"] is State.BAD
    assert states(found)["uv.lock"] is State.WARNING
    assert found.next_step == "Put this right first: uv."


@pytest.mark.parametrize(
    ("stderr", "state"),
    [
        ("error: The lockfile at `uv.lock` needs to be updated", State.BAD),
        ("error: network disabled", State.WARNING),
    ],
)
def test_a_lock_that_does_not_fit(stderr: str, state: State, machine: Machine) -> None:
    machine.lock = Completed(argv=(), returncode=2, stdout="", stderr=stderr)
    found = examine()
    assert states(found)["uv.lock"] is state
    assert "uv lock" in text(found, "uv.lock")


def test_broken_data_is_bad(machine: Machine) -> None:
    machine.data = "Two images are missing."
    found = examine()
    assert states(found)["data"] is State.BAD
    assert text(found, "data") == "Two images are missing. mend it"


@pytest.mark.parametrize("state", list(State))
def test_only_what_is_bad_is_unhealthy(state: State) -> None:
    finding = Finding(name="x", state=state, text="y")
    found = Diagnosis(findings=(finding,), next_step="z")
    assert found.healthy is (state is not State.BAD)


@pytest.mark.parametrize(
    ("have", "state"), [(3, State.GOOD), (4, State.GOOD), (2.9, State.WARNING)]
)
def test_less_than_the_platform_has_is_a_warning(have: float, state: State) -> None:
    assert doctor._enough(have, 3) is state


@pytest.mark.usefixtures("machine")
def test_cores_are_counted_where_affinity_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(doctor.psutil.Process, "cpu_affinity", raising=False)
    monkeypatch.setattr(doctor.psutil, "cpu_count", lambda: 12)
    assert text(examine(), "cores").startswith("12 cores")
