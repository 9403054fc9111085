"""The suite that any engine must pass, on each engine that is at hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from posebowl.engines import Engine, Outcome, RunSpec, Watcher, self_check
from posebowl.engines.cases import CASES
from posebowl.settings import resolve

pytestmark = pytest.mark.container


def test_every_engine_passes(engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    rows = self_check(engine, cache=resolve.load().cache, folder=tmp_path)
    assert [row.why for row in rows if not row.passed] == []
    assert len(rows) >= len(CASES) - 2
    assert list(tmp_path.iterdir()) == []


@dataclasses.dataclass
class Forgiving:
    """A real engine that reports success whatever happened."""

    engine: Engine

    def __getattr__(self, name: str) -> object:
        return getattr(self.engine, name)

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        return dataclasses.replace(self.engine.execute(spec, watch), exit_code=0)


def test_an_engine_that_hides_exit_codes_does_not(engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    cases = [case for case in CASES if case.name in {"ok_min", "exit7", "segv"}]
    rows = self_check(
        Forgiving(engine),  # type: ignore[arg-type]
        cache=resolve.load().cache,
        cases=cases,
        folder=tmp_path,
    )
    assert [row.case for row in rows if row.passed] == ["ok_min"]
