"""The parts of benchmarks.inference, each run in its own process within the limits.

    python -m benchmarks.inference_parts PART PLACE OUT [--weights ...]

PLACE is a data folder; predictions go to OUT. The last line on stdout is what it used, as JSON:
images, wall and CPU seconds, peak memory in MiB.
"""
# Each process imports only what it measures.
# ruff: noqa: PLC0415

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

SOLUTION = Path(__file__).resolve().parent.parent / "solutions" / "benchmark"
WARM_UP = 4
LONGEST_WARM_UP_S = 300
PAUSE_S = 0.2
RECORDED = 64
"""Photos whose inputs are repeated when the network alone is measured."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """The resources that one part used."""

    images: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    """Run one part and print what it used."""
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
    """Read the ids of the photos."""
    with (place / "submission_format.csv").open(newline="") as file:
        return [row["image_id"] for row in csv.DictReader(file)]


def solution(args: argparse.Namespace) -> Used:
    """Run main.py, from start to end of its process."""
    argv = [sys.executable, str(SOLUTION / "main.py"), "--data", str(args.place)]
    argv += ["--out", str(args.out), "--weights", str(args.weights), "--device", args.device]
    return child([*argv, *args.words], len(names(args.place)))


def child(argv: Sequence[str], images: int) -> Used:
    """Run a program, and return what the kernel measured of it and its processes."""
    started = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    memory = Memory(process.pid)
    with process:
        errors = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    peak = max(memory.stop(), used.ru_maxrss << 10)
    if process.returncode != 0:
        sys.exit(errors.decode(errors="replace"))
    return Used(
        images=images,
        wall_s=wall,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_mib=peak / 2**20,
    )


class Memory:
    """Watches the memory that a process and its descendants hold at the same time.

    Shared pages count once: it is the sum of the kernel's proportional set sizes.
    """

    def __init__(self, pid: int) -> None:
        self.first = psutil.Process(pid)
        self.peak = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self) -> None:
        """Sample a few times per second; a sample costs a millisecond or two per process."""
        while not self.ended.wait(PAUSE_S):
            with contextlib.suppress(psutil.Error):
                all_of_them = [self.first, *self.first.children(recursive=True)]
                held = sum(one.memory_full_info().pss for one in all_of_them)
                self.peak = max(self.peak, held)

    def stop(self) -> int:
        """Return the peak, in bytes."""
        self.ended.set()
        self.thread.join()
        return self.peak


def measured(work: Callable[[], object], images: int) -> Used:
    """Measure some work in this process."""
    started, before = time.perf_counter(), time.process_time()
    work()
    return Used(
        images=images,
        wall_s=time.perf_counter() - started,
        cpu_s=time.process_time() - before,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def reference(args: argparse.Namespace) -> Used:
    """Measure the competition's own loop: PyTorch, one photo at a time.

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
    """Measure reading and decoding the photos alone, in one process per core."""
    photos = module("photos")
    files = [args.place / "images" / f"{name}.png" for name in names(args.place)]

    def work(some: Sequence[Path]) -> None:
        for file in some:
            photos.read(file)

    return everywhere(work, files)


def network(args: argparse.Namespace) -> Used:
    """Measure the network alone, on the inputs that it gets in the solution, from memory."""
    photos, looks = module("photos"), module("looks")
    net = module("network").load(args.weights, backend="onnxruntime", device=args.device)
    files = [args.place / "images" / f"{name}.png" for name in names(args.place)]
    recorded: list[list[tuple[Any, Any]]] = []
    for at in range(0, min(RECORDED, len(files)), net.batch):
        seen: list[tuple[Any, Any]] = []

        def record(run: Any, inputs: Any, seen: list[tuple[Any, Any]] = seen) -> Any:
            seen.append((run, inputs.copy()))
            return run(inputs)

        searcher, refiner = (partial(record, run) for run in (net.run, net.refiner or net.run))
        shown = [photos.read(file) for file in files[at : at + net.batch]]
        looks.find(shown, searcher, net.looks, refiner)
        recorded.append(seen)
    rounds = [recorded[at % len(recorded)] for at in range(-(-len(files) // net.batch))]

    def work(some: Sequence[list[tuple[Any, Any]]]) -> None:
        for seen in some:
            for run, inputs in seen:
                run(inputs)

    if net.on_gpu:  # which takes one batch at a time
        return measured(lambda: work(rounds), len(files))
    return replace(everywhere(work, rounds), images=len(files))


def everywhere(work: Callable[[Sequence[Any]], None], items: Sequence[Any]) -> Used:
    """Measure work shared among one process per core, once all are warm."""
    count = module("cpus").usable()
    fork = multiprocessing.get_context("fork")
    ready, results = fork.Barrier(count), fork.SimpleQueue()

    def share(at: int) -> None:
        try:
            work(items[:WARM_UP])
        except BaseException:
            ready.abort()  # or the others would wait forever
            raise
        ready.wait(LONGEST_WARM_UP_S)
        mine = items[at::count]
        results.put(measured(lambda: work(mine), len(mine)))

    memory = Memory(os.getpid())
    processes = [fork.Process(target=share, args=(at,)) for at in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        memory.stop()
        sys.exit("A process failed; see its output above.")
    used = [results.get() for _ in processes]
    return Used(
        images=len(items),
        wall_s=max(one.wall_s for one in used),
        cpu_s=sum(one.cpu_s for one in used),
        peak_mib=memory.stop() / 2**20,
    )


def module(name: str) -> Any:
    """Import one of the solution's modules."""
    if str(SOLUTION) not in sys.path:
        sys.path.append(str(SOLUTION))
    return importlib.import_module(name)


if __name__ == "__main__":
    main()
