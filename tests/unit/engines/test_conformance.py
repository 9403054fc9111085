"""What `invoke selftest` asks of an engine, tried on one that is made up and on none at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl.engines import self_check
from posebowl.engines.base import RunSpec
from posebowl.engines.cases import CASES
from posebowl.engines.embedded import namespaces
from tests.run_bench import FakeEngine
from tests.typed import invoke


def copies(spec: RunSpec) -> None:
    (spec.output / "submission.csv").write_bytes(spec.submission_format.read_bytes())


@pytest.mark.parametrize("runtime", ["", "runsc"])
def test_the_runtime_that_is_asked_for_starts_every_case(tmp_path: Path, runtime: str) -> None:
    engine = FakeEngine(writes=copies)
    cases = [case for case in CASES if case.name in {"ok_min", "exit7"}]
    rows = self_check(engine, cache=tmp_path, cases=cases, folder=tmp_path, runtime=runtime)
    assert [row.passed for row in rows] == [True, False], rows
    assert [spec.runtime for spec in engine.specs] == [runtime, runtime]


@pytest.mark.skipif(namespaces.problem() is not None, reason="no namespaces here")
def test_an_engine_that_cannot_have_it_is_not_tested_without(tmp_path: Path) -> None:
    done = invoke("selftest", "--engine", "embedded", "--runtime", "runsc", cwd=tmp_path)
    assert done.returncode == 20
    assert "The embedded engine has no runtime runsc." in done.stderr
    assert done.stdout == ""
