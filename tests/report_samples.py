"""Runs for the tests of the report: one that passed, with photos, predictions and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageDraw

from posebowl.challenge import BOX_COLUMNS, GIB, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.engines.base import Sample
from posebowl.errors import Verdict
from posebowl.results.result import Meter, Result, Timing

Box = tuple[int, int, int, int]


def passed(images: int = 6) -> Result:
    """Return a run that passed."""
    samples = tuple(
        Sample(elapsed_s=0.5 * i, memory_bytes=(200 + 40 * i) << 20, cpu_s=1.2 * i)
        for i in range(1, 12)
    )
    return Result(
        run_id="20240501-120000-abc123",
        verdict=Verdict.OK,
        message="main.sh ran within its limits and wrote valid predictions.",
        fix="",
        engine="embedded",
        variant="cpu",
        archive={"path": "submission/submission.zip", "sha256": "0f" * 32, "bytes": 4096},
        data={"root": "data/demo", "images": images, "labelled": True, "demo": True},
        timing=Timing(
            started_at="2024-05-01T12:00:00+00:00",
            start_s=0.11,
            wall_s=6.0,
            images_per_second=images / 6.0,
        ),
        exit_code=0,
        meters={
            "time": Meter(used=6.0, limit=6300.0, unit="s"),
            "memory": Meter(used=float(640 << 20), limit=float(4 * GIB), unit="bytes"),
            "cpu": Meter(used=2.4, limit=3.0, unit="cores"),
            "output": Meter(used=4e6, limit=float(8 * GIB), unit="bytes"),
            "log": Meter(used=900.0, limit=float(8 << 20), unit="bytes"),
        },
        environment={"environment": "lean", "lock": "ab" * 32, "python": "3.11.9"},
        samples=samples,
    )


def table(ids: list[str], boxes: list[Box]) -> pl.DataFrame:
    """Make a frame of predictions or labels."""
    array = np.array(boxes, dtype=np.int32).reshape(-1, 4)
    columns = {column: array[:, i] for i, column in enumerate(BOX_COLUMNS)}
    return pl.DataFrame({"image_id": ids, **columns}, schema_overrides={"image_id": pl.String})


def names(count: int) -> list[str]:
    """Return image_ids like those of the challenge."""
    return [f"{i:032x}" for i in range(count)]


def truths(count: int) -> list[Box]:
    """Return boxes of many sizes, in rows over the photo."""
    sides = [20 + 37 * (i % 9) for i in range(count)]
    return [
        (40 + 97 * (i % 8), 30 + 61 * (i % 10), 40 + 97 * (i % 8) + side, 30 + 61 * (i % 10) + side)
        for i, side in enumerate(sides)
    ]


def shifted(boxes: list[Box]) -> list[Box]:
    """Return boxes that fit each a little worse than the one before."""
    return [(x1 + i, y1, x2 + i, y2) for i, (x1, y1, x2, y2) in enumerate(boxes)]


def paint(folder: Path, ids: list[str], boxes: list[Box], *, grain: int = 16) -> Path:
    """Write a photo for each box: a bright square on a dark, slightly noisy ground.

    Args:
        folder: Created if missing.
        ids: Of the photos.
        boxes: One for each photo.
        grain: Side of the squares of noise, in pixels. Noise of each pixel takes PNG 0.2 s.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = (IMAGE_HEIGHT // grain, IMAGE_WIDTH // grain, 3)
    noise = np.random.default_rng(1).integers(0, 24, shape, np.uint8)
    ground = noise.repeat(grain, axis=0).repeat(grain, axis=1)
    for name, box in zip(ids, boxes, strict=True):
        photo = Image.fromarray(ground)
        ImageDraw.Draw(photo).rectangle(box, fill=(190, 180, 150))
        photo.save(folder / f"{name}.png", compress_level=1)
    return folder
