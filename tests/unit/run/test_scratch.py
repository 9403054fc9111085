"""The folders of a run are its own while it lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl.engines.base import RunSpec
from posebowl.errors import Verdict
from tests.run_bench import Bench, FakeEngine, valid


@pytest.fixture
def bench(tmp_path: Path, data_folder: Path) -> Bench:
    """Return a folder to run in."""
    return Bench(tmp_path, data_folder)


def test_no_other_user_reaches_what_a_run_makes(bench: Bench, each_umask: int) -> None:
    """A program with the set-user-id bit would give them the account of whoever runs it."""
    modes: list[int] = []

    def look(spec: RunSpec) -> None:
        (scratch,) = {spec.output.parent, spec.scratch.parent, spec.log.parent.resolve()}
        modes.append(scratch.stat().st_mode & 0o777)
        valid(spec)

    assert bench.run(FakeEngine(look)).verdict is Verdict.OK
    assert [mode & 0o077 for mode in modes] == [0], each_umask
