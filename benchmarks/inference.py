"""Measure the benchmark solution against the loop that the competition's own benchmark used.

    python -m benchmarks.inference --data runs/val --count 200 --cpus 2 --checkpoint best.pt

Run it with the Python of the cpu environment (it needs torch and ultralytics for the reference).
Every way of predicting runs in a process of its own, on the same processors and photos:

reference   ultralytics.YOLO(checkpoint)(photo), one photo at a time, written row by row
onnxruntime the solution's main.py as it is
openvino    the same with --backend openvino
network     only the network's two runs a photo, inputs in memory: a ceiling
decode      only reading and decoding the photos: another

Times are of the whole process, imports and loading included, except for the two ceilings.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from posebowl import paths
from posebowl.benchmark import solution
from posebowl.challenge import COLUMNS, FORMAT_FILE, ID_COLUMN, LABELS_FILE
from posebowl.score import score_files

SOLUTION = paths.SOLUTIONS / "benchmark"
PARTS = ("reference", "onnxruntime", "openvino", "network", "decode")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one way of predicting took."""

    part: str
    images_per_s: float
    cpu_ms_per_image: float
    peak_mib: float
    mean_iou: float | None


def stage(data: Path, count: int, place: Path) -> int:
    """Lay out a data folder of the first `count` labelled photos; return how many there are."""
    labels = pl.read_csv(data / LABELS_FILE, columns=list(COLUMNS)).head(count)
    (place / "images").symlink_to((data / "images").resolve())
    labels.write_csv(place / LABELS_FILE)
    boxes = [pl.lit(edge).alias(name) for name, edge in zip(COLUMNS[1:], (0, 0, 1, 1), strict=True)]
    labels.select(ID_COLUMN, *boxes).write_csv(place / FORMAT_FILE)
    return len(labels)


def measure(part: str, place: Path, count: int, args: argparse.Namespace) -> Measured:
    """Run one part in a process of its own and read what it used."""
    out = place / f"{part}.csv"
    if part in {"onnxruntime", "openvino"}:
        argv = [str(SOLUTION / "main.py"), "--data", str(place), "--out", str(out)]
        argv += ["--weights", str(args.weights), "--backend", part, "--device", "cpu"]
    else:
        argv = [
            "-m",
            "benchmarks.inference",
            "--part",
            part,
            "--data",
            str(place),
            "--out",
            str(out),
        ]
        argv += ["--weights", str(args.weights), "--checkpoint", str(args.checkpoint)]
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *argv], stdout=subprocess.PIPE, cwd=paths.ROOT
    ) as process:
        said = process.stdout.read() if process.stdout else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode != 0:
        sys.exit(f"{part} failed with exit code {process.returncode}")
    cpu = used.ru_utime + used.ru_stime
    if part in {"network", "decode"}:
        inner = json.loads(said.splitlines()[-1])
        wall, cpu = inner["wall"], inner["cpu"]
    iou = score_files(out, place / LABELS_FILE).mean_iou if out.exists() else None
    return Measured(
        part=part,
        images_per_s=count / wall,
        cpu_ms_per_image=1000 * cpu / count,
        peak_mib=used.ru_maxrss / 1024,
        mean_iou=iou,
    )


def reference(place: Path, out: Path, checkpoint: Path) -> None:
    """Predict as the competition's benchmark did: PyTorch, one photo at a time."""
    import cv2  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415
    from ultralytics import YOLO  # noqa: PLC0415

    model = YOLO(checkpoint)
    frame = pd.read_csv(place / FORMAT_FILE, index_col=ID_COLUMN)
    for name in frame.index:
        photo = cv2.imread(str(place / "images" / f"{name}.png"))
        found = model(photo, verbose=False, conf=0.001)[0].boxes
        edges = found.xyxy[0].round().int().tolist() if len(found) else [480, 384, 800, 640]
        frame.loc[name] = edges
    frame.astype(int).to_csv(out)


def ceiling(part: str, place: Path, weights: Path) -> None:
    """Run only the network, or only the decoder, in as many threads as there are processors."""
    photos, boxes = solution.module("photos"), solution.module("boxes")
    threads = solution.module("cpus").usable()
    names = pl.read_csv(place / FORMAT_FILE)[ID_COLUMN].to_list()
    files = [place / "images" / f"{name}.png" for name in names]
    work = photos.read
    items: list[object] = list(files)
    if part == "network":
        net = solution.module("network").load(
            weights, backend="onnxruntime", device="cpu", threads=threads
        )
        sizes = [size for size in (net.looks.first, net.looks.second) if size]
        shown = []
        for file in files[:16]:
            photo = photos.read(file)
            window = {size: boxes.letterbox(photo.shape[:2], size) for size in sizes}
            shown.append([photos.show(photo, window[size], size)[None] for size in sizes])
        items = [shown[index % len(shown)] for index in range(len(files))]

        def work(inputs: list[object]) -> None:
            for one in inputs:
                net.run(one)

        list(map(work, items[:4]))
    with ThreadPoolExecutor(threads) as pool:
        started, before = time.perf_counter(), time.process_time()
        for _ in pool.map(lambda item: work(item) is None, items):
            pass
        used = {"wall": time.perf_counter() - started, "cpu": time.process_time() - before}
    print(json.dumps(used))


def show(results: list[Measured], cpus: int, count: int) -> None:
    """Print the table, each line against the reference where that was measured."""
    table = Table(title=f"{count} photos, {cpus} processors")
    columns = ("", "photos/s", "against reference", "CPU ms/photo", "peak MiB", "mean IoU")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    first = results[0].images_per_s if results[0].part == "reference" else None
    for one in results:
        table.add_row(
            one.part,
            f"{one.images_per_s:.1f}",
            f"{one.images_per_s / first:.1f}x" if first else "",
            f"{one.cpu_ms_per_image:.1f}",
            f"{one.peak_mib:.0f}",
            "" if one.mean_iou is None else f"{one.mean_iou:.3f}",
        )
    Console().print(table)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=paths.DEMO_DATA, help="labelled photos")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--cpus", type=int, default=3)
    parser.add_argument("--weights", type=Path, default=SOLUTION / "model.onnx")
    parser.add_argument("--checkpoint", type=Path, help="weights of the reference")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure every part, or be one of them."""
    args = parse()
    if args.part == "reference":
        reference(args.data, args.out, args.checkpoint)
        return
    if args.part:
        ceiling(args.part, args.data, args.weights)
        return
    args.weights = args.weights.resolve()
    args.checkpoint = args.checkpoint and args.checkpoint.resolve()
    mine = sorted(os.sched_getaffinity(0))[: args.cpus]
    os.sched_setaffinity(0, mine)
    place = Path(tempfile.mkdtemp(prefix="posebowl-inference-"))
    try:
        count = stage(args.data, args.count, place)
        parts = PARTS if args.checkpoint else PARTS[1:]
        results = [measure(part, place, count, args) for part in parts]
    finally:
        shutil.rmtree(place)
    if args.json:
        print(json.dumps([asdict(one) for one in results], indent=2))
    else:
        show(results, len(mine), count)


if __name__ == "__main__":
    main()
