"""Which engine executes a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from posebowl.challenge import EngineName, Limits, Variant
from posebowl.engines import select
from posebowl.engines.base import Engine, Outcome, RunSpec, Watcher
from posebowl.errors import EngineError, LimitUnenforcedError

SPEC = RunSpec(
    run_id="r",
    archive=Path("a"),
    images=Path("i"),
    submission_format=Path("f"),
    output=Path("o"),
    scratch=Path("s"),
    log=Path("l"),
    variant=Variant.CPU,
    limits=Limits(),
    cache=Path("c"),
)


@dataclass
class FakeEngine:
    """An engine that works or says why not, and remembers what was asked of it."""

    name: EngineName
    problem: str | None = None
    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def unavailable(self) -> str | None:
        self.asked.append("unavailable")
        return self.problem

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:
        assert spec is SPEC
        self.asked.append("prepare")
        watch.note(f"preparing {self.name}")
        if self.failure:
            raise self.failure

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        pytest.fail(f"{self.name} was to be prepared, not run: {spec} {watch}")

    def reap(self) -> None:
        self.asked.append("reap")


class Machine:
    """Three engines, all at work unless a test says otherwise."""

    def __init__(self) -> None:
        self.engines = {name: FakeEngine(name) for name in EngineName}
        self.notes: list[str] = []
        self.options: list[tuple[bool, bool]] = []

    def make(self, name: EngineName, *, full: bool = False, allow_cpu: bool = False) -> Engine:
        self.options.append((full, allow_cpu))
        return self.engines[name]

    def prepared(self, name: EngineName | None, **options: bool) -> EngineName:
        watch = replace(Watcher(), note=self.notes.append)
        return select.prepared(name, SPEC, watch, engine_of=self.make, **options).name


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize("name", list(EngineName))
def test_every_name_makes_its_engine(name: EngineName) -> None:
    assert select.make(name).name is name


def test_auto_takes_the_first_that_works(machine: Machine) -> None:
    assert machine.prepared(None) is EngineName.DOCKER
    assert machine.engines[EngineName.PODMAN].asked == []
    machine.engines[EngineName.DOCKER].problem = "no daemon"
    assert machine.prepared(None) is EngineName.PODMAN
    machine.engines[EngineName.PODMAN].problem = "Podman is not installed."
    assert machine.prepared(None) is EngineName.EMBEDDED


def test_what_killed_runs_left_is_gone_before_a_run(machine: Machine) -> None:
    machine.prepared(EngineName.PODMAN)
    first, *both = machine.engines[EngineName.PODMAN].asked
    assert (first, sorted(both)) == ("unavailable", ["prepare", "reap"])


def test_engines_are_asked_until_one_answers(machine: Machine) -> None:
    machine.engines[EngineName.DOCKER].problem = "no daemon"
    select.ask(None, engine_of=machine.make)
    asked = {name: engine.asked for name, engine in machine.engines.items()}
    assert asked == {"docker": ["unavailable"], "podman": ["unavailable"], "embedded": []}
    select.ask(EngineName.EMBEDDED, engine_of=machine.make)
    assert machine.engines[EngineName.EMBEDDED].asked == ["unavailable"]


def test_an_engine_that_is_not_there_is_passed_over_in_silence(machine: Machine) -> None:
    machine.engines[EngineName.DOCKER].problem = "Docker is not installed."
    machine.prepared(None)
    assert machine.notes == ["preparing podman"]
    assert machine.engines[EngineName.DOCKER].asked == ["unavailable"]


def test_an_engine_that_is_there_but_not_ready_is_mentioned(machine: Machine) -> None:
    machine.engines[EngineName.DOCKER].failure = EngineError("No image.", fix="Type: nox -s build")
    assert machine.prepared(None) is EngineName.PODMAN
    (note,) = [note for note in machine.notes if note.startswith("passed over")]
    assert note == "passed over docker: No image. Type: nox -s build"


def test_no_engine_at_all_names_each_with_its_reason(machine: Machine) -> None:
    for engine in machine.engines.values():
        engine.problem = f"{engine.name} is broken"
    with pytest.raises(EngineError, match="No engine works here") as caught:
        machine.prepared(None)
    assert [line.partition(":")[0] for line in caught.value.why.splitlines()] == [*EngineName]
    assert "doctor" in caught.value.fix


def test_a_named_engine_is_not_replaced(machine: Machine) -> None:
    machine.engines[EngineName.PODMAN].problem = "not installed"
    with pytest.raises(EngineError, match="podman cannot be used here") as caught:
        machine.prepared(EngineName.PODMAN)
    assert caught.value.why == "not installed"
    assert machine.engines[EngineName.DOCKER].asked == []


def test_a_stopped_daemon_is_passed_over_with_a_word(machine: Machine) -> None:
    machine.engines[EngineName.DOCKER].problem = "Docker's daemon does not answer."
    assert machine.prepared(None) is EngineName.PODMAN
    (note,) = [note for note in machine.notes if note.startswith("passed over")]
    assert "Docker's daemon does not answer." in note


def test_auto_takes_the_first_that_can_hold_the_limits(machine: Machine) -> None:
    machine.engines[EngineName.DOCKER].problem = "Docker is not installed."
    machine.engines[EngineName.PODMAN].failure = LimitUnenforcedError("memory does not hold")
    assert machine.prepared(None) is EngineName.EMBEDDED
    (note,) = [note for note in machine.notes if note.startswith("passed over")]
    assert note == "passed over podman: memory does not hold"


def test_where_only_an_engine_without_limits_works_the_limits_are_the_reason(
    machine: Machine,
) -> None:
    machine.engines[EngineName.DOCKER].failure = LimitUnenforcedError("memory does not hold")
    machine.engines[EngineName.PODMAN].problem = "Podman is not installed."
    machine.engines[EngineName.EMBEDDED].problem = "needs Linux"
    with pytest.raises(LimitUnenforcedError, match="memory does not hold"):
        machine.prepared(None)


def test_a_limit_that_a_named_engine_cannot_hold_is_an_error(machine: Machine) -> None:
    machine.engines[EngineName.PODMAN].failure = LimitUnenforcedError("memory does not hold")
    with pytest.raises(LimitUnenforcedError):
        machine.prepared(EngineName.PODMAN)


def test_options_reach_the_engine(machine: Machine) -> None:
    machine.prepared(EngineName.EMBEDDED, full=True)
    machine.prepared(None, allow_cpu=True)
    assert machine.options == [(True, False), (False, True)]
