"""Which channels of a network are kept when it is narrowed.

Those of each convolution are ordered by what they say about the others, and as many are kept as are
worth the multiplications that they cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from ultralytics.nn.modules import Concat, Conv, Detect
from ultralytics.nn.modules.block import (
    C2PSA,
    SPPF,
    Attention,
    Bottleneck,
    C2f,
    C3k,
    C3k2,
    PSABlock,
)

from posebowl.errors import UsageError
from posebowl.training.activations import Activations
from posebowl.training.shapes import convolution, convolutions, set_shape, set_splits

GRAIN: Final = 16
"""Channels that processors compute together; of each convolution a multiple of them is kept."""
LOWEST: Final = 1e-12
"""The lowest price, as a share of the highest, at which hardly a channel is worth it."""
STEPS: Final = 16
"""Halvings of the range of prices."""
EXAMPLE: Final = torch.zeros(1, 3, 64, 64)
"""A view on which multiplications are counted."""
Channels = npt.NDArray[np.int64]
"""Which channels of a feature map of the wider network the narrower one has."""


@dataclass(frozen=True)
class Order:
    """The channels of a convolution, from the most to the least telling."""

    blocks: Channels
    """Of each block, of which as many are kept, (blocks, channels), counted from its first."""
    lost: npt.NDArray[np.float64]
    """Squared error of the network's outputs with one channel of each block, with two, and on."""

    @property
    def size(self) -> int:
        """Return the number of channels of a block."""
        return int(self.blocks.shape[1])

    def counts(self) -> list[int]:
        """Return how many channels of a block may be kept."""
        return [*range(GRAIN, self.size, GRAIN), self.size]

    def first(self, count: int) -> Channels:
        """Return the most telling channels of each block, counted from the convolution's first."""
        kept = [number * self.size + np.sort(one[:count]) for number, one in enumerate(self.blocks)]
        return np.concatenate(kept)


def require_known(network: Any) -> None:
    """Check that a network is made of parts whose channels can be chosen.

    Raises:
        UsageError: It has others, or a head that returns distributions of the sides of boxes.
    """
    known = {Conv, C2f, C3k2, SPPF, C2PSA, Concat, torch.nn.Upsample, Detect}
    head = network.model[-1]
    other = next((layer for layer in network.model if type(layer) not in known), None)
    if other is not None or head.reg_max > 1:
        raise UsageError(
            f"A network with {type(other or head).__name__} of this kind cannot be narrowed.",
            why="The choice of channels knows only the parts of YOLO26.",
            fix="Use a network that was trained from yolo26n.yaml, or another YOLO26.",
        )


def choose(wide: Any, seen: Activations, share: float) -> dict[str, Channels]:
    """Return the channels of each convolution, by its name, for a share of the multiplications.

    Args:
        wide: The network to narrow.
        seen: What it computes.
        share: Of its multiplications, 0 to 1.

    Raises:
        UsageError: The network cannot be made so narrow.
    """
    orders = _orders(wide, seen)
    every = multiplications(wide, Selection(wide, orders, {}).kept)
    costs = _costs(wide, orders)

    def at(price: float) -> dict[str, Channels]:
        counts = {
            name: min(
                orders[name].counts(), key=lambda n: orders[name].lost[n - 1] + price * cost * n
            )
            for name, cost in costs.items()
        }
        return Selection(wide, orders, counts).kept

    high = max(orders[name].lost[0] / cost for name, cost in costs.items())
    least = multiplications(wide, at(high)) / every
    if least > share:
        raise UsageError(
            f"The network cannot be narrowed to {share:.0%} of its multiplications.",
            why=f"With {GRAIN} channels of each convolution, it has {least:.0%}.",
            fix=f"Use --keep {math.ceil(100 * least) / 100:g} or more.",
        )
    low = high * LOWEST
    for _ in range(STEPS):
        middle = math.sqrt(low * high)
        few = multiplications(wide, at(middle)) <= share * every
        low, high = (low, middle) if few else (middle, high)
    return at(high)


