"""A file that one process holds at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from posebowl.util.lock import held_alone


def test_it_is_the_lock_of_filelock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path), pytest.raises(BlockingIOError), held_alone(path):
        pass
    with held_alone(path), pytest.raises(Timeout), FileLock(path, timeout=0):
        pass
    with held_alone(path):
        pass


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import os, sys; from pathlib import Path; from posebowl.util.lock import held_alone\n"
        "with held_alone(Path(sys.argv[1])): print(flush=True); sys.stdin.read(1); os._exit(9)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(BlockingIOError), held_alone(path):
            pass
        child.communicate(b"x")
    assert child.returncode == 9
    with held_alone(path):
        pass


def test_what_a_block_raises_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held_alone(tmp_path / "lock"):
        raise KeyError
    with pytest.raises(FileNotFoundError), held_alone(tmp_path / "none/lock"):
        pass


def test_a_child_that_outlives_the_killed_holder_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from posebowl.util.lock import held_alone\n"
        "with held_alone(Path(sys.argv[1])):\n"
        "    if os.fork() == 0: sys.stdin.read(1); os._exit(0)\n"
        "    os.kill(os.getpid(), 9)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE) as holder:
        assert holder.wait() == -signal.SIGKILL
        with pytest.raises(Timeout), FileLock(path, timeout=0):
            pass  # the child lives
        assert holder.stdin is not None
        threading.Timer(0.2, holder.stdin.close).start()
        with held_alone(path), pytest.raises(Timeout), FileLock(path, timeout=0):
            pass
