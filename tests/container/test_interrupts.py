"""Ctrl-C as scripts send it: to the whole group of `uv run`, at any moment, once or more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.errors import Verdict
from posebowl.results import history, result
from tests.scratch import typing_environment

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed"),
]


def started(folder: Path) -> subprocess.Popen[str]:
    """Start a run that goes on until it is ended, and return once main.sh has spoken."""
    with zipfile.ZipFile(folder / "submission.zip", "w") as archive:
        archive.writestr("main.sh", "echo started\nexec sleep 600\n")
    argv = ["uv", "run", "invoke", "run", "--engine", "embedded", "--data", "data/demo"]
    process = subprocess.Popen(
        [*argv, "--zip", folder / "submission.zip", "--out", folder / "out"],
        cwd=paths.ROOT,
        env=typing_environment(folder) | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "started" in line:
            return process
    pytest.fail(f"the run ended early: {said}")


@pytest.mark.parametrize("gaps_s", [(), (0.02,), (0.3,), (0.1, 0.1, 0.1), (1.0,)])
def test_an_interrupted_run_has_a_verdict_a_report_and_its_place_in_the_history(
    gaps_s: tuple[float, ...], tmp_path: Path
) -> None:
    process = started(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    for gap_s in gaps_s:
        time.sleep(gap_s)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == Verdict.INTERRUPTED.exit_code, said
    found = result.read(tmp_path / "out" / "result.json")
    assert found.verdict is Verdict.INTERRUPTED
    assert (tmp_path / "out" / "report.html").is_file()
    kept, broken = history.runs(tmp_path / "out")
    assert [run.result for run in kept] == [found]
    assert broken == []
    assert not list((tmp_path / "out").glob(".run-*"))
