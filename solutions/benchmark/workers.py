"""The workers, which take photos from files to boxes: a process for each processor, or one GPU.

Processes, since kornia-rs holds Python's lock while it decodes: in one process, two threads
decode no more photos than one does.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from looks import find
from network import Loaded
from photos import BrokenPhotoError, Photo, read
from table import Pixels

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger("benchmark")

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal to get when the parent dies."""


@dataclass(frozen=True)
class Answer:
    """What became of one photo."""

    box: Pixels | None = None
    broken: str = ""
    """Why it could not be read; empty where it could."""


@dataclass(frozen=True)
class Worker:
    """Takes photos from files to boxes."""

    folder: Path
    net: Loaded

    def __call__(self, ids: list[str]) -> list[Answer]:
        """Read photos and find the spacecraft on them."""
        return self.search([*map(self.read, ids)])

    def read(self, image_id: str) -> Photo | Answer:
        """Decode a photo, or answer why that cannot be done."""
        try:
            # The slow decoder leaves Python's lock to others, whom a GPU needs all at once.
            return read(self.folder / f"{image_id}.png", quickly=not self.net.on_gpu)
        except BrokenPhotoError as error:
            return Answer(broken=str(error))

    def search(self, photos: list[Photo | Answer]) -> list[Answer]:
        """Find the spacecraft on the photos that could be read."""
        there = [photo for photo in photos if not isinstance(photo, Answer)]
        found = iter(find(there, self.net.run, self.net.looks) if there else [])
        return [
            photo if isinstance(photo, Answer) else Answer(next(found).pixels(photo))
            for photo in photos
        ]


def answers(ids: list[str], worker: Worker, count: int) -> Iterator[Answer]:
    """Yield what became of each photo, in order.

    On a CPU each process takes a few photos from files to boxes by itself, so that all processors
    are busy whatever takes longest. For a GPU threads decode ahead, and one thread more runs the
    network on whole batches.

    Args:
        ids: The photos.
        worker: What to do with them.
        count: How many processes or threads.
    """
    if worker.net.on_gpu:
        with ThreadPoolExecutor(count) as pool, ThreadPoolExecutor(1) as one:
            photos = ahead(pool, worker.read, ids, 2 * worker.net.batch)
            found = ahead(one, worker.search, groups(photos, worker.net.batch), 2)
            yield from chain.from_iterable(found)
        return
    done = 0
    try:
        with processes(worker, count) as pool:
            found = ahead(pool, work, groups(ids, worker.net.batch), 4 * count)
            for answer in chain.from_iterable(found):
                yield answer
                done += 1
    except BrokenProcessPool:
        log.warning("a worker was killed, probably for want of memory; one alone goes on")
        yield from singly(ids[done:], worker)


def singly(ids: list[str], worker: Worker) -> Iterator[Answer]:
    """Go on with one process and one photo at a time: at which it is killed is known then."""
    done = 0
    while done < len(ids):
        with processes(worker, 1) as pool, contextlib.suppress(BrokenProcessPool):
            for (answer,) in ahead(pool, work, groups(ids[done:], 1), 1):
                yield answer
                done += 1
            return
        yield Answer(broken="the worker that looked at it was killed")
        done += 1


def processes(worker: Worker, count: int) -> Executor:
    """Make a pool of processes; one thread where the system has no semaphores for them."""
    fork = multiprocessing.get_context("fork")
    keep(worker)
    try:
        return ProcessPoolExecutor(count, fork, initializer=settle_in)
    except OSError as error:
        log.warning("one worker only, which takes longer: no semaphores here (%s)", error)
        return ThreadPoolExecutor(1)


def keep(worker: Worker) -> None:
    """Keep the worker where each process of the pool has it, from the fork on."""
    global own  # noqa: PLW0603  (a pool hands its processes what can be pickled: a network cannot)
    own = worker


def settle_in() -> None:
    """Make a process of the pool its parent's: it speaks through it, and dies with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # libpng has a line for every broken photo, and no switch; the parent names the first few.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def work(ids: list[str]) -> list[Answer]:
    """Let the worker that was kept do its work."""
    return own(ids)


def ahead(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], depth: int
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
