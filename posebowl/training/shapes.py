"""The shapes of a network's convolutions, which may be narrower than those it was built with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ultralytics.nn.modules import Conv
from ultralytics.nn.modules.block import C2PSA, Attention, C2f

from posebowl.errors import UsageError


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


def weight_name(name: str, part: Any) -> str:
    """Return the name of the weights of one of the `convolutions`."""
    return f"{name}.conv.weight" if isinstance(part, Conv) else f"{name}.weight"


def reshape(model: Any, weights: Mapping[str, torch.Tensor]) -> None:
    """Give each convolution the shape of its weights; those that differ are zero afterwards.

    Args:
        model: As `detector.build` makes it.
        weights: By their names; what is missing stays as it is.

    Raises:
        UsageError: They are of another architecture.
    """
    found = convolutions(model)
    for name, part in found.items():
        given = weights.get(weight_name(name, part))
        if given is not None and given.ndim == 4 and given.shape != convolution(part).weight.shape:
            set_shape(part, tuple(given.shape))
    set_splits(model, {name: convolution(part).out_channels for name, part in found.items()})


def set_shape(part: Any, shape: tuple[int, ...]) -> None:
    """Make a convolution and its normalization anew, for weights of a shape, which are zero.

    Args:
        part: One of the `convolutions`.
        shape: Outputs, inputs of a group, height, width.
    """
    conv = convolution(part)
    outputs, inputs = shape[:2]
    conv.groups = outputs if conv.groups > 1 else 1  # depthwise
    conv.in_channels, conv.out_channels = inputs * conv.groups, outputs
    conv.weight = torch.nn.Parameter(conv.weight.new_zeros(shape))
    if conv.bias is not None:
        conv.bias = torch.nn.Parameter(conv.bias.new_zeros(outputs))
    if isinstance(part, Conv):
        norm = part.bn
        part.bn = torch.nn.BatchNorm2d(outputs, eps=norm.eps, momentum=norm.momentum)
        part.bn.to(conv.weight).train(norm.training)


def set_splits(model: Any, widths: Mapping[str, int]) -> None:
    """Set where parts split what their convolutions return.

    Args:
        model: A network.
        widths: Channels of each convolution, by its name.

    Raises:
        UsageError: They are of another architecture, whose attention has other heads.
    """
    for name, part in model.named_modules():
        if isinstance(part, C2f | C2PSA):
            part.c = widths[f"{name}.cv1"] // 2
        elif isinstance(part, Attention):
            part.head_dim = widths[f"{name}.pe"] // part.num_heads
            if widths[f"{name}.qkv"] != part.num_heads * (2 * part.key_dim + part.head_dim):
                raise UsageError(
                    "The weights are of another architecture than the network.",
                    why=f"{name} has not {part.num_heads} heads with {part.key_dim} keys.",
                    fix="Set --model to theirs, such as --model yolo26n.yaml.",
                )
