"""What a network computes on some views, and how much its outputs depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional
from ultralytics.nn.modules import Conv

from posebowl.training.shapes import convolutions

SAMPLES: Final = 20_000
"""Places in the feature maps from which a convolution is fitted: ten for each of its inputs."""
BOXES: Final = 3.0
"""Weight of an error of a box's side, as a share of it, among errors of the score."""
FAINT: Final = 1e-4
"""Weight of a score where nothing is seen: there, too, it must not rise."""
TOGETHER: Final = 4
"""Views in a batch, whose gradients fit into memory."""


class Places:
    """Random places in the feature maps of a convolution's output, the same for all networks."""

    def __init__(self, shape: tuple[int, int, int], name: str) -> None:
        n, height, width = shape
        count = min(SAMPLES, n * height * width)
        rng = np.random.default_rng(list(name.encode()))
        flat = np.sort(rng.choice(n * height * width, count, replace=False))
        found = np.unravel_index(flat, (n, height, width))
        self.view, self.row, self.column = (torch.from_numpy(one) for one in found)

    def of(self, features: torch.Tensor) -> torch.Tensor:
        """Return all channels at these places, (places, channels)."""
        return features[self.view, :, self.row, self.column]

    def patches(self, features: torch.Tensor, conv: Any) -> torch.Tensor:
        """Return what a convolution sees at these places, (places, channels, kernel's pixels)."""
        (pad, _), (high, wide), (step, _) = conv.padding, conv.kernel_size, conv.stride
        padded = functional.pad(features, (pad, pad, pad, pad))
        row, column = self.row * step, self.column * step
        seen = [padded[self.view, :, row + y, column + x] for y in range(high) for x in range(wide)]
        return torch.stack(seen, 2)


@dataclass(frozen=True)
class Activations:
    """What each convolution of a network computes on some views, by the convolution's name."""

    passed: dict[str, torch.Tensor]
    """Before the activation function, at `Places`: (places, channels)."""
    weight: dict[str, torch.Tensor]
    """For an error of 1 in a channel of all places, after the activation function, the squared
    error of the network's outputs for a view: (channels,)."""


def activations(network: Any, views: torch.Tensor) -> Activations:
    """Return what a network in inference computes on views, (n, 3, height, width), 0 to 1."""
    return Activations(passed=_passed(network, views), weight=_weights(network, views))


def _passed(network: Any, views: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what each convolution computes before its activation function, at some places."""
    found: dict[str, torch.Tensor] = {}

    def record(name: str, passed: torch.Tensor) -> None:
        found[name] = Places((len(passed), *passed.shape[2:]), name).of(passed)

    hooks = [
        (part.bn if isinstance(part, Conv) else part).register_forward_hook(
            lambda _, __, passed, name=name: record(name, passed)
        )
        for name, part in convolutions(network).items()
    ]
    with torch.no_grad():
        network(views)
    for hook in hooks:
        hook.remove()
    return found


def _weights(network: Any, views: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return how the network's outputs depend on each channel (the diagonal of Gauss-Newton).

    The square of the gradient of a sum of random signs is, on average, the sum of the squares of
    all gradients (F. Dangel et al., BackPACK, 2020).
    """
    found: dict[str, torch.Tensor] = {}

    def add(name: str, gradient: torch.Tensor) -> None:
        found[name] = found.get(name, 0) + gradient.square().sum((0, 2, 3)) / len(views)

    def watch(name: str, passed: torch.Tensor) -> None:
        passed.register_hook(partial(add, name))

    hooks = [
        part.register_forward_hook(lambda _, __, passed, name=name: watch(name, passed))
        for name, part in convolutions(network).items()
    ]
    generator = torch.Generator().manual_seed(0)
    for batch in views.split(TOGETHER):
        _, outputs = network(batch.clone().requires_grad_())
        _random_sum(outputs, generator).backward()
    for hook in hooks:
        hook.remove()
    network.zero_grad()
    return found


def _random_sum(outputs: dict[str, torch.Tensor], generator: torch.Generator) -> torch.Tensor:
    """Return the sum of all scores and boxes with random signs, by their weights.

    A score counts as in its cross-entropy, a box where a spacecraft is seen.

    Args:
        outputs: As ultralytics' head returns them: see `imitation.imitation_loss`.
        generator: Of the signs.
    """
    seen = outputs["scores"].detach().sigmoid()
    sides = outputs["boxes"].detach().sum(1, keepdim=True).clamp(min=1)
    scores = outputs["scores"] * (seen * (1 - seen) + FAINT).sqrt()
    boxes = BOXES * outputs["boxes"] / sides * seen.sqrt()
    every = torch.cat([scores, boxes], 1)
    signs = torch.randint(0, 2, every.shape, generator=generator) * 2 - 1
    return (every * signs).sum()
