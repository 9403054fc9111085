"""Find the spacecraft on every photo with a YOLO network, on all processors or on a GPU."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import cpus
import network
from looks import Looks, find, half
from photos import BrokenPhotoError, Photo, read
from table import Pixels, Predictions, read_ids

HERE = Path(__file__).resolve().parent
WARNINGS = 20
"""Broken photos that are named in the log; more are only counted."""

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger("benchmark")


class Reader:
    """Reads photos, and says which are broken without flooding the log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken = 0

    def __call__(self, image_id: str) -> Photo | None:
        """Decode a photo; None, and a warning, if that cannot be done."""
        try:
            return read(self.folder / f"{image_id}.png")
        except BrokenPhotoError as error:
            self.broken += 1
            if self.broken <= WARNINGS:
                log.warning("%s.png: %s; it gets the fall-back box", image_id, error)
            return None


class Progress:
    """Says how far it is: at most one line for each hundredth and two seconds."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.started = self.said = time.monotonic()
        self.said_at = 0
        log.info("0/%d images", total)

    def __call__(self, done: int) -> None:
        """Note that so many photos are done."""
        now = time.monotonic()
        pause = now - self.said
        enough = pause >= 2 and (done - self.said_at) * 100 >= self.total
        if done == self.total or enough or pause >= 30:
            speed = done / max(now - self.started, 1e-9)
            log.info("%d/%d images, %.1f a second", done, self.total, speed)
            self.said, self.said_at = now, done


def ahead(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    depth: int,
) -> Iterator[Result]:
    """Do the work in the pool and yield the results in order, at most `depth` items ahead."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a stream into lists of `size`; the last may be shorter."""
    stream = iter(items)
    while group := list(islice(stream, size)):
        yield group


def boxes(
    ids: list[str], reader: Reader, net: network.Loaded, threads: int
) -> Iterator[Pixels | None]:
    """Yield the box of each photo in order; None where there is none.

    On a CPU each thread takes a few photos from files to boxes by itself, so that all processors
    are busy whatever takes longest. For a GPU the threads decode ahead, and one thread more runs
    the network on whole batches.
    """

    def search(photos: list[Photo | None]) -> list[Pixels | None]:
        there = [photo for photo in photos if photo is not None]
        found = iter(find(there, net.run, net.looks) if there else [])
        return [None if photo is None else next(found).pixels(photo) for photo in photos]

    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(1) as one:
        if net.on_gpu:
            photos = ahead(pool, reader, ids, 2 * net.batch)
            found = ahead(one, search, groups(photos, net.batch), 2)
        else:
            names = groups(ids, net.batch)
            found = ahead(pool, lambda some: search([*map(reader, some)]), names, 4 * threads)
        yield from chain.from_iterable(found)


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line; main.sh gives none, so the defaults are what the platform runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../data"))
    parser.add_argument("--out", type=Path, default=Path("../submission/submission.csv"))
    parser.add_argument("--weights", type=Path, default=HERE / "model.onnx")
    parser.add_argument("--backend", choices=("onnxruntime", "openvino"), default="onnxruntime")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="of openvino")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, help="default: the processors of this container")
    parser.add_argument("--batch", type=int, help="photos at once (4 on a CPU, 32 on a GPU)")
    parser.add_argument("--first", type=int, nargs=2, metavar=("H", "W"), help="first look's size")
    parser.add_argument("--second", type=int, nargs=2, metavar=("H", "W"), help="second look's")
    parser.add_argument("--one-look", action="store_true", help="leave out the second look")
    parser.add_argument("--no-glance", action="store_true", help="no smaller look before the first")
    return parser.parse_args(argv)


def choose(looks: Looks, args: argparse.Namespace) -> Looks:
    """Look at photos as the weights want, but for what the command line says."""
    if args.first:
        looks = replace(looks, first=tuple(args.first), glance=half(tuple(args.first)))
    if args.second or args.one_look:
        looks = replace(looks, second=None if args.one_look else tuple(args.second))
    return replace(looks, glance=None) if args.no_glance else looks


def main(argv: list[str]) -> None:
    """Read the list of photos, find the spacecraft on each, write the table."""
    args = parse(argv)
    threads = args.threads or cpus.usable()
    net = network.load(
        args.weights,
        backend=args.backend,
        device=args.device,
        threads=threads,
        precision=args.precision,
        batch=args.batch,
    )
    net = replace(net, looks=choose(net.looks, args))
    log.info("%s, %d threads, batches of %d", net.description, threads, net.batch)

    predictions = Predictions(read_ids(args.data / "submission_format.csv"))
    reader = Reader(args.data / "images")
    progress = Progress(len(predictions.ids))
    for index, box in enumerate(boxes(predictions.ids, reader, net, threads)):
        predictions.set(index, box)
        progress(index + 1)
    if reader.broken:
        log.warning("%d photos could not be read", reader.broken)
    if predictions.missing:
        log.warning("%d photos get the fall-back box", predictions.missing)
    predictions.write(args.out)
    log.info("wrote %s", args.out)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        main(sys.argv[1:])
    except network.NetworkError as problem:
        sys.exit(f"ERROR {problem}")
