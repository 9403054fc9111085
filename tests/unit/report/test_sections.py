from __future__ import annotations

from dataclasses import replace

import pytest

from posebowl.challenge import GIB
from posebowl.errors import Verdict
from posebowl.report.sections import environment_rows, headline, platform_view
from posebowl.results.result import Meter, Result
from tests.report_samples import passed

NEVER_STARTED = Result(
    run_id="r",
    verdict=Verdict.BAD_ARCHIVE,
    message="submission.zip is no zip.",
    fix="Type: invoke pack",
    engine="",
    variant="cpu",
    archive={},
    data={},
)


def with_meter(name: str, used: float, limit: float, unit: str) -> Result:
    result = passed()
    return replace(result, meters={**result.meters, name: Meter(used=used, limit=limit, unit=unit)})


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_title_and_a_state(verdict: Verdict) -> None:
    head = headline(replace(passed(), verdict=verdict))
    assert head.title
    assert head.verdict == verdict.value
    assert (head.state == "pass") == (verdict is Verdict.OK)
    view = platform_view(replace(passed(), verdict=verdict))
    assert (view.state == "pass") == (verdict is Verdict.OK)


@pytest.mark.parametrize(
    "verdict", [Verdict.ENGINE_ERROR, Verdict.BAD_DATA, Verdict.INTERRUPTED, Verdict.BUSY]
)
def test_what_is_not_the_submissions_fault_is_no_failure(verdict: Verdict) -> None:
    result = replace(passed(), verdict=verdict)
    assert headline(result).state == "unsure"
    assert platform_view(result).answer == "Not known"


def test_facts_that_the_message_does_not_tell() -> None:
    result = replace(
        passed(), verdict=Verdict.SIGNALED, message="Died.", exit_code=139, signal=11, oom_kills=2
    )
    assert headline(result).facts == (
        "main.sh ended with exit code 139",
        "it died of SIGSEGV",
        "2 processes killed for lack of memory",
    )
    told = replace(result, message="Signal 11: signal, exit code 139.", oom_kills=0)
    assert headline(told).facts == ()


def test_a_clean_pass_is_a_yes() -> None:
    view = platform_view(passed())
    assert view.answer.startswith("Yes")
    assert [gauge.name for gauge in view.gauges] == ["Time", "Peak memory", "CPU", "Disk", "Log"]
    memory = view.gauges[1]
    assert (memory.used, memory.limit, memory.room) == ("640.0 MiB", "4.0 GiB", "84% left")
    assert memory.share == pytest.approx(15.62, abs=0.01)
    assert view.gauges[0].room == "over 99% left"
    assert "demo images" in view.differences[0]


def test_unenforced_limits_are_said_where_they_count() -> None:
    view = platform_view(
        replace(passed(), unenforced={"memory": "no control group", "processes": "no cgroup"})
    )
    assert view.answer == "Very likely"
    assert view.gauges[1].notes == ("Differs from the platform: no control group.",)
    assert "Processes: no cgroup." in view.differences


def test_little_head_room_is_said() -> None:
    view = platform_view(with_meter("memory", 3.6 * GIB, 4.0 * GIB, "bytes"))
    assert view.gauges[1].state == "tight"
    assert view.reasons == ("Little head-room: peak memory.",)


def test_busy_cores_and_a_cut_log_are_no_danger() -> None:
    view = platform_view(with_meter("cpu", 3.0, 3.0, "cores"))
    assert view.answer.startswith("Yes")
    assert view.gauges[2].state == "fine"
    view = platform_view(with_meter("log", 9e9, 8e6, "bytes"))
    assert view.answer.startswith("Yes")
    assert "cut" in view.gauges[4].notes[0]


def test_wider_limits_than_the_platforms_do_not_hide_a_failure() -> None:
    view = platform_view(with_meter("memory", 6.0 * GIB, 8.0 * GIB, "bytes"))
    assert (view.state, view.answer) == ("fail", "No")
    assert view.reasons == ("Peak memory was 6.0 GiB; the platform gives 4.0 GiB.",)
    assert view.gauges[1].notes == ("The platform's limit is 4.0 GiB.",)


def test_stricter_limits_than_the_platforms_prove_nothing() -> None:
    short = replace(with_meter("time", 60.0, 60.0, "s"), verdict=Verdict.TIME_LIMIT)
    view = platform_view(short)
    assert (view.state, view.answer) == ("unsure", "Not known")
    assert view.reasons == ("This run was allowed 1 min, the platform gives 1 h 45 min.",)
    full = replace(with_meter("time", 6300.0, 6300.0, "s"), verdict=Verdict.TIME_LIMIT)
    assert platform_view(full).answer == "No"


def test_a_gpu_run_says_nothing_about_a_platform_without_one() -> None:
    assert platform_view(replace(passed(), variant="gpu")).answer == "Not known"


def test_odd_meters_are_shown_as_they_are() -> None:
    nan, weird = float("nan"), Meter(used=3, limit=0, unit="parsecs")
    result = replace(passed(), meters={"time": Meter(used=nan, limit=nan, unit="s"), "x": weird})
    time, other = platform_view(result).gauges
    assert (time.used, time.share) == ("unknown", 0.0)
    assert (other.name, other.used, other.share) == ("x", "3 parsecs", 0.0)


def test_a_run_that_never_started_has_little_to_say() -> None:
    view = platform_view(NEVER_STARTED)
    assert (view.answer, view.gauges, view.differences) == ("No", (), ())
    assert environment_rows(NEVER_STARTED) == (("Run", "r"), ("Variant", "cpu"))


def test_environment() -> None:
    rows = dict(environment_rows(passed()))
    assert rows["Archive size"] == "4.0 KiB"
    assert rows["uv.lock SHA-256"] == "ab" * 32
    assert rows["Python"] == "3.11.9"


def test_commands_are_spelled_as_they_work_in_any_shell() -> None:
    found = headline(replace(passed(), fix="Type: invoke doctor", message="Run nox -s x."))
    assert (found.fix, found.message) == ("Type: uv run invoke doctor", "Run uv run nox -s x.")
