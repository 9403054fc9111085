"""What is seen of a run while it goes on."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress

from posebowl.challenge import Limits
from posebowl.engines.base import Sample
from posebowl.run import live_display
from posebowl.run.live_display import Display

LIMITS = Limits(wall_time_s=600, memory_bytes=4 << 30, cpus=3)


def sample(elapsed_s: float = 1.0, cpu_s: float = 1.0, images: int = 0) -> Sample:
    return Sample(elapsed_s=elapsed_s, memory_bytes=1 << 30, cpu_s=cpu_s, images=images)


def screen(
    *, terminal: bool = False, clock: Callable[[], float] = time.monotonic
) -> tuple[io.StringIO, Display]:
    caught = io.StringIO()
    console = Console(
        file=caught,
        force_terminal=terminal,
        highlight=False,
        emoji=False,
        soft_wrap=True,
        width=100,
        _environ={"TERM": "xterm"},
    )
    return caught, Display(console, clock=clock)


def test_without_a_terminal_plain_lines_now_and_then() -> None:
    clock = SimpleNamespace(now=100.0)
    caught, shown = screen(clock=lambda: clock.now)
    with shown.watching(LIMITS, lambda: 500) as watch:
        watch.note("environment: lean")
        watch.line("120/500 images")
        watch.sample(sample(1.0, 1.0))
        clock.now += 31
        watch.sample(sample(31.0, 61.0, 120))
        watch.sample(sample(31.5, 62.0))
    assert caught.getvalue().splitlines() == [
        "environment: lean",
        "│ 120/500 images",
        "31 s of 10 min · memory 1.0 GiB of 4.0 GiB · 0.0 of 3 cores · 120 of 500 images",
    ]


def test_cores_are_those_since_the_last_look() -> None:
    panel = live_display._Panel(Console(file=io.StringIO()), LIMITS, lambda: 500)
    assert "0.0 of 3 cores" in panel.status(sample(1.0, 1.0)).plain
    assert "2.0 of 3 cores" in panel.status(sample(2.0, 3.0)).plain
    assert "0.0 of 3 cores" in panel.status(sample(3.0, 2.0)).plain
    assert "0.0 of 3 cores" in panel.status(sample(3.0, 4.0)).plain
    assert "images" not in panel.status(sample(4.0, 4.0)).plain


def status(width: int, *taken: Sample) -> str:
    console = Console(file=io.StringIO(), width=width)
    panel = live_display._Panel(console, LIMITS, lambda: 500)
    return [panel.status(one).plain for one in taken][-1]


@pytest.mark.parametrize(
    ("width", "more"),
    [
        (200, " · memory 1.0 GiB of 4.0 GiB · 2.0 of 3 cores"),
        (92, " · memory 1.0 GiB · 2.0 of 3 cores"),
        (80, " · memory 1.0 GiB"),
        (50, ""),
    ],
)
def test_the_live_line_fits_the_terminal(width: int, more: str) -> None:
    line = status(width, sample(1.0, 1.0, 5), sample(31.0, 61.0, 125))
    assert line == f"31 s of 10 min{more} · 125 of 500 images · 1 min 34 s left"
    caught, shown = screen(terminal=True)
    shown._console.width = width
    with shown.watching(LIMITS, lambda: 500) as watch:
        watch.sample(sample(31.0, 61.0, 125))
    seen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", caught.getvalue())
    assert 0 < max(map(len, re.split("[\r\n]", seen))) <= width


def test_time_left_is_that_of_the_pace_since_the_first_image() -> None:
    assert "left" not in status(200, sample(30.0, 1.0), sample(31.0, 1.0, 100))
    assert "left" not in status(200, sample(30.0, 1.0, 1), sample(31.0, 1.0, 100))
    assert "1 min 40 s left" in status(200, sample(30.0, 1.0, 100), sample(130.0, 1.0, 300))
    late = status(200, sample(30.0, 1.0, 1), sample(130.0, 1.0, 2))
    assert late.endswith("left, over the limit")
    assert "left" not in status(200, sample(30.0, 1.0, 1), sample(130.0, 1.0, 500))


def test_a_line_that_is_redrawn_stays_in_the_live_panel() -> None:
    caught, shown = screen(terminal=True)
    with shown.watching(LIMITS, lambda: 500) as watch:
        watch.sample(sample())
        watch.line("10%\r")
        watch.line("20%\r")
        watch.line("100%")
    text = caught.getvalue()
    assert "\x1b[2m│\x1b[0m 100%\n" in text
    assert " 10%\n" not in text
    caught, shown = screen()
    with shown.watching(LIMITS, lambda: 500) as watch:
        watch.line("10%\r")
        watch.line("100%")
    assert caught.getvalue() == "│ 100%\n"


@pytest.mark.parametrize("text", ["[red]x[/]", "[/]", "a\\", ":smile:", "[/dim] x \\\\"])
@pytest.mark.parametrize("terminal", [False, True])
def test_lines_of_a_submission_are_no_markup(text: str, terminal: bool) -> None:
    caught, shown = screen(terminal=terminal)
    with shown.watching(LIMITS, lambda: 500) as watch:
        watch.line(text)
        watch.note(text)
    lines = re.sub(r"\r|\x1b\[[0-9;?]*[a-zA-Z]", "", caught.getvalue()).split("\n")
    assert [line for line in lines if line.strip()][:2] == [f"│ {text}", text]


def test_a_terminal_has_one_live_line_below_the_log() -> None:
    caught, shown = screen(terminal=True)
    with shown.watching(LIMITS, lambda: 500) as watch:
        watch.sample(sample())
        watch.line("hello")
    text = caught.getvalue()
    assert "1.0 s of 10 min" in text
    assert text.index("hello") < text.rindex("1.0 s of 10 min")


def test_before_the_first_sample_another_bar_may_be_shown() -> None:
    caught, shown = screen(terminal=True)
    with shown.watching(LIMITS, lambda: 500) as watch:
        with Progress(console=shown._console) as bar:
            bar.add_task("checking photos", total=1)
        watch.sample(sample())
    text = caught.getvalue()
    assert text.rindex("checking photos") < text.index("1.0 s of 10 min")


def test_quiet_is_quiet() -> None:
    caught = io.StringIO()
    with Display(Console(file=caught), quiet=True).watching(LIMITS, lambda: 5) as watch:
        watch.line("x")
        watch.note("y")
        watch.sample(sample())
    assert caught.getvalue() == ""


class Stopped(io.StringIO):
    """A terminal that takes nothing until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.go_on.wait()
        return super().write(text)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_stopped_screen_keeps_nobody_waiting_and_then_shows_the_last_lines(
    terminal: bool,
) -> None:
    caught = Stopped()
    console = Console(file=caught, force_terminal=terminal, soft_wrap=True, width=100)
    with Display(console).watching(LIMITS, lambda: 500) as watch:
        for number in range(5000):
            watch.line(f"line {number}")
            watch.sample(sample())
        caught.go_on.set()
    shown = re.findall(r"line (\d+)", caught.getvalue())
    assert shown[-1] == "4999"
    assert 1000 <= len(shown) <= 2000


def test_a_screen_that_stays_stopped_does_not_keep_a_run_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_display, "_PATIENCE_S", 0.01)
    caught = Stopped()
    try:
        with Display(Console(file=caught, force_terminal=True)).watching(
            LIMITS, lambda: 5
        ) as watch:
            watch.sample(sample())
            watch.line("one")
    finally:
        caught.go_on.set()


def test_a_terminal_that_has_gone_does_not_end_a_run() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with Display(Console(file=Gone())).watching(LIMITS, lambda: 5) as watch:
        watch.line("one")
        watch.sample(sample())
