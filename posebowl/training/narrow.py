"""A narrower network that starts from a wider one: fewer channels, which see the same.

Of the channels of each convolution, those are kept from which the others can best be computed.
Its weights are then fitted, one convolution after another: from what the narrower network has
computed so far to what the wider one computes there, by least squares (as in He et al., Channel
Pruning for Accelerating Very Deep Neural Networks, 2017). It must still be trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from ultralytics.nn.modules import Concat, Conv, Detect
from ultralytics.nn.modules.block import C2PSA, SPPF, Bottleneck, C2f, C3k, PSABlock

from posebowl.errors import UsageError
from posebowl.training.detector import pass_through

SAMPLES: Final = 20_000
"""Places in the feature maps from which a convolution is fitted: ten for each of its inputs."""
RIDGE: Final = 1e-4
"""Share of the inputs' mean square that keeps the weights small."""
Channels = npt.NDArray[np.int64]
"""Which channels of a feature map of the wider network the narrower one has."""


def narrow(model: Any, wide: Any, views: torch.Tensor) -> None:
    """Set a network's weights so that it computes nearly the same as a wider one.

    On the CPU, wherever the network is: once, in seconds, and partly in numpy.

    Args:
        model: The narrower network, not fused; its normalizations only add a bias afterwards.
        wide: A network of the same parts, whose normalizations only add a bias.
        views: On which both are compared, (n, 3, height, width), 0 to 1.

    Raises:
        UsageError: The two are not made of the same parts.
    """
    was_training, device = model.training, next(model.parameters()).device
    views = views.cpu()
    outputs = _outputs(wide.cpu().eval(), views)
    kept = Selection(model, wide, outputs).of_all()
    _fit(model.cpu().eval(), kept, outputs, views)
    model.to(device).train(was_training)


def convolution(part: Any) -> Any:
    """Return the convolution of a part: of ultralytics' Conv, or the part itself."""
    return part.conv if isinstance(part, Conv) else part


def convolutions(model: Any) -> dict[str, Any]:
    """Return the parts of a network that are one convolution each, by their names."""
    found = {name: part for name, part in model.named_modules() if isinstance(part, Conv)}
    inner = {id(part.conv) for part in found.values()}
    plain = {
        name: part
        for name, part in model.named_modules()
        if isinstance(part, torch.nn.Conv2d) and id(part) not in inner
    }
    return found | plain


class Places:
    """Random places in the feature maps of a convolution's output, the same for both networks."""

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


