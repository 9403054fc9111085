"""The suite of the virtual machine, run in it by its user and by root, once for each engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from posebowl import paths
from posebowl.challenge import EngineName
from posebowl.engines import Engine, Watcher, select, self_check
from posebowl.engines.cases import CASES
from posebowl.engines.cgroups import reader
from posebowl.errors import Verdict
from posebowl.settings import resolve
from tests.container.conftest import photos, spec_of  # noqa: F401  # fixtures
from tests.container.heard import SpecMaker

pytestmark = pytest.mark.container

MIB = 1 << 20
DOZEN = (
    *("ok_min", "noterm", "hog_in_unnamed_files", "forks", "fill", "no_host_files"),
    *("network", "closed_results", "forged_end", "kills_everything", "denied_calls", "i386"),
)
"""What each engine must pass where all engines are tested; alone, it must pass all cases."""


@pytest.fixture
def engine() -> Engine:
    """Return the engine of this suite, which must work."""
    made = select.make(EngineName(os.environ["ENGINE"]))
    assert made.unavailable() is None
    return made


@pytest.fixture
def command(engine: Engine, tmp_path: Path) -> Iterator[list[str]]:
    """Return how to run a zip on the engine; nothing may be left of it, wherever it was killed."""
    words = [sys.executable, "-m", "posebowl.cli", "run", "--engine", engine.name]
    yield [*words, "--out", str(tmp_path / "out")]
    engine.reap()
    assert eventually(lambda: not first_processes())
    assert eventually(lambda: not groups())


def eventually(condition: Callable[[], object], seconds: float = 120.0) -> bool:
    """Return whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not (met := bool(condition())) and time.monotonic() < end:
        time.sleep(0.2)
    return met


def first_processes() -> list[int]:
    """List the numbers of processes that are process 1 of a run."""
    found = psutil.process_iter(["cmdline"])
    return [
        process.pid
        for process in found
        if "/opt/posebowl/entrypoint.sh" in (process.info["cmdline"] or [])[:3]
    ]


def groups() -> list[Path]:
    """List the control groups of embedded runs."""
    return [Path(path) for path, _, _ in os.walk(reader.MOUNT) if "/posebowl-" in path]


def held(group: Path, file: str) -> str:
    """Return what the kernel holds a group to: its own limit, or that of the nearest above."""
    for place in (group, *group.parents):
        if place == reader.MOUNT:
            return "max"
        if not (text := (place / file).read_text().strip()).startswith("max"):
            return text
    return "max"


def test_the_quickstart_is_held_to_all_limits(command: list[str], tmp_path: Path) -> None:
    archive = tmp_path / "submission.zip"
    pack = ["pack", "quickstart", "--out", str(archive)]
    subprocess.run([sys.executable, "-m", "posebowl.cli", *pack], check=True, cwd=paths.ROOT)
    subprocess.run([*command, str(archive)], check=True, cwd=paths.ROOT)
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["verdict"] == "OK"
    assert result["unenforced"] == {}
    assert result["score"]["images"] == 24


def test_the_kernel_s_own_files_say_so(engine: Engine, spec_of: SpecMaker) -> None:  # noqa: F811
    limits = {"memory_bytes": 700 * MIB, "processes": 99, "cpus": 2}
    spec = spec_of("true", **limits)
    seen: dict[str, str] = {}

    def look() -> None:
        """Read the limits while the run waits for its start."""
        group = next(filter(None, map(reader.of_process, first_processes()))).place
        for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max"):
            seen[name] = held(group, name)

    engine.prepare(spec, Watcher())
    outcome = engine.execute(spec, Watcher(admit=look))
    assert seen["memory.max"] == str(700 * MIB)
    assert seen["memory.swap.max"] == "0"
    assert seen["pids.max"] == "99"
    quota, period = map(int, seen["cpu.max"].split())
    assert quota == 2 * period
    assert outcome.unenforced == {}


HOLD = "held = bytes([1]) * (300 << 20)"


def test_a_kill_for_lack_of_memory_is_counted(engine: Engine, spec_of: SpecMaker) -> None:  # noqa: F811
    spec = spec_of(f"python -c '{HOLD}'", memory_bytes=200 * MIB)
    engine.prepare(spec, Watcher())
    outcome = engine.execute(spec, Watcher())
    assert outcome.verdict(spec.limits) is Verdict.MEMORY_LIMIT
    assert outcome.stopped_by is None  # by the kernel, not by the watchdog
    assert outcome.oom_kills == 1


def test_a_peak_is_seen(engine: Engine, spec_of: SpecMaker) -> None:  # noqa: F811
    spec = spec_of(f"python -c '{HOLD}'\ncat ../data/images/*.png > /dev/null")
    engine.prepare(spec, Watcher())
    outcome = engine.execute(spec, Watcher())
    assert outcome.exit_code == 0
    assert 300 * MIB <= outcome.peak_memory_bytes < 400 * MIB


def test_honest_and_hostile_programs(engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    cases = [case for case in CASES if os.environ["ONLY"] or case.name in DOZEN]
    rows = self_check(
        engine,
        cache=resolve.load().cache,
        cases=cases,
        folder=tmp_path,
        told=lambda row: print(engine.name, row.case, row.got, f"{row.seconds:.0f} s", row.why),
    )
    assert [f"{row.case}: {row.why}" for row in rows if not row.passed] == []
    assert len(rows) == len(cases)  # none is left out, as it is where a watchdog limits memory


def test_nothing_is_left_of_a_killed_harness(
    command: list[str],
    spec_of: SpecMaker,  # noqa: F811
) -> None:
    spec = spec_of("sleep 1000")
    words = [*command, str(spec.archive)]
    with subprocess.Popen(words, cwd=paths.ROOT) as harness:
        assert eventually(first_processes)
        os.kill(harness.pid, signal.SIGKILL)
    # `command` looks for what is left.
