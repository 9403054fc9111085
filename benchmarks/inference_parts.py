"""The parts of benchmarks.inference, each run in a process of its own, inside the limits.

    python -m benchmarks.inference_parts PART PLACE OUT [--weights ...]

PLACE is a data folder; predictions go to OUT. The last line on stdout says what it took, as JSON:
images, wall and CPU seconds, peak memory in MiB.
"""
# Each process imports only what it measures.
# ruff: noqa: PLC0415

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SOLUTION = Path(__file__).resolve().parent.parent / "solutions" / "benchmark"
WARM_UP = 4
RECORDED = 64
"""Photos whose inputs the network sees again and again where only the network is measured."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """What one part took."""

    images: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    """Run one part and say what it took."""
    args = parse()
    match args.part:
        case "solution":
            used = solution(args)
        case "reference":
            used = reference(args)
        case "network":
            used = network(args)
        case "decode":
            used = decode(args)
    print(json.dumps(asdict(used)))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("solution", "reference", "network", "decode"))
    parser.add_argument("place", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--words", nargs=argparse.REMAINDER, default=[], help="for main.py")
    return parser.parse_args()


def names(place: Path) -> list[str]:
    """Read which photos are wanted."""
    with (place / "submission_format.csv").open(newline="") as file:
        return [row["image_id"] for row in csv.DictReader(file)]


def solution(args: argparse.Namespace) -> Used:
    """Run main.py, from start to end of its process."""
    argv = [sys.executable, str(SOLUTION / "main.py"), "--data", str(args.place)]
    argv += ["--out", str(args.out), "--weights", str(args.weights), "--device", args.device]
    return child([*argv, *args.words], len(names(args.place)))


def child(argv: Sequence[str], images: int) -> Used:
    """Run a program, and ask the kernel what it used."""
    started = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process:
        said = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode != 0:
        sys.exit(said.decode(errors="replace"))
    return Used(
        images=images,
        wall_s=wall,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_mib=used.ru_maxrss / 1024,
    )


def measured(work: Callable[[], object], images: int) -> Used:
    """Do something in this process."""
    started, before = time.perf_counter(), time.process_time()
    work()
    return Used(
        images=images,
        wall_s=time.perf_counter() - started,
        cpu_s=time.process_time() - before,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def reference(args: argparse.Namespace) -> Used:
    """Predict as the competition's benchmark did: PyTorch, one photo at a time.

    The time includes imports and loading, as in `solution`.
    """

    def work() -> None:
        os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
        import cv2
        import pandas as pd
        from ultralytics import YOLO

        model = YOLO(args.weights)
        frame = pd.read_csv(args.place / "submission_format.csv", index_col="image_id")
        device = 0 if args.device == "cuda" else "cpu"
        for name in frame.index:
            photo = cv2.imread(str(args.place / "images" / f"{name}.png"))
            found = model(photo, verbose=False, conf=0.001, device=device)[0].boxes
            edges = found.xyxy[0].round().int().tolist() if len(found) else [480, 384, 800, 640]
            frame.loc[name] = edges
        frame.astype(int).to_csv(args.out)

    return measured(work, len(names(args.place)))


def decode(args: argparse.Namespace) -> Used:
    """Only read and decode the photos, in as many threads as there are processors."""
    photos, threads = module("photos"), module("cpus").usable()
    files = [args.place / "images" / f"{name}.png" for name in names(args.place)]
    for file in files[:WARM_UP]:
        photos.read(file)

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda file: photos.read(file) is None, files):
                pass

    return measured(work, len(files))


def network(args: argparse.Namespace) -> Used:
    """Only run the network, on the inputs that it gets in the solution, from memory."""
    photos, looks, threads = module("photos"), module("looks"), module("cpus").usable()
    net = module("network").load(
        args.weights, backend="onnxruntime", device=args.device, threads=threads
    )
    files = [args.place / "images" / f"{name}.png" for name in names(args.place)]
    recorded: list[list[Any]] = []
    for at in range(0, min(RECORDED, len(files)), net.batch):
        seen: list[Any] = []

        def record(inputs: Any, seen: list[Any] = seen) -> Any:
            seen.append(inputs.copy())
            return net.run(inputs)

        looks.find([photos.read(file) for file in files[at : at + net.batch]], record, net.looks)
        recorded.append(seen)
    rounds = [recorded[at % len(recorded)] for at in range(-(-len(files) // net.batch))]

    def work() -> None:
        # A GPU takes one batch at a time.
        with ThreadPoolExecutor(1 if net.on_gpu else threads) as pool:
            for _ in pool.map(lambda seen: [net.run(inputs) is None for inputs in seen], rounds):
                pass

    return measured(work, len(files))


def module(name: str) -> Any:
    """Import one of the solution's modules."""
    if str(SOLUTION) not in sys.path:
        sys.path.append(str(SOLUTION))
    return importlib.import_module(name)


if __name__ == "__main__":
    main()
