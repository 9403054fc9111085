"""The accuracy of a network: IoU of its boxes with the labels, by the solution's search."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
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
    """Mean IoU of second looks that the labels place: what is lost without any search. NaN for
    a single look."""

    def of(self, role: str) -> float:
        """Return what a network is judged by in its role: one of `options.ROLES`."""
        return {"both": self.both_looks, "search": self.first_look, "refine": self.placed}[role]


def make_looks(first: Size, second: Size | None) -> Any:
    """Return the solution's coarse-to-fine search at these input sizes (height, width)."""
    looks: Any = solution_modules.module("looks")
    return looks.Looks(first=first, second=second, glance=looks.glance_size(first))


def measure(network: Network, samples: Sequence[Sample], looks: Any) -> Accuracy:
    """Return the mean IoU on labelled photos; see `ious`."""
    rows = [
        [*_searched(network, photo, truth, looks), _placed(network, photo, truth, looks)]
        for photo, truth in _labelled(samples)
    ]
    first, both, placed = np.array(rows, np.float64).T
    return Accuracy(
        first_look=float(first.mean()),
        both_looks=float(both.mean()),
        missed=float((both < MISSED).mean()),
        placed=float(placed.mean()),
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
    rows = [_searched(network, photo, truth, looks, refiner) for photo, truth in _labelled(samples)]
    return np.array(rows, np.float64).reshape(-1, 2)


def _labelled(samples: Sequence[Sample]) -> Iterator[tuple[Any, npt.NDArray[np.float64]]]:
    """Yield each photo with its box."""
    for sample, photo in zip(samples, photos(samples), strict=True):
        yield photo, np.array(sample.box, np.float64)


def _searched(
    network: Network, photo: Any, truth: Any, looks: Any, refiner: Network | None = None
) -> tuple[float, float]:
    """Return the IoU before the second look and after it."""
    find: Any = solution_modules.module("looks").find
    remembering = _remembering(network)
    once = dataclasses.replace(looks, second=None)
    first, both = (find([photo], remembering, how, refiner)[0] for how in (once, looks))
    return _iou(first, photo, truth), _iou(both, photo, truth)


def _placed(network: Network, photo: Any, truth: Any, looks: Any) -> float:
    """Return the IoU of a second look that the label places; NaN if there is none."""
    module: Any = solution_modules.module("looks")
    crop = module.second_crop(truth, photo.shape[:2], looks)
    if crop is None:
        return math.nan
    return _iou(module.look([photo], [crop], network, looks.second)[0], photo, truth)


def _iou(found: Any, photo: Any, truth: Any) -> float:
    """Return the IoU of a detection with the label; 0 if it is not a box."""
    pixels = found.pixels(photo)
    iou: Any = solution_modules.module("boxes").iou
    return float(iou(truth, np.array(pixels, np.float64))) if pixels else 0.0


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
