"""The page of the self-test."""

from __future__ import annotations

from posebowl.challenge import EngineName, Variant
from posebowl.doctor import EngineTest, SelfTest, self_test_page
from posebowl.engines import Checked
from posebowl.errors import Verdict


def row(case: str, got: Verdict = Verdict.OK, why: str = "") -> Checked:
    return Checked(
        case=case, about="does <b>it</b>", expected=Verdict.OK, got=got, seconds=1.25, why=why
    )


def made(*engines: EngineTest) -> SelfTest:
    return SelfTest(
        at="2026-11-26T12:00:00+00:00",
        machine={"system": "Linux", "cpu": "a processor", "posebowl": "0.1.0"},
        variant=Variant.CPU,
        lock="ab" * 32,
        engines=engines,
    )


def test_what_deviates_is_told_with_its_reason() -> None:
    why = "The verdict is <OK> instead of `TIME_LIMIT`."
    bad = EngineTest(
        engine=EngineName.DOCKER, about="27.0", rows=(row("a"), row("b", Verdict.SIGNALED, why))
    )
    test = made(bad, EngineTest(engine=EngineName.PODMAN, about="", problem="It is not installed."))
    assert not test.passed
    page = self_test_page(test)
    assert "1 case did not end as it must." in page
    assert "27.0: 1 of 2 cases ended as they must." in page
    assert "&lt;OK&gt; instead of <code>TIME_LIMIT</code>" in page
    assert "does &lt;b&gt;it" in page
    assert "Not tested. It is not installed." in page
    assert "2026-11-26 12:00 UTC" in page


def test_a_machine_without_an_engine_does_not_pass() -> None:
    test = made(EngineTest(engine=EngineName.PODMAN, about="", problem="It is not installed."))
    assert not test.passed
    assert "No engine could be tested." in self_test_page(test)


def test_all_well() -> None:
    test = made(EngineTest(engine=EngineName.EMBEDDED, about="works", rows=(row("a"), row("b"))))
    assert test.passed
    assert "Every case ended as it must." in self_test_page(test)
