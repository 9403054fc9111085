"""What this machine is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from posebowl.util import host, process


@pytest.fixture
def forget() -> Iterator[None]:
    """Measure the machine again, here and after this test."""
    host.slowness.cache_clear()
    yield
    host.slowness.cache_clear()


@pytest.mark.parametrize(
    ("compile_s", "factor"), [(0.0001, 1), (0.0015, 1), (0.004, 1), (0.006, 4), (0.03, 20), (9, 50)]
)
@pytest.mark.usefixtures("forget")
def test_a_slow_machine_is_known_as_such(
    compile_s: float, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One interruption does not make a machine slow.
    took = iter([compile_s + 5, compile_s, compile_s])
    monkeypatch.setattr(host, "_compile_s", lambda: next(took))
    assert host.slowness() == pytest.approx(factor)
    assert host.slowness() == pytest.approx(factor)  # measured once


def test_processor_time_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(3.0, 0.5)
    monkeypatch.setattr(host.time, "process_time", lambda: next(clock))
    assert host._compile_s() == 0.5


def test_programs_get_more_time_on_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "slowness", lambda: 600.0)
    assert process.run(["sleep", "0.2"], timeout_s=0.1).returncode == 0


def test_programs_do_not_get_more_time_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "slowness", lambda: 1.0)
    with pytest.raises(process.ProcessError, match=r"did not end within 0\.1 s"):
        process.run(["sleep", "60"], timeout_s=0.1)
