"""Whether the process that made something is still alive, and the folders of dead ones."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from posebowl.util.process_identity import is_orphan, owned_folder, owner


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


def test_the_folder_of_a_killed_process_goes_and_that_of_a_live_one_stays(tmp_path: Path) -> None:
    killed = owner().replace(f":{os.getpid()}:", ":4194305:").replace(":", "+")
    alive = owner().replace(":", "+")
    for name in (f"{killed}+abc/.run-1", f"{alive}+abc", "mine"):
        (tmp_path / name).mkdir(parents=True)
    with owned_folder(tmp_path) as own:
        assert {path.name for path in tmp_path.iterdir()} == {f"{alive}+abc", "mine", own.name}
        assert own.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in tmp_path.iterdir()} == {f"{alive}+abc", "mine"}
