"""Initial weights for training: a checkpoint, or the solution's own ONNX file.

An exported file has no batch normalization: each was folded into the convolution before it. To
train further, they are restored (`unfold_batch_norm`) without changing the network's output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from onnx import numpy_helper
from ultralytics.nn.modules.conv import Conv

from posebowl.errors import UsageError
from posebowl.training.detector import load, pass_through
from posebowl.training.graph import joined
from posebowl.training.shapes import reshape
from posebowl.util.console import note

FILTER_SIZE: Final = 0.15
"""Root mean square of a filter's weights; a step of AdamW at the rate 0.0005 then turns it by a
third of a percent at most."""
_PREFIX: Final = "model."
"""The prefix that the export's wrapper adds to every name."""


def load_initial_weights(model: Any, weights: Path, views: Iterable[torch.Tensor]) -> None:
    """Load the weights of a file into a newly built model.

    Args:
        model: As `detector.build` makes it: one class, one head, not fused.
        weights: An ultralytics checkpoint, of which every tensor that fits is used, or an ONNX file
            that `benchmark.export` made from the same architecture.
        views: Some batches of training views, (n, height, width, 3), uint8, red, green, blue, on
            which the normalizations of an ONNX file are measured; read only for such a file.

    Raises:
        UsageError: The file cannot be read, or is of another architecture.
    """
    if weights.suffix == ".onnx":
        fill(model, read_onnx(weights), weights)
        unfold_batch_norm(model, views)
        return
    other, own = load(weights).state_dict(), model.state_dict()
    fitting = {
        name: other[name] for name in own if name in other and own[name].shape == other[name].shape
    }
    if len(fitting) < len(own) / 2:
        raise _misfit(weights, f"{len(fitting)} of {len(own)} tensors fit.")
    own.update(fitting)
    model.load_state_dict(own)
    note(f"Loaded {len(fitting)} of {len(own)} tensors from {weights}.")


def shapes(weights: Path) -> Mapping[str, torch.Tensor]:
    """Return tensors of the shapes that a file gives a network; none if it leaves them open.

    Raises:
        UsageError: The file cannot be read.
    """
    if weights.suffix == ".onnx":
        return read_onnx(weights)
    model = load(weights)
    of_one_class: bool = model.model[-1].nc == 1
    return model.state_dict() if of_one_class else {}


def read_onnx(weights: Path) -> dict[str, torch.Tensor]:
    """Read the weights of an exported file, by the names that they have in PyTorch.

    Raises:
        UsageError: The file is missing or not an ONNX file.
    """
    try:
        return weights_of(weights.read_bytes())
    except Exception as error:  # noqa: BLE001  (what protobuf raises differs by its version)
        raise UsageError(
            f"Cannot read {weights}.",
            why=str(error),
            fix="Use an ONNX file that `invoke benchmark.export` wrote.",
        ) from None


def weights_of(content: bytes) -> dict[str, torch.Tensor]:
    """Return the weights of an exported network, by the names that they have in PyTorch."""
    graph = onnx.load_from_string(content).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return {
        name.removeprefix(_PREFIX): torch.from_numpy(values.copy())
        for name, values in joined(tensors).items()
    }


def fill(model: Any, weights: dict[str, torch.Tensor], source: Path) -> None:
    """Load folded weights into the convolutions; the normalizations only add the bias.

    Args:
        model: As `detector.build` makes it; its convolutions get the weights' shapes.
        weights: By their names in PyTorch, as `read_onnx` returns them.
        source: Where they are from, for errors.

    Raises:
        UsageError: A tensor is missing, or has another shape than it can have.
    """
    reshape(model, weights)
    own = model.state_dict()
    convs = {name for name, part in model.named_modules() if isinstance(part, Conv)}
    names = {name for name, _ in model.named_parameters() if ".bn." not in name}
    names |= {f"{name}.conv.bias" for name in convs}
    for name in sorted(names):
        inner = name.removesuffix(".conv.bias")
        target = f"{inner}.bn.bias" if inner in convs else name
        if name not in weights or weights[name].shape != own[target].shape:
            raise _misfit(source, f"{name} is missing, or has another shape.")
        own[target].copy_(weights[name])
    for name in convs:
        pass_through(model.get_submodule(name).bn)


def unfold_batch_norm(model: Any, views: Iterable[torch.Tensor]) -> None:
    """Set the statistics of each normalization to those of its input, and cancel their effect.

    In inference the output stays the same. In training, where batches are normalized by their own
    statistics, it stays nearly the same, since those are like the measured ones.

    Every filter gets the size `FILTER_SIZE`, which its normalization takes back. Folded filters are
    of any size, 3 in the first layer and 0.004 in the head; a step of AdamW is of one size for all,
    so that it would leave the former as they are and destroy the latter.
    """
    for part, (count, total, square) in _measure_outputs(model, views).items():
        mean, norm = total / count, part.bn
        variance = (square / count - mean.square()).clamp(min=0)
        with torch.no_grad():
            size = part.conv.weight.square().mean((1, 2, 3)).sqrt()
            larger = torch.where(size > 0, FILTER_SIZE / size, 1.0)
            part.conv.weight *= larger[:, None, None, None]
            norm.running_mean.copy_(mean * larger)
            norm.running_var.copy_(variance * larger.square())
            norm.weight.copy_((norm.running_var + norm.eps).sqrt() / larger)
            norm.bias += mean


def _measure_outputs(model: Any, views: Iterable[torch.Tensor]) -> dict[Any, torch.Tensor]:
    """Return count, sum and sum of squares of each convolution's output, shape (3, channels)."""
    convs = [part for part in model.modules() if isinstance(part, Conv)]
    device = convs[0].conv.weight.device
    sums = {part: torch.zeros(3, part.conv.out_channels).double().to(device) for part in convs}

    def measure(part: Any, passed: torch.Tensor) -> None:
        flat = passed.double().transpose(0, 1).flatten(1)
        count = torch.full_like(flat[:, 0], flat.shape[1])
        sums[part] += torch.stack([count, flat.sum(1), flat.square().sum(1)])

    hooks = [
        part.conv.register_forward_hook(lambda _, __, passed, part=part: measure(part, passed))
        for part in convs
    ]
    was_training = model.training
    model.eval()
    for batch in views:
        with torch.no_grad():
            model(batch.to(device).permute(0, 3, 1, 2).float() / 255)
    for hook in hooks:
        hook.remove()
    model.train(was_training)
    return sums


def _misfit(weights: Path, why: str) -> UsageError:
    return UsageError(
        f"{weights} has another architecture than the network to train.",
        why=why,
        fix="Set --model to its architecture, such as --model yolo26n.yaml.",
    )
