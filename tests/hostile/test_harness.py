"""The harness of a run on every engine: killed, interrupted, without a disk or a screen."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from posebowl import paths
from posebowl.challenge import EngineName
from posebowl.errors import BusyError, Verdict
from posebowl.results import result
from posebowl.results.folder import held
from posebowl.run import live_display, pipeline
from posebowl.run.live_display import Display
from tests.hostile.conftest import Bench
from tests.hostile.programs import OK, Case, python

pytestmark = pytest.mark.container

PAUSE = f"9{os.getpid()}"
"""Seconds that no other process of this machine sleeps, not even another run of this suite."""


def test_a_run_does_not_see_which_programs_the_host_starts(engine, bench: Bench):
    watch = (
        "import ctypes, os, select\n"
        "libc = ctypes.CDLL(None)\n"
        "watch = libc.inotify_init()\n"
        "if watch >= 0:\n"
        "    assert libc.inotify_add_watch(watch, b'/usr/bin', 0xfff) >= 0\n"
        "print('started', flush=True)\n"
        "if watch >= 0 and select.select([watch], [], [], 1)[0]: print(os.read(watch, 9999))\n"
    )
    harness = start_harness(engine, bench, python(watch))
    while harness.poll() is None:
        subprocess.run(["/usr/bin/env", "true"], check=True)
    harness.communicate()
    assert (bench.folder / "out/log.txt").read_text() == "started\n"


def test_two_runs_at_once(engine, bench: Bench):
    request = bench.request(engine, Case(name="good", main=OK))
    with held(request.out), pytest.raises(BusyError) as caught:
        pipeline.run(request, Display(quiet=True))
    assert caught.value.exit_code == 21


def launch(
    engine: EngineName, bench: Bench, main: str, stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start `invoke run` on its own."""
    argv = [sys.executable, "-m", "invoke", "run", "--zip", bench.zip(main, {}), "--engine", engine]
    return subprocess.Popen(
        [*argv, "--data", bench.data, "--out", bench.folder / "out"],
        cwd=paths.ROOT,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def start_harness(engine: EngineName, bench: Bench, main: str) -> subprocess.Popen[str]:
    """Start `invoke run` on its own, and return when main.sh has said "started"."""
    harness = launch(engine, bench, main)
    assert harness.stdout is not None
    said = []
    for line in harness.stdout:
        said.append(line)
        if "started" in line:
            return harness
    pytest.fail(f"the harness ended early: {said}")


def test_a_killed_harness_leaves_nothing_alive_and_the_next_run_starts_clean(engine, bench: Bench):
    harness = start_harness(engine, bench, f"echo started\nexec sleep {PAUSE}94")
    harness.send_signal(signal.SIGKILL)
    harness.communicate()

    ended = bench.run(engine, Case(name="good", main=OK))

    assert ended.verdict is Verdict.OK
    assert not processes_with(f"{PAUSE}94")


@pytest.mark.parametrize("tenth", range(1, 11))
def test_a_harness_killed_at_any_moment_leaves_a_clean_start(engine, bench: Bench, tenth: int):
    main = f"echo started\n{OK}exec sleep {PAUSE}{tenth:02}"
    harness = launch(engine, bench, main, subprocess.DEVNULL)
    # Imports, archive, data, engine, start, run: the moments lie all over them.
    with pytest.raises(subprocess.TimeoutExpired):
        harness.wait(tenth * 0.25)
    harness.kill()
    harness.wait()

    ended = bench.run(engine, Case(name="good", main=OK))

    assert ended.verdict is Verdict.OK, ended.message
    assert not processes_with(f"{PAUSE}{tenth:02}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_everything_and_says_so(
    engine, bench: Bench, number: signal.Signals, times: int
):
    harness = start_harness(engine, bench, f"echo started\nexec sleep {PAUSE}95")
    for _ in range(times):
        # As a terminal does, to all that the harness has started in its group.
        os.killpg(harness.pid, number)
    rest, _ = harness.communicate()

    assert harness.returncode == 130
    assert "INTERRUPTED" in rest
    assert not processes_with(f"{PAUSE}95")
    assert result.read(bench.folder / "out/result.json").verdict is Verdict.INTERRUPTED


def processes_with(word: str, patience_s: float = 10.0) -> list[str]:
    """List command lines that hold a word, once they had time to vanish."""
    end = time.monotonic() + patience_s
    while True:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if word in line:
                found.append(line)
        if not found or time.monotonic() > end:
            return found


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_full_host_disk_is_our_failure_and_loses_nothing(engine, bench: Bench, tmp_path: Path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", small], check=True)
    try:
        mine = small / "notes.txt"
        mine.write_text("mine")
        program = Case(name="loud", main=OK + "head -c 6000000 /dev/zero | tr '\\0' 'x'")
        request = bench.request(engine, program)
        ended = pipeline.run(dataclasses.replace(request, out=small), Display(quiet=True))
        assert ended.verdict is Verdict.ENGINE_ERROR
        assert "space" in ended.message
        assert mine.read_text() == "mine"
        assert not list(small.glob(".run-*"))
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_screen_that_takes_nothing_does_not_slow_a_run(
    engine, bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    class Stopped(io.StringIO):
        go_on = threading.Event()

        def write(self, text: str) -> int:
            self.go_on.wait()
            return len(text)

    monkeypatch.setattr(live_display, "_PATIENCE_S", 0.1)
    screen = Stopped()
    program = Case(name="yes", main="yes | head -c 500000\nyes '' | head -c 1000000\n" + OK)
    try:
        display = Display(Console(file=screen, force_terminal=True))
        ended = pipeline.run(bench.request(engine, program), display)
    finally:
        screen.go_on.set()
    assert ended.verdict is Verdict.OK
    assert (bench.folder / "out/log.txt").stat().st_size == 1_500_000
