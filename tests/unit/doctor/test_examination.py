"""What a machine has and lacks for a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from posebowl.doctor import Diagnosis, Finding, State, examination, examine


def probe(
    name: str, state: State = State.GOOD, fix: str = ""
) -> tuple[str, Callable[[], list[Finding]]]:
    return name, lambda: [Finding(name=name, state=state, text="looked at", fix=fix)]


def test_findings_keep_their_order_and_all_are_asked_at_once() -> None:
    together = threading.Barrier(3, timeout=30)

    def wait(name: str) -> list[Finding]:
        together.wait()
        return [Finding(name=name, state=State.GOOD, text="x")]

    found = examine([(name, lambda name=name: wait(name)) for name in "abc"])
    assert [finding.name for finding in found.findings] == ["a", "b", "c"]
    assert found.healthy
    assert found.next_step == "Type: invoke run"


def test_what_cannot_be_read_is_a_finding_and_hides_no_other() -> None:
    def broken() -> Iterator[Finding]:
        raise PermissionError(13, "Permission denied", "/closed")

    found = examine([("odd", broken), probe("fine")])
    assert [finding.state for finding in found.findings] == [State.WARNING, State.GOOD]
    assert "Permission denied" in found.findings[0].text


def test_a_mistake_of_ours_is_not_hidden() -> None:
    def wrong() -> list[Finding]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        examine([("odd", wrong)])


def test_what_is_bad_comes_first() -> None:
    probes = [probe("a"), probe("uv", State.BAD, "Type: pip install uv"), probe("x", State.BAD)]
    found = examine(probes)
    assert not found.healthy
    assert found.next_step == "Fix this first: uv. Type: pip install uv"


def test_without_a_zip_the_next_step_is_to_pack() -> None:
    found = examine([probe("submission.zip", State.MISSING)])
    assert found.healthy
    assert found.next_step == "Type: invoke pack benchmark"
    assert examine([probe("submission.zip")]).next_step == "Type: invoke run"


def test_one_engine_is_enough() -> None:
    found = examine(
        [
            probe("docker", State.MISSING),
            probe("podman"),
            probe("podman cpu image"),
            probe("embedded", State.MISSING),
        ]
    )
    assert found.healthy


def test_an_engine_without_its_image_is_not_enough() -> None:
    found = examine(
        [
            probe("docker", State.MISSING, "Install Docker."),
            probe("podman"),
            probe("podman cpu image", State.MISSING),
            probe("embedded", State.MISSING),
        ]
    )
    assert not found.healthy
    assert found.next_step == (
        "Fix this first: engines. Type: uv run nox -s build-cpu -- --engine podman"
    )


def test_no_engine_at_all() -> None:
    found = examine(
        [
            probe("docker", State.MISSING, "Type: sudo systemctl start docker"),
            probe("podman", State.MISSING, "Install Podman."),
            probe("embedded", State.MISSING),
        ]
    )
    last = found.findings[-1]
    assert (last.name, last.state) == ("engines", State.BAD)
    assert last.fix == "Type: sudo systemctl start docker"


@pytest.mark.parametrize("state", list(State))
def test_only_what_is_bad_is_unhealthy(state: State) -> None:
    finding = Finding(name="x", state=state, text="y")
    found = Diagnosis(findings=(finding,), next_step="z")
    assert found.healthy is (state is not State.BAD)


def test_every_probe_has_a_name_of_its_own() -> None:
    names = [name for name, _ in examination.probes(None, ())]
    assert len(set(names)) == len(names)
