"""From what the engine saw to a verdict: the whole table of precedence."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path

import pytest

from posebowl.challenge import Limits
from posebowl.engines.base import Outcome, Stop
from posebowl.errors import Verdict
from posebowl.run.judge import judge
from posebowl.util import host

LIMITS = Limits(wall_time_s=60, memory_bytes=512 << 20, output_bytes=1 << 20)


def outcome(**known: object) -> Outcome:
    base: dict[str, object] = {
        "exit_code": 0,
        "stopped_by": None,
        "started_after_s": 0.1,
        "wall_s": 5.0,
        "cpu_s": 4.0,
        "peak_memory_bytes": 100,
        "output_bytes": 100,
        "log_bytes": 10,
        "oom_kills": 0,
    }
    return Outcome(**{**base, **known})  # type: ignore[arg-type]


def expected(exit_code: int, stop: Stop | None, output: int, kills: int) -> Verdict:
    """Read the documented precedence off, line by line."""
    if stop is Stop.TIME:
        return Verdict.TIME_LIMIT
    if stop in {Stop.OUTPUT, Stop.FILES, Stop.UNSEEN} or output > LIMITS.output_bytes:
        return Verdict.OUTPUT_LIMIT
    if stop is Stop.MEMORY or (kills and exit_code):
        return Verdict.MEMORY_LIMIT
    if 128 < exit_code <= 192:
        return Verdict.SIGNALED
    return Verdict.RUNTIME_ERROR if exit_code else Verdict.OK


STOPS = (None, *Stop)
CASES = list(
    itertools.product((0, 1, 7, 127, 128, 137, 139, 192, 193, 255), STOPS, (9, 2 << 20), (0, 2))
)


@pytest.mark.parametrize(("exit_code", "stop", "output", "kills"), CASES)
def test_precedence(exit_code: int, stop: Stop | None, output: int, kills: int) -> None:
    ended = exit_code if stop is None or stop.is_output else None
    seen = outcome(exit_code=ended, stopped_by=stop, output_bytes=output, oom_kills=kills)
    judged = judge(seen, LIMITS)
    assert judged.verdict is expected(exit_code, stop, output, kills)
    if judged.verdict is not Verdict.OK:
        assert judged.message.startswith("main.sh ")
        assert judged.message.endswith(".")
        assert judged.fix.endswith(".")


def test_one_file_that_is_too_large_has_met_the_output_limit() -> None:
    judged = judge(outcome(exit_code=128 + signal.SIGXFSZ), LIMITS)
    assert judged.verdict is Verdict.OUTPUT_LIMIT
    assert "65.0 MiB" in judged.message
    tail = "OSError: [Errno 27] File too large: 'submission.csv'\n"
    judged = judge(outcome(exit_code=1), LIMITS, tail)
    assert judged.verdict is Verdict.RUNTIME_ERROR
    assert "65.0 MiB" in judged.fix


def test_messages_name_the_limits() -> None:
    assert "1 min," in judge(outcome(stopped_by=Stop.TIME, exit_code=None), LIMITS).message
    assert "512.0 MiB" in judge(outcome(stopped_by=Stop.MEMORY, exit_code=None), LIMITS).message
    assert "1.0 MiB" in judge(outcome(stopped_by=Stop.OUTPUT), LIMITS).message
    assert "64 files" in judge(outcome(stopped_by=Stop.FILES), LIMITS).message
    assert "cannot be measured" in judge(outcome(stopped_by=Stop.UNSEEN), LIMITS).message


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
def test_a_signal_is_named(number: signal.Signals) -> None:
    judged = judge(outcome(exit_code=128 + number), LIMITS)
    assert judged.signal == number
    assert number.name in judged.message


def test_a_real_time_signal_has_a_number_only() -> None:
    judged = judge(outcome(exit_code=128 + 45), LIMITS)
    assert (judged.verdict, judged.signal) == (Verdict.SIGNALED, 45)


def test_the_exit_code_is_named() -> None:
    assert "exit code 7." in judge(outcome(exit_code=7), LIMITS).message
    assert judge(outcome(exit_code=7), LIMITS).signal is None


@pytest.mark.parametrize("code", [7, 139])
def test_advice_names_the_log_that_was_given(code: int) -> None:
    log = Path("mine", "log.txt")
    assert str(log) in judge(outcome(exit_code=code), LIMITS, log=log).fix


def test_a_killed_child_of_a_run_that_ended_well_is_a_warning() -> None:
    judged = judge(outcome(oom_kills=3), LIMITS)
    assert judged.verdict is Verdict.OK
    (warning,) = judged.warnings
    assert warning.startswith("3 process")


def test_all_well_has_nothing_to_say() -> None:
    judged = judge(outcome(), LIMITS)
    assert (judged.message, judged.fix, judged.warnings) == ("", "", ())


def test_a_missing_module_is_named_by_its_package() -> None:
    tail = (
        "ModuleNotFoundError: No module named 'first'\n"
        "ModuleNotFoundError: No module named 'skimage.io'\n"
    )
    assert "no module skimage:" in judge(outcome(exit_code=1), LIMITS, tail).fix


def test_the_log_decides_nothing() -> None:
    tail = "Killed\nout of memory\nModuleNotFoundError: No module named 'x'\n"
    assert judge(outcome(), LIMITS, tail) == judge(outcome(), LIMITS)
    assert judge(outcome(exit_code=1), LIMITS, tail).verdict is Verdict.RUNTIME_ERROR


def test_no_exit_code_and_no_limit_is_not_the_submission_s_fault() -> None:
    judged = judge(outcome(exit_code=None, stopped_by=None), LIMITS)
    assert judged.verdict is Verdict.ENGINE_ERROR


@pytest.mark.parametrize(
    ("flags", "fix"),
    [
        ("sse4_2", "is too old for polars (AVX2) and tensorflow-cpu (AVX): do without"),
        ("sse4_2 avx", "is too old for polars (AVX2): do without"),
        ("avx avx2", "Run it on a newer processor; the end of the log, log.txt, shows"),
    ],
)
def test_an_illegal_instruction_is_the_processors_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, fix: str
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name\t: Old\nflags\t\t: {flags}\n")
    monkeypatch.setattr(host, "_CPUINFO", cpuinfo)
    judged = judge(outcome(exit_code=128 + signal.SIGILL), LIMITS, log=Path("log.txt"))
    assert (judged.verdict, judged.signal) == (Verdict.SIGNALED, 4)
    assert "the processor lacks an instruction that a package needs" in judged.message
    assert fix in judged.fix
