"""The command for a lent GPU machine, all of it, on the CPU with tiny numbers."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")

from benchmarks.gpu import __main__ as gpu
from posebowl import paths

STEPS = ["train", "export", "trained", "shipped", "speed", "solution"]


def make(folder: Path, names: int, channels: int = 3) -> Path:
    """Pictures of a white rectangle, with tables; cut-outs have none."""
    (folder / "images").mkdir(parents=True)
    rows = ["image_id,xmin,ymin,xmax,ymax"]
    for number in range(names):
        pixels = np.full((1024, 1280, channels), number, np.uint8)
        pixels[60:150, 40:160] = 230
        cv2.imwrite(str(folder / "images" / f"{number}.png"), pixels)
        rows.append(f"{number},40,60,160,150")
    for table in ("train_labels.csv", "submission_format.csv"):
        (folder / table).write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    return {
        kind: make(folder / kind, 12 if kind == "data" else 3, 4 if kind == "cutouts" else 3)
        for kind in gpu.KINDS
    }


def test_what_is_carried_fits_the_budget(sources, tmp_path):
    one = (sources["data"] / "images" / "0.png").stat().st_size
    counts = gpu.pack(sources, tmp_path / "carried", 14 * one)
    carried = list((tmp_path / "carried").rglob("*.png"))
    assert sum(path.stat().st_size for path in carried) <= 14 * one
    assert len(carried) == sum(counts.values())
    assert min(counts.values()) >= 2
    assert counts["data"] > counts["val"]  # it gets what the others leave
    with (tmp_path / "carried" / "data" / "train_labels.csv").open() as file:
        assert len(list(csv.DictReader(file))) == counts["data"]


@pytest.mark.parametrize("role", ["search", "refine"])
def test_every_step_runs_and_leaves_weights_and_curves(role, sources, tmp_path):
    gpu.pack(sources, tmp_path / "carried", gpu.BUDGET)
    words = ["--carried", tmp_path / "carried", "--out", tmp_path / "out", "--device", "cpu"]
    words += ["--role", role, "--steps", 1, "--size", "64x64", "--batch", 2, "--count", 2]
    argv = [sys.executable, "-m", "benchmarks.gpu", "run", *map(str, words)]
    done = subprocess.run(argv, cwd=paths.ROOT, check=False, capture_output=True, text=True)
    steps = json.loads((tmp_path / "out" / "steps.json").read_text())
    assert {step["step"]: step["exit_code"] for step in steps} == dict.fromkeys(STEPS, 0), steps
    assert done.returncode == 0
    speed = next(step["output"] for step in steps if step["step"] == "speed")
    assert '"name": "reference"' in speed
    for name, trained in (("model.onnx", role == "search"), ("refiner.onnx", role == "refine")):
        pair = (tmp_path / "out" / name).read_bytes(), (gpu.OWN / name).read_bytes()
        assert (pair[0] != pair[1]) == trained
    assert gpu.earlier(tmp_path / "out" / "train") >= 0
    assert (tmp_path / "out" / "train" / "last.pt").is_file()
    with (tmp_path / "out" / "submission.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3


def test_a_step_that_takes_too_long_is_ended():
    code, output = gpu.execute(
        [sys.executable, "-uc", "import time; print('begun'); time.sleep(60)"], 2
    )
    assert (code, output.strip()) == (124, "begun")