def multiplications(wide: Any, kept: Mapping[str, Channels]) -> int:
    """Return how many multiplications the convolutions take for a small view."""
    model, total = deepcopy(wide), 0
    set_splits(model, {name: len(channels) for name, channels in kept.items()})

    def narrow(name: str, part: Any, given: torch.Tensor) -> None:
        conv, outputs = convolution(part), len(kept[name])
        groups = outputs if conv.groups > 1 else 1
        set_shape(part, (outputs, given.shape[1] // groups, *conv.kernel_size))

    def count(conv: Any, passed: torch.Tensor) -> None:
        nonlocal total
        total += passed[0].numel() * conv.weight[0].numel()

    for name, part in convolutions(model).items():
        part.register_forward_pre_hook(lambda part, given, name=name: narrow(name, part, given[0]))
        convolution(part).register_forward_hook(lambda conv, _, passed: count(conv, passed))
    with torch.no_grad():
        model(EXAMPLE)
    return total


def _costs(wide: Any, orders: Mapping[str, Order]) -> dict[str, float]:
    """Return the multiplications of one channel more, of each convolution that has a choice.

    They are those that compute the channel, and those that read it, on average over the network.
    """
    sizes: dict[str, int] = {}

    def measure(name: str, passed: torch.Tensor) -> None:
        sizes[name] = passed[0, 0].numel()

    parts = convolutions(wide)
    hooks = [
        part.register_forward_hook(lambda _, __, passed, name=name: measure(name, passed))
        for name, part in parts.items()
    ]
    with torch.no_grad():
        wide(EXAMPLE)
    for hook in hooks:
        hook.remove()
    of_one = {name: convolution(part).weight[0].numel() for name, part in parts.items()}
    maps = {name: sizes[name] * convolution(part).out_channels for name, part in parts.items()}
    reading = sum(of_one[name] * maps[name] for name in parts) / sum(maps.values())
    return {
        name: sizes[name] * len(orders[name].blocks) * (of_one[name] + reading)
        for name in Selection(wide, orders, {}).chosen
    }


def _orders(wide: Any, seen: Activations) -> dict[str, Order]:
    """Return the orders of the channels of all convolutions, and of the values of attention."""
    names = {id(part): name for name, part in wide.named_modules()}
    halved = {names[id(part.cv1)] for part in wide.modules() if isinstance(part, C2f | C2PSA)}
    found = {}
    for name, part in convolutions(wide).items():
        passed = seen.passed[name].double()
        passed = part.act(passed) if isinstance(part, Conv) else passed
        weighted = (passed - passed.mean(0)) * seen.weight[name].double().sqrt()
        found[name] = _order(np.split(weighted.numpy(), 2 if name in halved else 1, axis=1))
    for name, part in wide.named_modules():
        if isinstance(part, Attention):
            rows = seen.passed[f"{name}.qkv"].double().numpy()
            values = np.split(rows, part.num_heads, axis=1)
            found[name] = _order([head[:, 2 * part.key_dim :] for head in values])
    return found


def _order(blocks: Sequence[npt.NDArray[np.float64]]) -> Order:
    """Return the order of channels, of blocks (places, channels)."""
    found = [pivots(block.T @ block / len(block)) for block in blocks]
    return Order(np.stack([one for one, _ in found]), np.sum([lost for _, lost in found], axis=0))


def pivots(gram: npt.NDArray[np.float64]) -> tuple[Channels, npt.NDArray[np.float64]]:
    """Order channels by their products with each other: each is what those before explain least.

    These are the pivots of a Cholesky decomposition.

    Returns:
        The channels, and what they and those before leave unexplained, in units of the products.
    """
    left, chosen, lost = gram.copy(), list[int](), list[float]()
    for _ in range(len(gram)):
        unexplained = left.diagonal().copy()
        unexplained[chosen] = -1
        best = int(unexplained.argmax())
        chosen.append(best)
        if left[best, best] > 0:
            left -= np.outer(left[:, best], left[best]) / left[best, best]
        lost.append(max(0.0, float(np.trace(left))))
    return np.array(chosen), np.array(lost)


class Selection:
    """Goes through a network; where maps are added, the same channels of both are kept."""

    def __init__(self, wide: Any, orders: Mapping[str, Order], counts: Mapping[str, int]) -> None:
        self.orders, self.counts = orders, counts
        self.names = {id(part): name for name, part in wide.named_modules()}
        self.kept: dict[str, Channels] = {}
        """The channels of every convolution, by its name."""
        self.chosen: list[str] = []
        """The convolutions with a choice: the others follow them."""
        self.of_all(wide)

    def of_all(self, wide: Any) -> None:
        """Go through all layers."""
        layers: list[Channels] = []
        for layer in wide.model:
            if isinstance(layer, Detect):
                self.of_head(layer, [layers[index] for index in layer.f])
            elif isinstance(layer, Concat | torch.nn.Upsample):
                layers.append(np.arange(0))  # what is concatenated is not added or kept apart
            else:
                layers.append(self.of(layer, layers[-1] if layers else np.arange(3)))

    def of(self, part: Any, given: Channels) -> Channels:
        """Return the channels that a part computes, from those that it is given."""
        ways: dict[type, Callable[[Any, Channels], Channels]] = {
            C2PSA: self.of_split,
            C2f: self.of_split,
            C3k: self.of_branches,
            SPPF: self.of_pyramid,
            PSABlock: self.of_attention,
            Bottleneck: self.of_bottleneck,
            Conv: self.of_convolution,
            torch.nn.Sequential: self.of_sequence,
        }
        for kind, way in ways.items():
            if isinstance(part, kind):
                return way(part, given)
        raise TypeError(type(part))

    def of_convolution(self, conv: Any, given: Channels) -> Channels:
        """Keep what says most of the rest; of a depthwise convolution, what it is given."""
        depthwise = conv.conv.groups > 1
        return self.keep(conv, given if depthwise else self.best(conv))

    def of_sequence(self, parts: Any, given: Channels) -> Channels:
        """Go through several parts."""
        for part in parts:
            given = self.of(part, given)
        return given

    def of_bottleneck(self, part: Any, given: Channels) -> Channels:
        """Keep the sum of what is given and computed in the same channels."""
        self.of(part.cv1, given)
        return self.keep(part.cv2, given) if part.add else self.of(part.cv2, given)

    def of_split(self, part: Any, given: Channels) -> Channels:
        """Keep as many channels of both halves; the second goes through the inner parts."""
        halves = self.best(part.cv1)
        self.keep(part.cv1, halves)
        inner = halves[len(halves) // 2 :] - part.c
        for one in part.m:
            inner = self.of(one, inner)
        return self.of(part.cv2, given)

    def of_branches(self, part: Any, given: Channels) -> Channels:
        """Go through one branch and past it."""
        self.of(part.m, self.of(part.cv1, given))
        self.of(part.cv2, given)
        return self.of(part.cv3, given)

    def of_pyramid(self, part: Any, given: Channels) -> Channels:
        """Pool one convolution's channels several times."""
        self.of(part.cv1, given)
        return self.keep(part.cv2, given) if part.add else self.of(part.cv2, given)

    def of_attention(self, part: Any, given: Channels) -> Channels:
        """Keep all that is compared, and as many values of each head as channels are given."""
        attn, count = part.attn, len(given) // part.attn.num_heads
        rows = 2 * attn.key_dim + attn.head_dim
        orders = self.orders[self.names[id(attn)]].blocks
        compared, values = [], []
        for head in range(attn.num_heads):
            first = head * rows + 2 * attn.key_dim
            chosen = np.sort(orders[head, :count])
            compared += [np.arange(head * rows, first), first + chosen]
            values.append(head * attn.head_dim + chosen)
        self.keep(attn.qkv, np.concatenate(compared))
        self.keep(attn.pe, np.concatenate(values))
        self.keep(attn.proj, given)
        self.of(part.ffn[0], given)
        return self.keep(part.ffn[1], given)

    def of_head(self, head: Any, given: list[Channels]) -> None:
        """Go through the branches for boxes and scores, each of which ends in all its outputs."""
        for branches in (head.cv2, head.cv3):
            for branch, channels in zip(branches, given, strict=True):
                self.of_sequence(branch[:-1], channels)
                self.kept[self.names[id(branch[-1])]] = np.arange(branch[-1].out_channels)

    def keep(self, conv: Any, channels: Channels) -> Channels:
        """Note the channels of a convolution."""
        self.kept[self.names[id(conv)]] = channels
        return channels

    def best(self, conv: Any) -> Channels:
        """Choose as many channels as asked for, by default all."""
        name = self.names[id(conv)]
        self.chosen.append(name)
        return self.orders[name].first(self.counts.get(name, self.orders[name].size))
