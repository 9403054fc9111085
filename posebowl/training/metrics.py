"""The accuracy of a network: IoU of its boxes with the labels, by the solution's search."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from posebowl.training import solution_modules
from posebowl.training.dataset import Sample, photos

Network = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""From inputs (n, height, width, 3) to boxes and scores (n, 5)."""
Size = tuple[int, int]

MISSED: Final = 0.1
"""A photo counts as missed when the IoU of its box is less."""


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Mean IoU over photos."""

    first_look: float
    both_looks: float
    missed: float
    """Share of photos with an IoU under 0.1 after both looks."""
    placed: float
    """Mean IoU of second looks that the labels place: what is lost without any search."""

    def of(self, role: str) -> float:
        """Return what a network is judged by in its role: one of `options.ROLES`."""
        return {"both": self.both_looks, "search": self.first_look, "refine": self.placed}[role]


def make_looks(first: Size, second: Size | None) -> Any:
    """Return the solution's coarse-to-fine search at these input sizes (height, width)."""
    looks: Any = solution_modules.module("looks")
    return looks.Looks(first=first, second=second, glance=looks.glance_size(first))


def measure(network: Network, samples: Sequence[Sample], looks: Any) -> Accuracy:
    """Return the mean IoU on labelled photos; see `ious`."""
    table = ious(network, samples, looks)
    return Accuracy(
        first_look=float(table[:, 0].mean()),
        both_looks=float(table[:, 1].mean()),
        missed=float((table[:, 1] < MISSED).mean()),
        placed=float(placed_ious(network, samples, looks).mean()),
    )


def ious(
    network: Network, samples: Sequence[Sample], looks: Any, refiner: Network | None = None
) -> npt.NDArray[np.float64]:
    """Return the IoU of the box that the solution finds on each photo.

    Args:
        network: Finds the best box on each input.
        samples: Labelled photos.
        looks: The search; see `make_looks`.
        refiner: Finds the best box in the second look; by default the same network.

    Returns:
        IoU before the second look and after it, shape (photos, 2).
    """
    find: Any = solution_modules.module("looks").find
    iou: Any = solution_modules.module("boxes").iou
    once = dataclasses.replace(looks, second=None)
    scores = []
    for sample, photo in zip(samples, photos(samples), strict=True):
        truth = np.array(sample.box, np.float64)
        remembering = _remembering(network)
        pair = []
        for how in (once, looks):
            pixels = find([photo], remembering, how, refiner)[0].pixels(photo)
            pair.append(iou(truth, np.array(pixels, np.float64)) if pixels else 0.0)
        scores.append(pair)
    return np.array(scores, np.float64).reshape(-1, 2)


def placed_ious(network: Network, samples: Sequence[Sample], looks: Any) -> npt.NDArray[np.float64]:
    """Return the IoU of second looks that the labels place, shape (photos,); see `ious`."""
    module: Any = solution_modules.module("looks")
    iou: Any = solution_modules.module("boxes").iou
    scores = []
    for sample, photo in zip(samples, photos(samples), strict=True):
        truth = np.array(sample.box, np.float64)
        crop = module.second_crop(truth, photo.shape[:2], looks)
        pixels = module.look([photo], [crop], network, looks.second)[0].pixels(photo)
        scores.append(iou(truth, np.array(pixels, np.float64)) if pixels else 0.0)
    return np.array(scores, np.float64)


def _remembering(network: Network) -> Network:
    """Return a network with a cache: both searches start with the same inputs."""
    known: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]] = []

    def answer(inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        for before, found in known:
            if np.array_equal(before, inputs):
                return found
        known.append((inputs, network(inputs)))
        return known[-1][1]

    return answer