def _outputs(wide: Any, views: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what each convolution of a network computes, before its activation, at some places."""
    found: dict[str, torch.Tensor] = {}

    def record(name: str, passed: torch.Tensor) -> None:
        found[name] = Places((len(passed), *passed.shape[2:]), name).of(passed)

    hooks = [
        (part.bn if isinstance(part, Conv) else part).register_forward_hook(
            lambda _, __, passed, name=name: record(name, passed)
        )
        for name, part in convolutions(wide).items()
    ]
    with torch.no_grad():
        wide(views)
    for hook in hooks:
        hook.remove()
    return found


class Selection:
    """Chooses the channels of each convolution; where maps are added, the same of both."""

    def __init__(self, model: Any, wide: Any, outputs: dict[str, torch.Tensor]) -> None:
        self.wide, self.outputs = wide, outputs
        self.names = {id(part): name for name, part in wide.named_modules()}
        self.narrow = dict(model.named_modules())
        self.kept: dict[str, Channels] = {}

    def of_all(self) -> dict[str, Channels]:
        """Return the channels of every convolution, by its name."""
        layers: list[Channels] = []
        for layer in self.wide.model:
            if isinstance(layer, Detect):
                self.of_head(layer, [layers[index] for index in layer.f])
            elif isinstance(layer, Concat | torch.nn.Upsample):
                layers.append(np.arange(0))  # what is concatenated is not added or kept apart
            else:
                layers.append(self.of(layer, layers[-1] if layers else np.arange(3)))
        return self.kept

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
        raise UsageError(
            f"A {type(part).__name__} cannot be narrowed.",
            why="The choice of channels knows only the parts of YOLO26 and YOLO11.",
            fix="Leave out --start, or --width.",
        )

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
        halves = self.best(part.cv1, blocks=2)
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
        """Keep whole heads of attention."""
        attn, fewer = part.attn, self.narrow[self.names[id(part.attn)]]
        if (attn.head_dim, attn.key_dim) != (fewer.head_dim, fewer.key_dim):
            raise UsageError(
                "The attention cannot be narrowed.",
                why=f"Its heads have {attn.head_dim} channels here, {fewer.head_dim} there.",
                fix="Use --width 0.5.",
            )
        loudest = self.outputs[f"{self.names[id(attn)]}.pe"].square().mean(0)
        by_head = loudest.reshape(attn.num_heads, -1).sum(1)
        heads = np.sort(by_head.argsort(descending=True)[: fewer.num_heads].numpy())
        rows = attn.head_dim + 2 * attn.key_dim
        self.keep(attn.qkv, (heads[:, None] * rows + np.arange(rows)).ravel())
        self.keep(attn.pe, (heads[:, None] * attn.head_dim + np.arange(attn.head_dim)).ravel())
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

    def best(self, conv: Any, blocks: int = 1) -> Channels:
        """Choose the channels from which the others are best computed, as many of each block."""
        name = self.names[id(conv)]
        passed = conv.act(self.outputs[name]).double().numpy()
        size, count = passed.shape[1] // blocks, convolution(self.narrow[name]).out_channels
        chosen = [
            start + pivots(block.T @ block, count // blocks)
            for start in range(0, passed.shape[1], size)
            for block in (passed[:, start : start + size],)
        ]
        return np.concatenate(chosen)


def pivots(gram: npt.NDArray[np.float64], count: int) -> Channels:
    """Choose channels by their products with each other: each is what those before explain least.

    These are the pivots of a Cholesky decomposition.
    """
    left, chosen = gram.copy(), list[int]()
    for _ in range(count):
        unexplained = left.diagonal().copy()
        unexplained[chosen] = -1
        best = int(unexplained.argmax())
        chosen.append(best)
        if left[best, best] > 0:
            left -= np.outer(left[:, best], left[best]) / left[best, best]
    return np.sort(chosen)


def _fit(
    model: Any, kept: dict[str, Channels], outputs: dict[str, torch.Tensor], views: torch.Tensor
) -> None:
    """Fit each convolution to the wider network's, just before it is first used."""

    def fit(name: str, part: Any, seen: torch.Tensor) -> None:
        conv = convolution(part)
        step = conv.stride[0]  # the padding is such that a step of 1 keeps the size
        height, width = (-(-side // step) for side in seen.shape[2:])
        places = Places((len(seen), height, width), name)
        wanted = outputs[name][:, torch.from_numpy(kept[name])].double()
        weight, bias = _least_squares(places.patches(seen, conv).double(), wanted, conv.groups)
        conv.weight.copy_(weight.reshape(conv.weight.shape))
        if part is conv:
            conv.bias.copy_(bias)
        else:
            pass_through(part.bn)
            part.bn.bias.copy_(bias)

    hooks = [
        part.register_forward_pre_hook(lambda part, given, name=name: fit(name, part, given[0]))
        for name, part in convolutions(model).items()
    ]
    with torch.no_grad():
        model(views)
    for hook in hooks:
        hook.remove()


def _least_squares(
    seen: torch.Tensor, wanted: torch.Tensor, groups: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weights (outputs, inputs of a group x pixels) and biases (outputs).

    Args:
        seen: Inputs, (places, channels, pixels).
        wanted: Outputs, (places, outputs).
        groups: Of the convolution; each output of a depthwise one sees one channel.
    """
    count = len(seen)
    seen = seen.reshape(count, groups, -1).transpose(0, 1)
    wanted = wanted.reshape(count, groups, -1).transpose(0, 1)
    means = seen.mean(1, keepdim=True), wanted.mean(1, keepdim=True)
    seen, wanted = seen - means[0], wanted - means[1]
    square = seen.mT @ seen
    ridge = RIDGE * square.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-12)
    square += ridge[:, None, None] * torch.eye(square.shape[1], dtype=square.dtype)
    weight = torch.linalg.solve(square, seen.mT @ wanted).mT
    bias = means[1] - means[0] @ weight.mT
    return weight.reshape(-1, weight.shape[-1]), bias.reshape(-1)
