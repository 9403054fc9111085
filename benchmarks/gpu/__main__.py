"""Train and measure on a lent GPU machine without a network, in calls of ten minutes.

    python -m benchmarks.gpu pack --data runs/photos --cutouts runs/cutouts \
        --backgrounds runs/backgrounds --out runs/carried
    python -m benchmarks.gpu run --pool runs/carried --out OUT [--seconds 540] [--only train]

`pack` reduces pictures to what views need, 19 KB each, finds what the shipped search network
mistakes in them, and writes pieces that travel with the working tree, one in each call. `run`, on
the other machine, trains both networks side by side in bf16 (--train chooses one), exports them,
measures them and the shipped ones, fills the GPU rows of the speed table, and runs the solution's
CUDA path. A step that fails does not end the others. OUT then holds a folder for each network
(best.pt, last.pt, curves.csv), the exported files (the --start of a later call), and steps.json
with the end of each output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import IMAGES_DIR
from posebowl.errors import BadDataError, UsageError
from posebowl.training import pool
from posebowl.training.dataset import read_labels
from posebowl.training.options import REFINER
from posebowl.training.solution_modules import load_network
from posebowl.util import program
from posebowl.util.host import usable_cores

PIECE_MB = 28
"""Of the 67 MB that a call carries, the working tree takes 38."""
PIECES = "pool-*.zip"
OWN = paths.SOLUTIONS / "benchmark"
MODEL = "model.onnx"
SHIPPED = "yolo26n.yaml"
"""The architecture of the shipped networks; others begin at random weights."""
RECIPES: Final[dict[str, tuple[str, ...]]] = {
    "search": (
        *("--role", "search", "--size", "224x288", "--large", "512x640", "--first", "608x768"),
        *("--pasted", "0.55", "--rate", "2e-3"),
    ),
    "refine": ("--role", "refine", "--size", "192x256", "--pasted", "0.6", "--rate", "1.4e-3"),
}
"""How each network is trained: the shipped pair as on CPUs, but for batch and rate."""
FILES: Final = {"search": MODEL, "refine": REFINER}
"""What each is exported to."""
STEPS: Final = ("train", "export", "trained", "shipped", "speed", "solution")
LOADING_S = 90
"""Two networks took 85 on an H100 from the start to the first step, with 13,350 pictures."""
REST_S = 120
"""What is kept of the time for everything after training."""
TAIL = 2000
"""Characters of a step's output that are kept."""


def main() -> int:
    """Pack, or run every step."""
    args = parse()
    if args.command == "pack":
        print(json.dumps({piece.name: piece.stat().st_size for piece in pack(args)}))
        return 0
    done = list(run(args))
    return int(any(step["exit_code"] for step in done))


def parse() -> argparse.Namespace:
    """Read the command line."""
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=about)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    for kind in ("data", "cutouts", "backgrounds"):
        packing.add_argument(f"--{kind}", type=Path, nargs="+", required=True)
    packing.add_argument("--out", type=Path, required=True)
    packing.add_argument("--piece", type=float, default=PIECE_MB, help="most MB in a piece")
    running = commands.add_parser("run")
    running.add_argument("--pool", type=Path, required=True, help="folder with the pieces")
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--model", default=SHIPPED, help="an ultralytics YAML for both networks")
    running.add_argument(
        "--start", type=Path, help="folder with files to begin at; the shipped ones if they fit"
    )
    running.add_argument("--teacher", type=Path, help="folder with wider networks to imitate")
    running.add_argument("--train", choices=FILES, nargs="+", default=[*FILES], help="one of them")
    running.add_argument("--val", type=Path, default=paths.DEMO_DATA, help="labelled photos")
    running.add_argument("--only", choices=STEPS, nargs="+", default=STEPS, help="some steps")
    running.add_argument("--seconds", type=float, default=540, help="for all steps together")
    running.add_argument("--steps", type=int, help="of training, instead of what time is left")
    running.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    running.add_argument("--batch", type=int, default=128)
    running.add_argument("--count", type=int, default=200, help="photos of the speed table")
    return parser.parse_args()


def pack(args: argparse.Namespace) -> list[Path]:
    """Write the pieces of a pool, with the shipped search network's mistakes as decoys.

    Raises:
        UsageError: There is a pool already.
        BadDataError: A folder has no pictures, or no labels.
    """
    if any(args.out.glob(PIECES)):
        raise UsageError(f"{args.out} already has a pool.", fix="Choose another --out.")
    return pool.write(
        args.out,
        photos=[sample for folder in args.data for sample in read_labels(folder)],
        backgrounds=pictures(args.backgrounds, "backgrounds"),
        cutouts=pictures(args.cutouts, "cutouts"),
        search=load_network(OWN / MODEL, device="cpu"),
        limit=int(args.piece * 1e6),
        threads=usable_cores(),
    )


