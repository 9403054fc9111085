"""Many short runs in a row leave nothing behind; RUNS_IN_A_ROW=200 makes it as many."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from posebowl.challenge import EngineName
from posebowl.engines.base import Engine, Watcher
from posebowl.engines.cgroups import reader
from posebowl.engines.oci import argv, client as oci_client
from tests.container.heard import Heard, SpecMaker

pytestmark = pytest.mark.container

RUNS = int(os.environ.get("RUNS_IN_A_ROW", "10"))


def _held() -> tuple[int, int, int]:
    """Count this process's open files, children and threads."""
    me = psutil.Process()
    return me.num_fds(), len(me.children(recursive=True)), threading.active_count()


def _mentioning(words: set[str]) -> Iterator[str]:
    """Return the command lines and mounts of this machine that contain a word."""
    lines = [" ".join(item.info["cmdline"] or []) for item in psutil.process_iter(["cmdline"])]
    lines += Path("/proc/self/mountinfo").read_text().splitlines()
    return (line for line in lines if any(word in line for word in words))


def _groups(run_ids: set[str]) -> list[Path]:
    """Return control groups of runs; engines name theirs by the container's id, and remove them."""
    found = reader.MOUNT.rglob(f"{argv.RUN_LABEL.partition('.')[0]}-*")
    return [path for path in found if any(run_id in path.name for run_id in run_ids)]


def test_nothing_is_left_behind(engine: Engine, spec_of: SpecMaker) -> None:
    first = spec_of("true")
    engine.prepare(first, Watcher())
    engine.execute(first, Watcher())
    before = _held()
    # A number that stands in no other command line of this machine.
    pause = f"{secrets.randbelow(10**9) + 10**9}"
    run_ids = set()
    for number in range(RUNS):
        spec, heard = spec_of(f"echo {number}; sleep {pause} & exit 0"), Heard()
        run_ids.add(spec.run_id)
        outcome = engine.execute(spec, heard.watcher())
        assert (outcome.exit_code, heard.lines) == (0, [str(number)])
        assert list(spec.output.iterdir()) == []
        if engine.name is not EngineName.EMBEDDED:
            left = {path.name for path in spec.scratch.iterdir()}
            assert left == {"client.txt", "seccomp.json"}
    # A leak adds one for each run. Fewer than before is none: what an earlier test had open may be
    # closed meanwhile; nor is a file or two, which libraries of earlier tests may open meanwhile.
    grown = [now - then for now, then in zip(_held(), before, strict=True)]
    assert grown[0] <= 2, (grown, before)
    assert max(grown[1:]) <= 0, (grown, before)
    assert list(_mentioning(run_ids | {pause})) == []
    assert _groups(run_ids) == []
    if engine.name is not EngineName.EMBEDDED:
        client = oci_client.connect(engine.name)
        assert client.run(*argv.listing()).stdout.split() == []
