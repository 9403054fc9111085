"""The check at the end of a session: it finds what was started, and only that."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from posebowl import paths
from tests.leftovers import VARIABLE, is_probe, processes

SLEEP = "import time; time.sleep(60)"
UP_AND_SLEEP = f"print('up', flush=True); {SLEEP}"


def test_a_process_that_outlives_its_parent_is_found() -> None:
    popen = f'subprocess.Popen([sys.executable, "-c", {UP_AND_SLEEP!r}], stdout=-1)'
    start = f"import subprocess, sys; {popen}.stdout.readline()"
    env = {**os.environ, VARIABLE: "of this test"}
    subprocess.run([sys.executable, "-c", start], env=env, check=True)
    (found,) = processes("of this test", 0)
    assert SLEEP in found
    subprocess.run(["kill", found.partition(":")[0]], check=True)
    assert processes("of this test", 10) == []


def test_this_process_and_those_of_other_sessions_are_not_found() -> None:
    argv = [sys.executable, "-c", SLEEP]
    with subprocess.Popen(argv, env={**os.environ, VARIABLE: "of another"}) as other:
        assert processes("of this test", 0) == []
        other.kill()


def test_a_session_fails_for_what_it_leaves(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests import leftovers\n"
        "leftovers.PATIENCE_S = 0\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(leftovers.Leftovers())\n"
    )
    (tmp_path / "test_one.py").write_text(
        "import subprocess, sys, tempfile\n"
        "def test_one():\n"
        "    tempfile.mkdtemp(prefix='mine')\n"
        f"    argv = [sys.executable, '-c', {UP_AND_SLEEP!r}]\n"
        "    assert subprocess.Popen(argv, stdout=subprocess.PIPE).stdout.readline()\n"
    )
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if line.startswith("LEFT BEHIND ")]
    for line in found:
        if line.split()[2] == "process":
            subprocess.run(["kill", line.split()[3].rstrip(":")], check=True)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert [line.split()[2] for line in found] == ["process", "file"]
    assert Path(found[1].split()[3]).name.startswith("mine")
    assert not Path(found[1].split()[3]).exists()


def test_what_tempfile_tries_a_folder_with_is_no_leftover(tmp_path: Path) -> None:
    """Killed while it does so: its file is kept from being removed."""
    probe = "import os, tempfile\nos.unlink = lambda *_: os._exit(1)\ntempfile.gettempdir()\n"
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    assert subprocess.run([sys.executable, "-c", probe], env=env, check=False).returncode == 1
    [left] = tmp_path.iterdir()
    assert is_probe(left)
    left.write_bytes(b"of somebody")
    assert not is_probe(left)
    assert not is_probe(left.rename(tmp_path / "mine"))


def test_temporary_files_go_into_the_folder_of_the_session() -> None:
    assert Path(os.environ["TMPDIR"]) == Path(tempfile.gettempdir())
    assert Path(tempfile.gettempdir()).name.startswith("tests-")
