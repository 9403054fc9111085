"""The workers, which turn photo files into boxes: a process for each core, or one GPU.

Processes, because kornia-rs holds the GIL while it decodes: in one process, two threads decode
no more photos than one.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from looks import find
from network import LoadedNetwork
from photos import BrokenPhotoError, Photo, read
from table import Pixels

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger("benchmark")

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal to receive when the parent dies."""


@dataclass(frozen=True)
class Answer:
    """The result for one photo."""

    box: Pixels | None = None
    broken: str = ""
    """Why the photo could not be read; empty if it could."""


@dataclass(frozen=True)
class Worker:
    """Turns photo files into boxes."""

    folder: Path
    net: LoadedNetwork

    def __call__(self, ids: list[str]) -> list[Answer]:
        """Read photos and find the spacecraft on them."""
        return self.search([*map(self.read, ids)])

    def read(self, image_id: str) -> Photo | Answer:
        """Decode a photo, or return why it cannot be."""
        try:
            # OpenCV releases the GIL, which the threads that feed a GPU need.
            return read(self.folder / f"{image_id}.png", quickly=not self.net.on_gpu)
        except BrokenPhotoError as error:
            return Answer(broken=str(error))

    def search(self, photos: list[Photo | Answer]) -> list[Answer]:
        """Find the spacecraft on the photos that could be read."""
        there = [photo for photo in photos if not isinstance(photo, Answer)]
        net = self.net
        found = iter(find(there, net.run, net.looks, net.refiner) if there else [])
        return [
            photo if isinstance(photo, Answer) else Answer(next(found).pixels(photo))
            for photo in photos
        ]


def detect_all(ids: list[str], worker: Worker, count: int) -> Iterator[Answer]:
    """Yield the result for each photo, in order.

    On a CPU each process turns a few files into boxes by itself, so that all processors are busy
    whichever step takes longest. For a GPU, threads decode ahead, and one more thread runs the
    network on whole batches.

    Args:
        ids: The photos.
        worker: Turns them into boxes.
        count: How many processes or threads.
    """
    if worker.net.on_gpu:
        with ThreadPoolExecutor(count) as pool, ThreadPoolExecutor(1) as one:
            photos = prefetch(pool, worker.read, ids, 2 * worker.net.batch)
            found = prefetch(one, worker.search, batched(photos, worker.net.batch), 2)
            yield from chain.from_iterable(found)
        return
    done = 0
    pool = processes(worker, count)
    started = started_by(pool)
    try:
        with pool:
            found = prefetch(pool, work, batched(ids, worker.net.batch), 4 * count)
            for answer in chain.from_iterable(found):
                yield answer
                done += 1
    except BrokenProcessPool:
        log.warning("%s; continuing with one", how_ended(started))
        yield from one_by_one(ids[done:], worker)


def one_by_one(ids: list[str], worker: Worker) -> Iterator[Answer]:
    """Yield the results of one process, photo by photo, to skip the photo that kills it."""
    done = 0
    while done < len(ids):
        pool = processes(worker, 1)
        started = started_by(pool)
        with pool, contextlib.suppress(BrokenProcessPool):
            for (answer,) in prefetch(pool, work, batched(ids[done:], 1), 1):
                yield answer
                done += 1
            return
        yield Answer(broken=how_ended(started))
        done += 1


def started_by(pool: Executor) -> Mapping[int, BaseProcess]:
    """Return the processes of a pool, which fills this as it starts them, by their ids."""
    return getattr(pool, "_processes", {})  # the pool itself forgets them at its end


def how_ended(started: Mapping[int, BaseProcess]) -> str:
    """Return how the process ended that broke a pool, which ends the others by SIGTERM."""
    codes = {process.exitcode or 0 for process in started.values()} - {0, -signal.SIGTERM}
    code = min(codes, default=-signal.SIGTERM)
    if code > 0:
        return f"a worker ended with exit code {code}"
    name = next((f" ({known.name})" for known in signal.Signals if known == -code), "")
    why = ", probably out of memory" if code == -signal.SIGKILL else ""
    return f"a worker was killed by signal {-code}{name}{why}"


def processes(worker: Worker, count: int) -> Executor:
    """Return a pool of processes, or of one thread if the system has no semaphores."""
    fork = multiprocessing.get_context("fork")
    set_worker(worker)
    try:
        return ProcessPoolExecutor(count, fork, initializer=init_process)
    except OSError as error:
        log.warning("one worker only, which is slower: the system has no semaphores (%s)", error)
        return ThreadPoolExecutor(1)


def set_worker(worker: Worker) -> None:
    """Set the worker that the processes of the pool inherit at the fork."""
    global own  # noqa: PLW0603  (a network cannot be pickled and sent to the processes)
    own = worker


def init_process() -> None:
    """Set up a process of the pool: silent, and killed when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # libpng prints a line for every broken photo; the parent logs the first few.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def work(ids: list[str]) -> list[Answer]:
    """Run the inherited worker."""
    return own(ids)


def prefetch(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Iterator[Result]:
    """Yield the results of a pool in order, at most `depth` items ahead."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items; the last may be shorter."""
    stream = iter(items)
    while group := list(islice(stream, size)):
        yield group
