"""Find the spacecraft on every photo with a YOLO network, on all processors or on a GPU."""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import cpus
import network
from looks import Looks, glance_size
from table import Predictions, TableError, read_ids
from workers import Worker, detect_all

HERE = Path(__file__).resolve().parent
WARNINGS = 20
"""Broken photos that are named in the log; more are only counted."""

log = logging.getLogger("benchmark")


class Progress:
    """Logs progress: at most one line for each percent and two seconds."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.started = self.logged = time.monotonic()
        self.logged_done = 0
        log.info("0/%d images", total)

    def __call__(self, done: int) -> None:
        """Report how many photos are done, if it is time for a line."""
        now = time.monotonic()
        pause = now - self.logged
        enough = pause >= 2 and (done - self.logged_done) * 100 >= self.total
        if done == self.total or enough or pause >= 30:
            speed = done / max(now - self.started, 1e-9)
            log.info("%d/%d images, %.1f a second", done, self.total, speed)
            self.logged, self.logged_done = now, done


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line; main.sh passes no options, so the platform runs the defaults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../data"))
    parser.add_argument("--out", type=Path, default=Path("../submission/submission.csv"))
    parser.add_argument("--weights", type=Path, default=HERE / "model.onnx")
    parser.add_argument("--backend", choices=("onnxruntime", "openvino"), default="onnxruntime")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="of openvino")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--workers", type=positive_int, help="default: the processors of this container"
    )
    parser.add_argument(
        "--batch", type=positive_int, help="photos at once (4 on a CPU, 32 on a GPU)"
    )
    parser.add_argument(
        "--first", type=multiple_of_32, nargs=2, metavar=("H", "W"), help="first look's size"
    )
    parser.add_argument(
        "--second", type=multiple_of_32, nargs=2, metavar=("H", "W"), help="second look's"
    )
    parser.add_argument("--one-look", action="store_true", help="leave out the second look")
    parser.add_argument(
        "--enough",
        type=share,
        help="confidence that makes a glance enough: less is faster (0.6)",
    )
    parser.add_argument("--no-glance", action="store_true", help="no smaller look before the first")
    return parser.parse_args(argv)


def positive_int(text: str) -> int:
    """Read a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 1")
    return number


def multiple_of_32(text: str) -> int:
    """Read a height or width of the network's input."""
    if positive_int(text) % 32:
        raise argparse.ArgumentTypeError(f"{text} is not a multiple of 32, as the network needs")
    return int(text)


def override_looks(looks: Looks, args: argparse.Namespace) -> Looks:
    """Return the looks of the weights, overridden by the command line."""
    if args.first:
        first = tuple(args.first)
        looks = replace(looks, first=first, glance=glance_size(first))
    if args.second or args.one_look:
        looks = replace(looks, second=None if args.one_look else tuple(args.second))
    if args.enough is not None:
        looks = replace(looks, enough=args.enough)
    return replace(looks, glance=None) if args.no_glance else looks


def main(argv: list[str]) -> None:
    """Read the list of photos, find the spacecraft on each, write the table."""
    args = parse(argv)
    if args.out.is_dir():
        raise TableError(f"--out {args.out} is a folder; name a file in it: submission.csv")
    count = args.workers or cpus.usable()
    net = network.load(
        args.weights,
        backend=args.backend,
        device=args.device,
        precision=args.precision,
        batch=args.batch,
    )
    net = replace(net, looks=override_looks(net.looks, args))
    log.info("%s, %d workers, batches of %d", net.description, count, net.batch)

    predictions = Predictions(read_ids(args.data / "submission_format.csv"))
    progress = Progress(len(predictions.ids))
    broken = 0
    found = detect_all(predictions.ids, Worker(args.data / "images", net), count)
    for index, answer in enumerate(found):
        if answer.broken:
            broken += 1
            if broken <= WARNINGS:
                name = f"{predictions.ids[index]}.png"
                log.warning("%s: %s; using the fallback box", name, answer.broken)
        predictions.set(index, answer.box)
        progress(index + 1)
    if broken:
        log.warning("%d photos could not be read", broken)
    if predictions.missing:
        log.warning("%d photos get the fallback box", predictions.missing)
    predictions.write(args.out)
    log.info("wrote %s", args.out)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        main(sys.argv[1:])
    except (network.NetworkError, TableError) as problem:
        sys.exit(f"ERROR {problem}")
    except OSError as problem:
        sys.exit(f"ERROR {problem.filename or 'this machine'}: {problem.strerror or problem}")
    except KeyboardInterrupt:
        sys.exit(130)
