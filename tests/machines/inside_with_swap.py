"""Memory on a kernel that does not account for swap, on a machine that has some."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from posebowl.challenge import EngineName, Limit
from posebowl.engines import Engine, Watcher
from posebowl.engines.cgroups import reader
from posebowl.errors import LimitUnenforcedError, Verdict
from tests.container.conftest import photos, spec_of  # noqa: F401  # fixtures
from tests.container.heard import SpecMaker
from tests.machines.inside import MIB, engine  # noqa: F401  # fixture

pytestmark = pytest.mark.container

SWAPS = "python -c 'import time; held = bytes([1]) * (400 << 20); time.sleep(60)'"
"""Holds more than it may, and long enough for a watchdog on a slow machine."""


def test_this_kernel_does_not_count_swap() -> None:
    names = {name for _, _, files in os.walk(reader.MOUNT) for name in files}
    assert "memory.limit_in_bytes" in names
    assert not names & {"memory.memsw.limit_in_bytes", "memory.swap.max"}
    assert len(Path("/proc/swaps").read_text().splitlines()) == 2  # a heading, and a file


def test_memory_that_is_swapped_counts(engine: Engine, spec_of: SpecMaker) -> None:  # noqa: F811
    spec = dataclasses.replace(
        spec_of(SWAPS, memory_bytes=200 * MIB, wall_time_s=300.0), waived=frozenset({Limit.MEMORY})
    )
    engine.prepare(spec, Watcher())
    outcome = engine.execute(spec, Watcher())
    assert outcome.verdict(spec.limits) is Verdict.MEMORY_LIMIT
    assert Limit.MEMORY in outcome.unenforced
    assert outcome.oom_kills == 0  # the kernel had swapped; the watchdog stopped it


def test_what_does_not_hold_is_said(engine: Engine, spec_of: SpecMaker) -> None:  # noqa: F811
    spec = spec_of("true")
    engine.prepare(spec, Watcher())
    if engine.name is EngineName.DOCKER:
        with pytest.raises(LimitUnenforcedError, match="does not count swap"):
            engine.execute(spec, Watcher())
        return
    said = engine.execute(spec, Watcher()).unenforced[Limit.MEMORY]
    why = "does not count swap" if os.geteuid() == 0 else "no control group"
    assert why in said
