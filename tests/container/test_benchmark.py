"""The benchmark's own zip through `invoke run`, as a competitor types it, on each engine."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from posebowl import paths
from posebowl.challenge import EngineName
from posebowl.engines import Engine

GOLDEN = paths.ROOT / "tests" / "unit" / "solutions" / "test_golden.csv"

pytestmark = pytest.mark.container


@pytest.fixture
def engine(engine: Engine) -> EngineName:
    """Return the name of each engine in turn, as it is typed."""
    return engine.name


def invoke(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "invoke", *words]
    return subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=False)


def boxes(path: Path) -> dict[str, list[int]]:
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    return {name: [int(edge) for edge in edges] for name, *edges in rows}


def test_the_benchmark_runs_and_finds_what_it_always_found(engine: EngineName, tmp_path: Path):
    tmp_path.chmod(0o755)
    archive, out = tmp_path / "submission.zip", tmp_path / "out"
    packed = invoke("pack", "--solution", "benchmark", "--out", str(archive))
    assert packed.returncode == 0, packed.stderr

    done = invoke(
        *("run", "--engine", engine, "--zip", str(archive), "--data", str(paths.DEMO_DATA)),
        *("--out", str(out), "--waive", "cpus", "--json"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["verdict"] == "OK"
    assert result["score"]["mean_iou"] > 0.8
    golden, found = boxes(GOLDEN), boxes(out / "submission.csv")
    assert list(found) == list(golden)
    worst = max(np.abs(np.array(found[name]) - golden[name]).max() for name in golden)
    assert worst <= 1
    assert "could not be read" not in (out / "log.txt").read_text()
