"""What the replicas of test_replicas.py do; another process must be able to import it."""

import os
import sys
from pathlib import Path

import torch

from posebowl.training.replicas import Replicas


def average_ranks(replicas: Replicas) -> tuple[list[float], float, list[float]]:
    """Average gradients that depend on the rank; then take over the leading replica's numbers."""
    parameters = [torch.nn.Parameter(torch.zeros(2, 3, 2, 2)) for _ in range(3)]
    channels_last = torch.ones(2, 3, 2, 2).to(memory_format=torch.channels_last)
    parameters[0].grad = channels_last * (1 + 2 * replicas.rank)
    if replicas.leads:
        parameters[1].grad = torch.arange(24.0).reshape(2, 3, 2, 2)
    parameters[2].requires_grad_(requires_grad=False)
    replicas.average_gradients(parameters)
    own = torch.full((2,), 7.0 + replicas.rank)
    replicas.share([own])
    clock = replicas.agree(3.5 + replicas.rank)
    first, second, _ = parameters
    assert first.grad is not None
    assert second.grad is not None
    return [*first.grad.unique().tolist(), *second.grad.flatten().tolist()], clock, own.tolist()


def average_and_write(file: Path, replicas: Replicas) -> None:
    """Do the same, and write what came out to a file."""
    file.write_text(repr(average_ranks(replicas)))
    replicas.agree(0.0)


class Unready:
    """Ends the process that it is sent to, before that one has met any other."""

    def __call__(self, replicas: Replicas) -> None:
        raise NotImplementedError

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (1,)


def end(replicas: Replicas) -> None:
    """End at once, as a process does that the kernel killed."""
    sys.exit(replicas.rank)
