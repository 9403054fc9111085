"""Data-parallel training: processes that train one network, each on views of its own.

On a CPU, two processes of one thread are faster than one process of two threads, which wait for
each other at every layer.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Semaphore
from pathlib import Path

import torch
from torch import distributed

from posebowl.errors import PoseBowlError
from posebowl.util.interrupts import undisturbed


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """This process's place among those that train the same network."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process validates, saves and reports."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace the gradients by their means over all replicas.

        Raises:
            PoseBowlError: Another replica ended.
        """
        if self.count == 1:
            return
        trained = [one for one in parameters if one.requires_grad]
        flat = torch.cat([_gradient(one).reshape(-1) for one in trained])
        _together(distributed.all_reduce, flat)
        flat /= self.count
        means = flat.split([one.numel() for one in trained])
        for one, mean in zip(trained, means, strict=True):
            gradient = one.grad = _gradient(one)
            gradient.copy_(mean.view_as(gradient))

    def share(self, tensors: Iterable[torch.Tensor]) -> None:
        """Replace tensors by those of the leading replica.

        Raises:
            PoseBowlError: Another replica ended.
        """
        if self.count == 1:
            return
        for one in tensors:
            same = one.contiguous()
            _together(distributed.broadcast, same, 0)
            one.copy_(same)

    def agree(self, number: float) -> float:
        """Return the leading replica's number.

        Raises:
            PoseBowlError: Another replica ended.
        """
        same = torch.tensor([number], dtype=torch.float64)
        self.share([same])
        return float(same)


@contextmanager
def start(count: int, follow: Callable[[Replicas], object]) -> Iterator[Replicas]:
    """Start all replicas but the leading one, which is this process; end them with it.

    Args:
        count: How many there are, with this one.
        follow: What the others do; must be picklable.
    """
    if count == 1:
        yield Replicas()
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        context = get_context("spawn")  # threads of PyTorch do not survive a fork
        ready, threads = context.Semaphore(0), torch.get_num_threads()
        others = []
        for rank in range(1, count):
            place = Replicas(rank=rank, count=count)
            words = (ready, follow, place, meeting, threads)
            others.append(context.Process(target=_follow, args=words, daemon=True))
        try:
            for other in others:
                other.start()
            for _ in others:
                while not ready.acquire(timeout=0.5):
                    if not all(other.is_alive() for other in others):
                        raise _ended("It could not start.")
            lead = Replicas(count=count)
            _meet(lead, meeting)
            yield lead
        finally:
            with undisturbed():
                _end(others)


def _end(others: Iterable[BaseProcess]) -> None:
    """End the replicas that were started, and leave their group."""
    for other in others:
        if other.pid is not None:
            other.terminate()
            other.join()
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _follow(
    ready: Semaphore,
    follow: Callable[[Replicas], object],
    replicas: Replicas,
    meeting: Path,
    threads: int,
) -> None:
    """Run a replica that does not lead. Ctrl-C is for the leading one, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ready.release()
    torch.set_num_threads(threads)
    _meet(replicas, meeting)
    follow(replicas)


def _meet(replicas: Replicas, meeting: Path) -> None:
    """Connect to the other replicas, which share a file."""
    distributed.init_process_group(
        "gloo", init_method=meeting.as_uri(), rank=replicas.rank, world_size=replicas.count
    )


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    """Return a gradient; zeros if nothing in the batch had one."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _together(operation: Callable[..., object], *arguments: object) -> None:
    try:
        operation(*arguments)
    except RuntimeError as error:
        raise _ended(str(error).partition("\n")[0]) from error


def _ended(why: str) -> PoseBowlError:
    return PoseBowlError(
        "A process of the training ended.",
        why=why,
        fix="See the messages above; type the same command with --resume to continue.",
    )
