"""Each solution as the platform starts it: `sh main.sh` in a folder beside data and submission."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posebowl import paths

HEADER = ["image_id", "xmin", "ymin", "xmax", "ymax"]


@pytest.fixture(params=["quickstart", "template", "benchmark"])
def solution(request):
    """Name each solution whose packages are here."""
    if request.param != "quickstart":
        pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")
    if request.param == "benchmark":
        pytest.importorskip("onnxruntime", reason="needs the lean group")
    return request.param


@pytest.fixture
def place(tmp_path):
    """Lay out /code_execution."""
    for name in ("data/images", "submission", "workdir"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def ask_for(place, ids):
    rows = "".join(f"{name},0,0,1280,1024\n" for name in ids)
    (place / "data/submission_format.csv").write_text(",".join(HEADER) + "\n" + rows)


def photo(place, image_id, pixels):
    Image.fromarray(pixels).save(place / "data/images" / f"{image_id}.png")


def start(place, solution):
    """Run a solution; return its rows and its log."""
    shutil.copytree(
        paths.SOLUTIONS / solution,
        place / "workdir",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "main.sh"],
        cwd=place / "workdir",
        env={**os.environ, "PATH": search},
        capture_output=True,
        text=True,
        check=False,
    )
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert [path.name for path in (place / "submission").iterdir()] == ["submission.csv"]
    with (place / "submission/submission.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == HEADER
    return [(name, *(int(edge) for edge in edges)) for name, *edges in rows], log


def check(rows, ids):
    assert [row[0] for row in rows] == ids
    for _, xmin, ymin, xmax, ymax in rows:
        assert 0 <= xmin < xmax <= 1280
        assert 0 <= ymin < ymax <= 1024


def test_no_photos(place, solution):
    ask_for(place, [])
    rows, log = start(place, solution)
    assert rows == []
    assert "0/0 images" in log


def test_one_photo(place, solution):
    ask_for(place, ["7" * 32])
    photo(place, "7" * 32, np.zeros((1024, 1280, 3), np.uint8))
    rows, log = start(place, solution)
    check(rows, ["7" * 32])
    assert "1/1 images" in log


KINDS = [
    "text", "grey", "deep", "clear", "tiny", "narrow", "colour", "large", "wide", "missing",
    "empty", "cut",
]  # fmt: skip


@pytest.fixture(scope="module")
def photos_of_every_kind(tmp_path_factory):
    """Write photos of every kind, files that are none, and half a photo."""
    folder = tmp_path_factory.mktemp("kinds")
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 255, (1024, 1280), np.uint8)
    kinds = {
        "grey": grey,
        "deep": grey.astype(np.uint16) * 257,
        "clear": np.dstack([grey] * 4),
        "tiny": np.full((1, 1, 3), 255, np.uint8),
        "narrow": rng.integers(0, 255, (1024, 9, 3), np.uint8),
        "colour": np.dstack([grey] * 3),
        "large": np.dstack([grey.repeat(2, 0).repeat(2, 1)] * 3),
        "wide": np.dstack([rng.integers(0, 255, (9, 5000), np.uint8)] * 3),
    }
    for name, pixels in kinds.items():
        Image.fromarray(pixels).save(folder / f"{name}.png", compress_level=1)
    (folder / "text.png").write_text("not a photo")
    (folder / "empty.png").touch()
    whole = (folder / "colour.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    assert {path.stem for path in folder.iterdir()} == {*KINDS} - {"missing"}
    return folder


def test_photos_of_every_kind(place, solution, photos_of_every_kind):
    (place / "data/images").rmdir()
    (place / "data/images").symlink_to(photos_of_every_kind)
    ask_for(place, KINDS)
    rows, log = start(place, solution)
    check(rows, KINDS)
    if solution != "quickstart":  # it opens no photo
        for name in ("text", "missing", "empty"):
            assert f"{name}.png" in log
        assert "libpng" not in log or solution != "benchmark"
        assert "colour.png" not in log
    boxes = dict(zip(KINDS, (row[1:] for row in rows), strict=True))
    assert boxes["text"] == boxes["missing"] == boxes["empty"]


def test_template_finds_what_stands_out(place):
    pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")
    truth = (600, 400, 720, 500)
    pixels = np.zeros((1024, 1280, 3), np.uint8)
    pixels[truth[1] : truth[3], truth[0] : truth[2]] = 180
    photo(place, "one", pixels)
    ask_for(place, ["one"])
    [row], _ = start(place, "template")
    assert np.abs(np.array(row[1:]) - truth).max() <= 12


def test_benchmark_on_the_demo_photos_is_as_ever(place):
    """Compare with what the shipped weights found when they were made: within a pixel."""
    pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")
    pytest.importorskip("onnxruntime", reason="needs the lean group")
    with (Path(__file__).parent / "test_golden.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    golden = [(name, *(int(edge) for edge in edges)) for name, *edges in rows]
    assert len(golden) == 24
    (place / "data/images").rmdir()
    (place / "data/images").symlink_to(paths.DEMO_DATA / "images")
    ask_for(place, [name for name, *_ in golden])
    found, _ = start(place, "benchmark")
    for one, other in zip(found, golden, strict=True):
        assert one[0] == other[0]
        assert np.abs(np.array(one[1:]) - other[1:]).max() <= 1, (one, other)
