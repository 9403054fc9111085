"""The suite that any engine must pass, on each engine that is at hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from posebowl.engines import Engine, Outcome, RunSpec, Watcher, self_check
from posebowl.engines.cases import CASES
from posebowl.errors import UsageError, Verdict
from posebowl.settings import resolve
from tests.typed import invoke

pytestmark = pytest.mark.container


def test_every_engine_passes_the_task_that_shows_it(engine: Engine, tmp_path: Path) -> None:
    page = tmp_path / "selftest.html"
    words = ("selftest", "--engine", engine.name, "--page", str(page))
    done = invoke(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    seen = {line[0]: line[1:3] for line in lines if len(line) == 4 and line[1] in list(Verdict)}
    expected = {case.name: [case.verdict, case.verdict] for case in CASES}
    assert seen.items() <= expected.items()
    assert len(seen) >= len(CASES) - 2
    assert done.stdout.endswith("all as expected\n")
    text = page.read_text()
    assert all(f">{name}</th>" in text for name in seen)
    refused = invoke(*words, cwd=tmp_path)
    assert refused.returncode == UsageError.exit_code
    assert "already exists" in refused.stderr


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


def test_every_case_is_explained() -> None:
    assert [case.name for case in CASES if not case.about] == []
