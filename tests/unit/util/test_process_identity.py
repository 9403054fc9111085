"""Whether the process that made something is still alive."""

from __future__ import annotations

import os

import psutil

from posebowl.util.process_identity import is_orphan, owner


def test_an_orphan_is_one_whose_process_on_this_machine_is_dead() -> None:
    mine = owner()
    host, pid, started = mine.rsplit(":", 2)
    assert pid == str(os.getpid())
    assert not is_orphan(mine)
    assert is_orphan(f"{host}:{pid}:{float(started) - 5:.2f}")
    unused = max(psutil.pids()) + 100_000
    assert is_orphan(f"{host}:{unused}:{started}")
    assert not is_orphan(f"another-{host}:{unused}:{started}")
    assert not is_orphan("")
    assert not is_orphan("nonsense")
