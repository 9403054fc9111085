"""Modules of this project that run in another environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from posebowl import paths
from posebowl.cli import child
from posebowl.errors import EngineError
from posebowl.util.options import Option
from posebowl.util.values import whole

HERE = Path(sys.executable)


@dataclass(frozen=True, kw_only=True)
class Asked:
    count: Annotated[int, Option(whole(1, 3), "how many")] = 3


TASK = """
import dataclasses, sys
from posebowl.cli import child
sys.exit(child.run(sys.executable, "saver", dataclasses.make_dataclass("None_", [])()))
"""
SAVER = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    print("started", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1.5)  # subprocess.run would wait for a quarter of a second
    print("saved", flush=True)
    sys.exit(7)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a module that prints its arguments and where it finds this project, and ends with 5."""
    text = "import os, sys; print(sys.argv[1:], os.environ['PYTHONPATH']); sys.exit(5)"
    (tmp_path / "asked_for.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return "asked_for"


def test_a_module_gets_its_options(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert child.run(HERE, module, Asked()) == 5
    assert capfd.readouterr().out == f"['--count=3'] {paths.ROOT}\n"


def test_programs_hear_of_a_module_that_failed(
    module: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert child.run(HERE, module, Asked(), as_json=True) == 5
    said = capfd.readouterr()
    assert json.loads(said.out)["error"]["exit_code"] == 5
    assert "['--count=3']" in said.err


@pytest.mark.parametrize("to_all", [True, False], ids=["terminal", "kill"])
def test_an_interrupted_module_may_save_its_work(tmp_path: Path, to_all: bool) -> None:
    """By Ctrl-C, which a terminal sends to all of its programs, or by SIGTERM to the task alone."""
    (tmp_path / "saver.py").write_text(SAVER)
    running = subprocess.Popen(
        [sys.executable, "-c", TASK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(paths.ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout
    assert running.stdout.readline() == "started\n"
    if to_all:
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.terminate()
    assert running.communicate(timeout=60)[0] == "saved\n"
    assert running.returncode == 7


@pytest.mark.usefixtures("module")
def test_nothing_is_printed_for_a_module_that_did_its_work(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "quiet.py").write_text("")
    assert child.run(HERE, "quiet", Asked(), as_json=True) == 0
    assert capfd.readouterr().out == ""


def test_a_damaged_environment_is_not_entered_again_and_again() -> None:
    with pytest.raises(EngineError, match="is damaged"):
        child.become(Path(sys.prefix, "bin", "python"), "posebowl.cli", ["evaluate"])


def test_lacks() -> None:
    assert child.lacks("json", "no_such_module_here")
    assert not child.lacks("json", "sys")
