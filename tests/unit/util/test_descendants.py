"""Processes that a block started end with it, even those whose parent has gone."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from posebowl.util import descendants


def test_what_a_block_started_ends_with_it() -> None:
    with descendants.ended():
        process = subprocess.Popen(["sleep", "60"])

    assert process.wait() is not None
    assert not psutil.pid_exists(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can adopt a grandchild")
def test_a_grandchild_whose_parent_has_gone_ends_too() -> None:
    script = "sleep 60 >/dev/null 2>&1 & echo $!"
    with pytest.raises(RuntimeError), descendants.ended():  # noqa: PT012
        done = subprocess.run(
            ["setsid", "sh", "-c", script], capture_output=True, text=True, check=True
        )
        orphan = psutil.Process(int(done.stdout))
        assert orphan.ppid() == psutil.Process().pid
        raise RuntimeError

    assert not orphan.is_running()


def test_what_ran_before_the_block_outlives_it() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        with descendants.ended():
            pass
        alive = process.poll() is None
        process.kill()

    assert alive
