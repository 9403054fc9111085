"""Train and measure on a lent GPU machine without a network, in calls of ten minutes.

    python -m benchmarks.gpu pack --data runs/photos --val runs/val --cutouts runs/cutouts \
        --backgrounds runs/backgrounds --out runs/carried
    python -m benchmarks.gpu run --carried runs/carried --out OUT [--role search] [--resume EARLIER]

`pack` copies as many pictures as 60 MiB hold, a fair share of each kind, into one folder that
travels with the working tree. `run`, on the other machine, trains in bf16 from the shipped weights
or from an earlier call's, one network for both looks or one of the pair, exports the best, measures
it and the shipped ones, fills the GPU rows of the speed table, and runs the solution's CUDA path. A
step that fails does not end the others. OUT then holds train/ (last.pt, best.pt, curves.csv),
model.onnx, for a pair refiner.onnx, and steps.json with the end of each output.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import FORMAT_FILE, ID_COLUMN, IMAGES_DIR, LABELS_FILE
from posebowl.training.options import REFINER, ROLES

BUDGET = 60 << 20
KINDS = ("val", "data", "cutouts", "backgrounds")
OWN = paths.SOLUTIONS / "benchmark"
RECIPES: Final[dict[str, list[str | Path]]] = {
    "both": ["--size", "512x640"],
    "search": ["--size", "224x288", "--large", "512x640"],
    "refine": ["--size", "192x256", "--decoys", OWN / "model.onnx"],
}
"""How a network for each role is trained: the shipped pair as on CPUs."""
EXPORT_S = 120
"""What is kept of the time for everything after training."""
TAIL = 2000
"""Characters of a step's output that are kept."""


def main() -> int:
    """Pack, or run every step."""
    args = parse()
    if args.command == "pack":
        chosen = {kind: getattr(args, kind) for kind in KINDS}
        print(json.dumps(pack(chosen, args.out, args.budget)))
        return 0
    done = list(run(args))
    return int(any(step["exit_code"] for step in done))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    for kind in KINDS:
        packing.add_argument(f"--{kind}", type=Path, required=True)
    packing.add_argument("--out", type=Path, required=True)
    packing.add_argument("--budget", type=int, default=BUDGET, help="bytes")
    running = commands.add_parser("run")
    running.add_argument("--carried", type=Path, required=True)
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--role", choices=ROLES, default="both", help="what the network is for")
    running.add_argument("--resume", type=Path, help="the train/ of an earlier call")
    running.add_argument("--seconds", type=float, default=540, help="for all steps together")
    running.add_argument("--steps", type=int, help="of training, instead of what time is left")
    running.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    running.add_argument("--size", help="of the views, instead of the role's")
    running.add_argument("--batch", type=int, default=64)
    running.add_argument("--rate", type=float, default=7e-4, help="highest learning rate")
    running.add_argument("--count", type=int, default=200, help="photos of the speed table")
    return parser.parse_args()


