"""A narrower network that starts from a wider one: fewer channels, which see the same.

Of the channels of each convolution, those are kept that its outputs depend on most (`channels`).
Its weights are then fitted, one convolution after another: from what the narrower network has
computed so far to what the wider one computes there, by least squares (as in He et al., Channel
Pruning for Accelerating Very Deep Neural Networks, 2017). Training makes up for the rest.

python -m posebowl.training.narrow --weights solutions/benchmark/model.onnx --images runs/train \
    --out runs/narrow/model.onnx
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from posebowl.training import quantize, solution_modules
from posebowl.training.activations import Places, activations
from posebowl.training.channels import Channels, choose, require_known
from posebowl.training.dataset import letterboxed, read_photo
from posebowl.training.detector import build, pass_through
from posebowl.training.export import PLACES, find_images, provenance, to_onnx
from posebowl.training.exported import exported_sizes, metadata, read_files
from posebowl.training.initial_weights import fill, weights_of
from posebowl.training.metrics import make_looks
from posebowl.training.options import NarrowOptions
from posebowl.training.quantize import Inputs
from posebowl.training.shapes import convolution, convolutions, set_shape, set_splits
from posebowl.util import program
from posebowl.util.console import note
from posebowl.util.files import atomic_write
from posebowl.util.units import human_bytes

RIDGE: Final = 1e-4
"""Share of the inputs' mean square that keeps the weights small."""


def narrow(wide: Any, views: torch.Tensor, share: float) -> Any:
    """Return a narrower network that computes nearly the same.

    Args:
        wide: A network whose normalizations only add a bias, as `initial_weights.fill` leaves it.
        views: On which both are compared, (n, 3, height, width), 0 to 1.
        share: Of the multiplications that remain, 0 to 1.

    Raises:
        UsageError: The network has parts whose channels cannot be chosen, or cannot be made so
            narrow.
    """
    require_known(wide)
    seen = activations(wide.eval(), views)
    kept = choose(wide, seen, share)
    model = deepcopy(wide)
    set_splits(model, {name: len(channels) for name, channels in kept.items()})
    _fit(model, kept, seen.passed, views)
    return model


def _fit(
    model: Any,
    kept: Mapping[str, Channels],
    outputs: Mapping[str, torch.Tensor],
    views: torch.Tensor,
) -> None:
    """Narrow each convolution and fit it to the wider network's, just before it is first used."""

    def fit(name: str, part: Any, seen: torch.Tensor) -> None:
        conv = convolution(part)
        step = conv.stride[0]  # the padding is such that a step of 1 keeps the size
        height, width = (-(-side // step) for side in seen.shape[2:])
        places = Places((len(seen), height, width), name)
        wanted = outputs[name][:, torch.from_numpy(kept[name])].double()
        groups = conv.groups if conv.groups == 1 else wanted.shape[1]
        weight, bias = _least_squares(places.patches(seen, conv).double(), wanted, groups)
        shape = (wanted.shape[1], seen.shape[1] // groups, *conv.kernel_size)
        set_shape(part, shape)
        conv.weight.copy_(weight.reshape(shape))
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


def views_of(pair: Mapping[str, bytes], images: Sequence[Path]) -> dict[str, torch.Tensor]:
    """Return what each network of an exported pair sees of photos, (n, 3, height, width), 0 to 1.

    The first sees whole photos, in a size between glance and first look; the other one, a refiner,
    the places where the solution looks twice.

    Args:
        pair: The ONNX files, by their names; there may be one only.
        images: The photos.
    """
    name, *beside = pair
    looks = make_looks(**exported_sizes(pair[name]))
    height, width = (
        round((least + most) / 64) * 32
        for least, most in zip(looks.glance, looks.first, strict=True)
    )
    shown = {name: letterboxed(images, (height, width))}
    for refiner in beside:
        shown[refiner] = _second_looks(pair[name], pair[refiner], images, looks)
    return {
        name: torch.from_numpy(inputs).permute(0, 3, 1, 2).float() / 255
        for name, inputs in shown.items()
    }


def _second_looks(search: bytes, refiner: bytes, images: Sequence[Path], looks: Any) -> Inputs:
    """Return what a refiner gets while the solution processes photos."""
    find: Any = solution_modules.module("looks").find
    network, inner, shown = quantize.network(search), quantize.network(refiner), list[Inputs]()

    def watched(inputs: Inputs) -> npt.NDArray[np.float32]:
        shown.append(inputs)
        return inner(inputs)

    for path in images:
        find([read_photo(path)], network, looks, watched)
    return np.concatenate(shown)


def choose_images(options: NarrowOptions) -> list[Path]:
    """Choose photos at random.

    Raises:
        UsageError: A folder has none.
    """
    every = [image for folder in options.images for image in find_images(folder)]
    chosen = np.random.default_rng(options.seed).permutation(len(every))[: options.photos]
    return [every[index] for index in chosen]


def main(options: NarrowOptions) -> None:
    """Narrow as the options ask."""
    options.check()
    images = choose_images(options)
    pair = read_files(options.weights, options.out, force=options.force)
    note(f"Looking at {len(images)} photos as {options.weights} does.")
    for name, views in views_of(pair, images).items():
        source = options.weights if name == options.out.name else options.weights.with_name(name)
        wide, notes = build(options.model), {**metadata(pair[name]), **provenance(source)}
        fill(wide, weights_of(pair[name]), source)
        note(f"Narrowing {name}, by what it sees in {len(views)} views.")
        narrower = narrow(wide, views, options.keep)
        places = PLACES if "refiner" in notes else 1
        sizes = exported_sizes(pair[name])
        content = to_onnx(narrower, images, **sizes, notes=notes, places=places)
        with atomic_write(options.out.with_name(name)) as file:
            file.write(content)
        note(f"Wrote {options.out.with_name(name)} ({human_bytes(len(content))}).")


if __name__ == "__main__":
    program.run(main, NarrowOptions, task="benchmark.narrow")
