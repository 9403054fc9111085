"""Measure validating and scoring against a plain pandas implementation of the same checks.

    uv run python -m benchmarks.score [--rows 1000000] [--repeat 3]

Each measurement is a process of its own that validates predictions against a submission_format.csv
and scores them against labels, once, as `invoke score` would. The time is the minimum over the
repetitions, without importing libraries; the memory is the largest resident set of the process.
Two pandas readers are measured: one as strict as this project's, and one that lets pandas guess
the types, which reads "+5" and " 5" as 5.
"""
# Each process imports only what it measures, and a check that fails is a bug of this script.
# ruff: noqa: PLC0415, S101

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ["image_id", "xmin", "ymin", "xmax", "ymax"]
FILES = ("submission.csv", "submission_format.csv", "train_labels.csv")


def make_tables(folder: Path, rows: int) -> None:
    """Write predictions, a format and labels with 32-digit ids and random boxes."""
    import polars as pl

    rng = np.random.default_rng(0)
    digits = rng.integers(0, 256, (rows, 16), dtype=np.uint8).tobytes().hex()
    ids = [digits[i * 32 : i * 32 + 32] for i in range(rows)]

    def table(corners: Callable[[int], np.ndarray]) -> pl.DataFrame:
        x, y = (np.sort(corners(top + 1), axis=1) for top in (1280, 1024))
        boxes = dict(zip(COLUMNS[1:], (x[:, 0], y[:, 0], x[:, 1], y[:, 1]), strict=True))
        return pl.DataFrame({"image_id": ids, **boxes})

    def random(top: int) -> np.ndarray:
        return rng.integers(0, top, (rows, 2))

    for name in (FILES[0], FILES[2]):
        table(random).write_csv(folder / name)
    table(lambda _: np.zeros((rows, 2), dtype=np.int64)).write_csv(folder / FILES[1])


def ours(folder: Path) -> Callable[[], float]:
    """Return the work of `invoke score`, by this project."""
    from posebowl.scoring import read_labels, read_predictions, score

    def work() -> float:
        predictions = read_predictions(folder / FILES[0], folder / FILES[1])
        return score(predictions.frame, read_labels(folder / FILES[2])).mean_iou

    return work


def with_pandas(folder: Path, *, strict: bool) -> Callable[[], float]:
    """Return the same work, checks and score, in plain pandas."""
    import pandas as pd

    def read(name: str) -> pd.DataFrame:
        options = (
            {"dtype": str, "keep_default_na": False} if strict else {"dtype": {"image_id": str}}
        )
        frame = pd.read_csv(folder / name, **options)
        assert list(frame.columns) == COLUMNS
        assert not frame["image_id"].duplicated().any()
        for column in COLUMNS[1:]:
            if strict:
                assert frame[column].str.fullmatch("0|[1-9][0-9]*").all()
                frame[column] = frame[column].astype("int64")
            assert frame[column].dtype == "int64"
            limit = 1280 if column.startswith("x") else 1024
            assert frame[column].between(0, limit).all()
        assert (frame["xmin"] <= frame["xmax"]).all()
        assert (frame["ymin"] <= frame["ymax"]).all()
        return frame

    def work() -> float:
        found = read(FILES[0])
        wanted = pd.read_csv(folder / FILES[1], usecols=["image_id"], dtype=str)
        assert not wanted["image_id"].duplicated().any()
        assert (found["image_id"] == wanted["image_id"]).all()
        areas = (found["xmax"] - found["xmin"]) * (found["ymax"] - found["ymin"])
        assert not (found[COLUMNS[1:]] == found[COLUMNS[1:]].iloc[0]).all(axis=None)
        assert (areas == 0).mean() < 0.5
        both = found.merge(read(FILES[2]), on="image_id", suffixes=("", "_t"), validate="1:1")
        width = np.minimum(both.xmax, both.xmax_t) - np.maximum(both.xmin, both.xmin_t)
        height = np.minimum(both.ymax, both.ymax_t) - np.maximum(both.ymin, both.ymin_t)
        inter = width.clip(lower=0) * height.clip(lower=0)
        truth = (both.xmax_t - both.xmin_t) * (both.ymax_t - both.ymin_t)
        union = (both.xmax - both.xmin) * (both.ymax - both.ymin) + truth - inter
        return float((inter / union).fillna(0.0).mean())

    return work


KINDS: dict[str, Callable[[Path], Callable[[], float]]] = {
    "posebowl": ours,
    "pandas, as strict": lambda folder: with_pandas(folder, strict=True),
    "pandas, guessing types": lambda folder: with_pandas(folder, strict=False),
}


def measure(kind: str, folder: Path) -> None:
    """Run the work once, and print its result, time and peak memory as JSON."""
    import resource

    work = KINDS[kind](folder)
    start = time.perf_counter()
    mean_iou = work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    print(json.dumps({"mean_iou": mean_iou, "seconds": seconds, "peak_bytes": peak}))


def best(kind: str, folder: Path, repeat: int) -> dict[str, float]:
    """Return the fastest of several measurements, each in a new process."""
    argv = [sys.executable, "-m", "benchmarks.score", "--measure", kind, "--folder", str(folder)]
    results: list[dict[str, float]] = [
        json.loads(subprocess.run(argv, check=True, capture_output=True, cwd=ROOT).stdout)
        for _ in range(repeat)
    ]
    return min(results, key=lambda result: result["seconds"])


def main() -> None:
    """Build the tables, measure each kind, print times and memory with their ratios."""
    parser = argparse.ArgumentParser(description="Measure validating and scoring.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--measure", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure, args.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tables(folder, args.rows)
        print(f"{args.rows:,} rows, best of {args.repeat}")
        results = {kind: best(kind, folder, args.repeat) for kind in KINDS}
    base = results["posebowl"]
    for kind, result in results.items():
        assert abs(result["mean_iou"] - base["mean_iou"]) < 1e-12, "the scores differ"
        slower, larger = (result[key] / base[key] for key in ("seconds", "peak_bytes"))
        peak = result["peak_bytes"] / 2**20
        print(f"{kind:24}{result['seconds']:8.3f} s {slower:6.1f} x{peak:8.0f} MiB {larger:6.1f} x")


if __name__ == "__main__":
    main()
