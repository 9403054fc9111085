"""The command for a lent GPU machine, all of it, on the CPU with tiny numbers."""

import argparse
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
def carried(tmp_path_factory) -> Path:
    """Pack a pool in two pieces, as a person would."""
    folder = tmp_path_factory.mktemp("sources")
    words = ["--data", make(folder / "data", 6), "--cutouts", make(folder / "cutouts", 3, 4)]
    words += ["--backgrounds", make(folder / "backgrounds", 3), "--out", folder / "carried"]
    done = command("pack", *words, "--piece", "0.007")
    sizes = json.loads(done.stdout)
    assert len(sizes) >= 2
    assert sizes == {piece.name: piece.stat().st_size for piece in (folder / "carried").iterdir()}
    return folder / "carried"


def command(*words: str | Path | int) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "benchmarks.gpu", *map(str, words)]
    return subprocess.run(argv, cwd=paths.ROOT, check=False, capture_output=True, text=True)


def test_every_step_runs_and_leaves_weights_and_curves(carried, tmp_path):
    val, out = make(tmp_path / "val", 3), tmp_path / "out"
    words = ["--pool", carried, "--out", out, "--val", val, "--device", "cpu"]
    done = command("run", *words, "--steps", 1, "--batch", 2, "--count", 2)
    steps = json.loads((out / "steps.json").read_text())
    assert {step["step"]: step["exit_code"] for step in steps} == dict.fromkeys(gpu.STEPS, 0), steps
    assert done.returncode == 0
    speed = next(step["output"] for step in steps if step["step"] == "speed")
    assert '"name": "reference"' in speed
    for kind, name in gpu.FILES.items():
        assert (out / name).read_bytes() != (gpu.OWN / name).read_bytes()
        assert (out / kind / "last.pt").is_file()
        assert (out / kind / "curves.csv").read_text().count("\n") >= 3
    with (out / "submission.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3
    # A later call begins at what this one brought back, and measures alone if asked to.
    later = command("run", *words[:-2], "--only", "shipped", "--start", out, "--device", "cpu")
    assert later.returncode == 0
    assert [step["step"] for step in json.loads((out / "steps.json").read_text())] == ["shipped"]


def asked(monkeypatch, *words: str | Path) -> argparse.Namespace:
    line = ["gpu", "run", "--pool", "p", "--out", "o", *map(str, words)]
    monkeypatch.setattr(sys, "argv", line)
    return gpu.parse()


def test_both_networks_begin_at_the_given_ones(carried, tmp_path, monkeypatch):
    earlier, wide = tmp_path / "earlier", tmp_path / "wide"
    args = asked(monkeypatch, "--pool", carried, "--start", earlier, "--teacher", wide)
    search, refine = gpu.steps(args)["train"]
    for words, name in ((search, "model.onnx"), (refine, "refiner.onnx")):
        assert words[words.index("--start") + 1] == str(earlier / name)
        assert words[words.index("--teacher") + 1] == str(wide / name)
    assert search.count("--pool") == len(list(carried.iterdir()))
    assert float(search[search.index("--minutes") + 1]) == pytest.approx(5.5)


def test_only_networks_like_the_shipped_ones_begin_at_these(monkeypatch):
    search, _ = gpu.steps(asked(monkeypatch))["train"]
    assert search[search.index("--start") + 1] == str(gpu.OWN / "model.onnx")
    for words in gpu.steps(asked(monkeypatch, "--model", "yolo26s.yaml"))["train"]:
        assert "--start" not in words
        assert "--teacher" not in words
        assert words[words.index("--model") + 1] == "yolo26s.yaml"


def test_what_is_not_trained_is_exported_as_it_was(monkeypatch):
    [export] = gpu.steps(asked(monkeypatch, "--train", "search"))["export"]
    assert export[export.index("--weights") + 1] == str(Path("o") / "search" / "last.pt")
    assert export[export.index("--refiner") + 1] == str(gpu.OWN / "refiner.onnx")
    asking = asked(monkeypatch, "--train", "search", "--model", "yolo26s.yaml")
    [export] = gpu.steps(asking)["export"]
    assert "--weights" in export
    assert "--refiner" not in export


def test_what_is_missing_or_in_the_way_is_said_in_a_sentence(carried, tmp_path):
    photos, bare = make(tmp_path / "photos", 1), tmp_path / "bare"
    words = ["--data", photos, "--cutouts", bare, "--backgrounds", photos, "--out"]
    for out, says in ((carried, "already has a pool."), (tmp_path / "new", "has no pictures.")):
        done = command("pack", *words, out)
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    done = command("run", "--pool", bare, "--out", tmp_path / "out")
    assert "has no pool." in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode


def test_a_step_that_takes_too_long_is_ended():
    quick = [sys.executable, "-c", "print('quick')"]
    slow = [sys.executable, "-uc", "import time; print('begun'); time.sleep(60)"]
    code, output = gpu.execute([quick, slow], 2)
    assert (code, output.split()) == (124, ["quick", "begun"])
