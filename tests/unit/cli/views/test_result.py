"""The short table at the end of a run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from posebowl.cli.views import result as summary
from posebowl.errors import Verdict
from posebowl.results.failure import Failure
from posebowl.results.reach import Reach
from posebowl.results.result import Meter, Result, ScoreSummary, Timing

BASE = Result(
    run_id="1",
    verdict=Verdict.OK,
    message="main.sh ran.",
    fix="",
    engine="embedded",
    variant="cpu",
    archive={},
    data={},
)
METERS = {
    "time": Meter(used=60.0, limit=6300.0, unit="s"),
    "memory": Meter(used=3.5 * (1 << 30), limit=4 << 30, unit="bytes"),
    "cpu": Meter(used=1.96, limit=3, unit="cores"),
    "output": Meter(used=0, limit=8 << 30, unit="bytes"),
    "log": Meter(used=20 << 20, limit=8 << 20, unit="bytes"),
}
TIMING = Timing(started_at="now", start_s=0.1, wall_s=60.0, images_per_second=10.0)
SCORE = ScoreSummary(mean_iou=0.51237, median_iou=0.6, images=1200)
NOWHERE = Path("/nowhere")


def table(result: Result, out: Path = NOWHERE) -> dict[str, str]:
    return {name: text.plain for name, text in summary.rows(result, out)}


def printed(result: Result, out: Path = NOWHERE, *, terminal: bool = False) -> str:
    caught = io.StringIO()
    console = Console(
        file=caught,
        force_terminal=terminal,
        emoji=False,
        highlight=False,
        soft_wrap=True,
        width=200,
        _environ={"TERM": "xterm"},
    )
    summary.show(result, out, console)
    return caught.getvalue()


def colours(text: Text) -> set[str]:
    return {str(span.style) for span in text.spans} | ({str(text.style)} if text.style else set())


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_its_row(verdict: Verdict) -> None:
    result = replace(BASE, verdict=verdict, fix="" if verdict is Verdict.OK else "Do this.")
    (name, text), *rest = summary.rows(result, NOWHERE)
    assert (name, text.plain) == ("Verdict", f"{verdict} main.sh ran.")
    assert colours(text) == {"bold green" if verdict is Verdict.OK else "bold red"}
    assert ("What next" in dict(rest)) is (verdict is not Verdict.OK)
    assert str(verdict) in printed(result)


def test_a_whole_run(tmp_path: Path) -> None:
    for name in ("submission.csv", "log.txt", "report.html"):
        (tmp_path / name).write_text("")
    result = replace(
        BASE,
        meters=METERS,
        timing=TIMING,
        score=SCORE,
        warnings=("one", "two"),
        unenforced={"cpus": "set by affinity"},
    )
    assert table(result, tmp_path) == {
        "Verdict": "OK main.sh ran.",
        "Mean IoU": "0.5124 (median 0.6000, 1,200 images)",
        "Speed": "10.0 images/s, start included (63,000 images in 1 h 45 min at this pace)",
        "Time": "1 min of 1 h 45 min (over 99% left)",
        "Peak memory": "3.5 GiB of 4.0 GiB (12% left)",
        "CPU": "2.0 of 3 cores on average (65% busy)",
        "Disk": "0 B of 8.0 GiB (100% left)",
        "Log": "20.0 MiB of 8.0 MiB (0% left)",
        "Differs": "cpus: set by affinity",
        "Warning": "two",
        "Engine": "embedded (cpu)",
        "Predictions": str(tmp_path / "submission.csv"),
        "Log file": str(tmp_path / "log.txt"),
        "Report": str(tmp_path / "report.html"),
    }
    assert [text.plain for name, text in summary.rows(result, NOWHERE) if name == "Warning"] == [
        "one",
        "two",
    ]


def test_head_room_has_a_colour() -> None:
    rows = dict(summary.rows(replace(BASE, meters=METERS), NOWHERE))
    assert colours(rows["Time"]) == {"green"}
    assert colours(rows["Peak memory"]) == {"yellow"}
    assert colours(rows["Log"]) == {"red"}


def test_what_is_not_known_is_left_out() -> None:
    result = replace(BASE, verdict=Verdict.BAD_ARCHIVE, engine="")
    assert list(table(result)) == ["Verdict"]
    assert table(replace(BASE, timing=TIMING)).keys() == {"Verdict", "Mean IoU", "Engine"}
    unknown = replace(BASE, meters={"time": METERS["time"], "newer": METERS["cpu"]})
    assert "newer" in table(unknown)


def test_no_labels_are_said_where_a_score_is_awaited() -> None:
    assert table(BASE)["Mean IoU"] == "not scored: the data has no labels"
    assert "Mean IoU" not in table(replace(BASE, verdict=Verdict.TIME_LIMIT))


def test_one_image_is_no_images() -> None:
    score = replace(SCORE, images=1)
    assert table(replace(BASE, score=score))["Mean IoU"].endswith("1 image)")


@pytest.mark.parametrize("odd", ["[red]x[/]", "[/]", "[/nothing]", "a\\", ":smile:", "\\\\"])
def test_untrusted_words_are_no_markup(odd: str, tmp_path: Path) -> None:
    out = tmp_path / odd.replace("/", "")
    out.mkdir(exist_ok=True)
    (out / "log.txt").write_text("")
    result = replace(
        BASE,
        verdict=Verdict.BAD_OUTPUT,
        message=odd,
        fix=odd,
        engine=odd,
        warnings=(odd,),
        unenforced={odd: odd},
    )
    lines = [line.rstrip() for line in printed(result, out).splitlines() if line]
    assert lines == [
        f"Verdict      BAD_OUTPUT {odd}",
        f"What next    {odd}",
        f"Differs      {odd}: {odd}",
        f"Warning      {odd}",
        f"Engine       {odd} (cpu)",
        f"Log file     {out / 'log.txt'}",
    ]


def test_what_steers_a_terminal_is_escaped() -> None:
    text = printed(replace(BASE, message="a\x1b[2Jb", warnings=("c\x9bd",)))
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "a\\x1b[2Jb" in text


def test_how_far_it_got_and_where_it_failed() -> None:
    stopped = replace(
        BASE,
        verdict=Verdict.RUNTIME_ERROR,
        meters=METERS,
        reach=Reach(images=9, of=18, whole_s=12_600),
        failure=Failure(error="E: \x1b[2J", file="main.py", line=3, source="x()"),
    )
    found = table(stopped)
    assert found["Reached"] == (
        "It got through 9 of 18 images; at this pace all of them would take 3 h 30 min, "
        "2 times the limit."
    )
    assert found["First error"] == "E: \\x1b[2J"
    assert found["Failed at"] == "main.py line 3: x()"
    assert table(BASE).keys().isdisjoint({"Reached", "First error", "Failed at"})


def test_colours_on_a_terminal_only() -> None:
    assert "\x1b" not in printed(replace(BASE, meters=METERS))
    assert "\x1b[1;32mOK" in printed(BASE, terminal=True)


def test_what_was_printed_before_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("")
    result = replace(BASE, score=SCORE)
    caught = io.StringIO()
    console = Console(file=caught, width=200)
    before = summary.show(result, tmp_path, console)
    assert "Mean IoU     0.5124" in caught.getvalue()
    (tmp_path / "report.html").write_text("")
    caught.truncate(0)
    summary.show(replace(result, warnings=("late",)), tmp_path, console, before)
    lines = [line.rstrip() for line in caught.getvalue().strip("\0").splitlines()]
    assert lines == ["Warning      late", f"Report       {tmp_path / 'report.html'}"]
    caught.truncate(0)
    summary.show(replace(result, verdict=Verdict.ENGINE_ERROR), tmp_path, console, before)
    assert "ENGINE_ERROR" in caught.getvalue()
    assert "Mean IoU" in caught.getvalue()


def test_a_command_in_a_warning_works_in_any_shell() -> None:
    text = printed(replace(BASE, warnings=("It was busy. Repeat it: invoke run --repeat 3",)))
    assert "Repeat it: uv run invoke run --repeat 3" in text