def pictures(folders: Sequence[Path], kind: str) -> list[Path]:
    """Return the pictures of data folders; kind is what the renderer calls them.

    Raises:
        BadDataError: One has none.
    """
    found = {folder: sorted((folder / IMAGES_DIR).glob("*.[pj]*g")) for folder in folders}
    for folder, files in found.items():
        if not files:
            raise BadDataError(
                f"{folder} has no pictures.",
                why=f"Found no PNG or JPEG in {folder / IMAGES_DIR}.",
                fix=f"Make some: invoke data.render --only {kind} --out DIR",
            )
    return [file for files in found.values() for file in files]


def run(args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Run every step, and yield what became of it; steps.json has all so far.

    Raises:
        UsageError: There is no pool.
    """
    if not any(args.pool.glob(PIECES)):
        raise UsageError(
            f"{args.pool} has no pool.",
            why=f"It has no file {PIECES}.",
            fix="Pack one: python -m benchmarks.gpu pack --help",
        )
    args.out.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + args.seconds
    done = []
    for name, commands in steps(args).items():
        if name not in args.only:
            continue
        started = time.monotonic()
        code, output = execute(commands, max(1.0, ends - started))
        print(f"{name}: exit code {code}", file=sys.stderr, flush=True)
        seconds = round(time.monotonic() - started, 1)
        done.append({"step": name, "exit_code": code, "seconds": seconds, "output": output})
        (args.out / "steps.json").write_text(json.dumps(done, indent=2))
        yield done[-1]


def steps(args: argparse.Namespace) -> dict[str, list[list[str]]]:
    """Return the command lines of each step, which run side by side."""
    python, trained = [sys.executable, "-m"], args.out / MODEL
    evaluate = [*python, "posebowl.training.evaluate", "--data", args.val, "--weights"]
    export = [*python, "posebowl.training.export", "--force", "--out", trained]
    for kind, flag in {"search": "weights", "refine": "refiner"}.items():
        now, folder = kind in args.train, beginning(args)
        if file := args.out / kind / "last.pt" if now else folder and folder / FILES[kind]:
            export += [f"--{flag}", file]
    speed = [*python, "benchmarks.inference", "--data", args.val, "--count", args.count]
    speed += ["--device", args.device, "--json", "--only", "reference", "onnxruntime", "network"]
    solution = [sys.executable, OWN / "main.py", "--data", args.val, "--device", args.device]
    solution += ["--out", args.out / "submission.csv", "--weights", trained]
    every: dict[str, list[list[str | Path]]] = {
        "train": [
            [*python, "posebowl.training.train", *training(args, kind)] for kind in args.train
        ],
        "export": [export],
        "trained": [[*evaluate, trained]],
        "shipped": [[*evaluate, OWN / MODEL]],
        "speed": [speed],
        "solution": [solution],
    }
    return {name: [[*map(str, words)] for words in many] for name, many in every.items()}


def training(args: argparse.Namespace, kind: str) -> list[str | Path]:
    """Return the options of a network's training; a run that was begun in OUT is continued."""
    pieces = sorted(args.pool.glob(PIECES))
    words: list[str | Path] = [word for piece in pieces for word in ("--pool", piece)]
    words += ["--val", args.val, "--out", args.out / kind, *RECIPES[kind]]
    words += ["--model", args.model, "--resume"]
    for flag, folder in {"--start": beginning(args), "--teacher": args.teacher}.items():
        words += [flag, folder / FILES[kind]] if folder else []
    words += ["--batch", args.batch, "--device", args.device, "--precision", "bf16"]
    minutes = max(0.1, (args.seconds - LOADING_S - REST_S) / 60)
    return [*words, *(["--steps", args.steps] if args.steps else ["--minutes", minutes])]


def beginning(args: argparse.Namespace) -> Path | None:
    """Return the folder with the files to begin at; None where no weights fit."""
    start: Path | None = args.start or (OWN if args.model == SHIPPED else None)
    return start


def execute(commands: Sequence[Sequence[str]], limit_s: float) -> tuple[int, str]:
    """Run commands side by side.

    Returns:
        The highest exit code, 124 past the limit, and the ends of their outputs.
    """
    ends = time.monotonic() + limit_s
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(tempfile.TemporaryFile()) for _ in commands]
        started = [
            subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=paths.ROOT)
            for command, log in zip(commands, logs, strict=True)
        ]
        codes = [wait(one, ends - time.monotonic()) for one in started]
        for log in logs:
            log.seek(0)
        return max(codes), "\n".join(log.read().decode(errors="replace")[-TAIL:] for log in logs)


def wait(process: subprocess.Popen[bytes], limit_s: float) -> int:
    """Wait for a process, and kill it past the limit; return its exit code, or 124."""
    try:
        return abs(process.wait(max(0.0, limit_s)))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return 124


if __name__ == "__main__":
    sys.exit(program.guard(main))