def pack(sources: dict[str, Path], out: Path, budget: int) -> dict[str, int]:
    """Copy pictures into one folder, a fair share of the budget for each kind.

    Returns:
        The number of pictures of each kind.
    """
    counts = {}
    sizes = {kind: pictures(folder) for kind, folder in sources.items()}
    # The smallest kind first: what it leaves of its share, the others get.
    for left, kind in enumerate(sorted(sizes, key=lambda one: sum(sizes[one].values()))):
        chosen = within(sizes[kind], budget // (len(sizes) - left))
        budget -= sum(sizes[kind][picture] for picture in chosen)
        counts[kind] = len(chosen)
        copy(sources[kind], chosen, out / kind)
    return counts


def pictures(folder: Path) -> dict[Path, int]:
    """Return the pictures of a folder, and their bytes."""
    found = sorted((folder / IMAGES_DIR).glob("*.[pj]*g"))
    return {picture: picture.stat().st_size for picture in found}


def within(sizes: dict[Path, int], budget: int) -> list[Path]:
    """Return the first pictures that fit."""
    chosen = []
    for picture, size in sizes.items():
        if size > budget:
            break
        budget -= size
        chosen.append(picture)
    return chosen


def copy(source: Path, chosen: Iterable[Path], out: Path) -> None:
    """Copy pictures, and the rows of the tables that name them."""
    (out / IMAGES_DIR).mkdir(parents=True)
    for picture in chosen:
        shutil.copyfile(picture, out / IMAGES_DIR / picture.name)
    kept = {picture.stem for picture in chosen}
    for table in (LABELS_FILE, FORMAT_FILE):
        if (source / table).is_file():
            with (source / table).open(newline="") as before, (out / table).open("w") as after:
                rows = csv.DictReader(before)
                writer = csv.DictWriter(after, rows.fieldnames or (), lineterminator="\n")
                writer.writeheader()
                writer.writerows(row for row in rows if row[ID_COLUMN] in kept)


def run(args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Run every step, and yield what became of it; steps.json has all so far."""
    args.out.mkdir(parents=True, exist_ok=True)
    if args.resume:
        shutil.copytree(args.resume, args.out / "train")
    ends = time.monotonic() + args.seconds
    done = []
    for name, argv in steps(args):
        started = time.monotonic()
        code, output = execute(argv, max(1.0, ends - started))
        print(f"{name}: exit code {code}", file=sys.stderr, flush=True)
        seconds = round(time.monotonic() - started, 1)
        done.append({"step": name, "exit_code": code, "seconds": seconds, "output": output})
        (args.out / "steps.json").write_text(json.dumps(done, indent=2))
        yield done[-1]


def steps(args: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """Yield each step's name and command line."""
    carried, train, weights = args.carried, args.out / "train", args.out / "model.onnx"
    python = [sys.executable, "-m"]
    words = ["--data", carried / "data", "--val", carried / "val", "--out", train]
    words += ["--cutouts", carried / "cutouts", "--backgrounds", carried / "backgrounds"]
    words += ["--batch", args.batch, "--rate", args.rate, "--device", args.device, "--resume"]
    start = OWN / (REFINER if args.role == "refine" else "model.onnx")
    words += ["--role", args.role, "--start", start, *RECIPES[args.role]]
    words += ["--size", args.size] if args.size else []
    words += ["--precision", "bf16", "--every-minutes", 2]
    minutes = max(0.1, (args.seconds - EXPORT_S) / 60)
    words += ["--steps", args.steps] if args.steps else ["--minutes", earlier(train) + minutes]
    yield "train", [*python, "posebowl.training.train", *map(str, words)]
    words = ["--weights", train / "best.pt", "--force"]
    words += ["--refiner", OWN / REFINER] if args.role == "search" else []
    words += ["--out", args.out / REFINER if args.role == "refine" else weights]
    if args.role == "refine":
        shutil.copyfile(OWN / "model.onnx", weights)
    yield "export", [*python, "posebowl.training.export", *map(str, words)]
    words = ["--data", carried / "val", "--weights"]
    for name, file in (("trained", weights), ("shipped", OWN / "model.onnx")):
        yield name, [*python, "posebowl.training.evaluate", *map(str, [*words, file])]
    words = ["--data", carried / "val", "--count", args.count, "--device", args.device, "--json"]
    words += ["--only", "reference", "onnxruntime", "network"]
    yield "speed", [*python, "benchmarks.inference", *map(str, words)]
    words = ["--data", carried / "val", "--out", args.out / "submission.csv"]
    words += ["--device", args.device, "--weights", weights]
    yield "solution", [sys.executable, str(OWN / "main.py"), *map(str, words)]


def earlier(train: Path) -> float:
    """Return the minutes that earlier calls have trained."""
    curves = train / "curves.csv"
    if not curves.is_file():
        return 0.0
    with curves.open(newline="") as file:
        return max((float(row["minutes"]) for row in csv.DictReader(file)), default=0.0)


def execute(argv: Sequence[str], limit_s: float) -> tuple[int, str]:
    """Run a command; return its exit code, 124 past its limit, and the end of its output."""
    try:
        done = subprocess.run(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            cwd=paths.ROOT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace")[-TAIL:]
    return done.returncode, done.stdout.decode(errors="replace")[-TAIL:]


if __name__ == "__main__":
    sys.exit(main())
