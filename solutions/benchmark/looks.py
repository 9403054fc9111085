"""Coarse-to-fine search: where the spacecraft is, and where exactly its edges are.

Before the first look comes a glance at two fifths of its size, for a sixth of its cost. Usually
that is enough to know where to place the second look, which may confirm an unsure glance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from boxes import Box, Crop, iou, letterbox, to_pixels, zoom_crop
from photos import Photo, crop_and_resize

Network = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""From inputs (n, height, width, 3) to the best box of each and its score, (n, 5), in pixels; or of
several places, (n, places, 5), the best first."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """The settings of the search. Sizes are height and width of the network's input."""

    first: tuple[int, int]
    second: tuple[int, int] | None
    """None for a single look."""
    glance: tuple[int, int] | None = None
    """A smaller first look, which is enough if the network is confident. None for no glance."""
    sure: float = 0.5
    """The score from which a glance is enough."""
    likely: float = 0.1
    """The score from which a second look checks a glance that is not enough by itself."""
    confirmed: float = 0.8
    """The score of that look from which the glance is enough after all."""
    fill: float = 0.6
    """Share of the second look's crop that the box of the first should fill."""
    enlarge: float = 3.0
    """Maximum of input pixels per photo pixel in the second look."""
    agree: float = 0.25
    """Minimum IoU of the two looks; below it the more confident one is used."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A spacecraft: its box in photo pixels, and the network's confidence, 0 to 1."""

    box: Box
    score: float

    def pixels(self, photo: Photo) -> tuple[int, int, int, int] | None:
        """Return the box in whole pixels; None if it is not a box."""
        return to_pixels(self.box, (photo.shape[0], photo.shape[1]))


def find(
    photos: Sequence[Photo], network: Network, looks: Looks, refiner: Network | None = None
) -> list[Detection]:
    """Return the best detection on each photo, however low its score.

    Args:
        photos: The photos.
        network: Finds the spacecraft on whole photos.
        looks: The settings of the search.
        refiner: Finds its edges in the second look; by default the same network.
    """
    shapes = [(photo.shape[0], photo.shape[1]) for photo in photos]
    size = looks.glance or looks.first
    crops = [letterbox(shape, size) for shape in shapes]
    found = look(photos, crops, network, size)

    def look_closer(indices: Iterable[int]) -> dict[int, Detection]:
        closer = {
            index: crop
            for index in indices
            if (crop := second_crop(found[index].box, shapes[index], looks))
            and crop.scale[0] > crops[index].scale[0]  # otherwise it is not a closer look
        }
        return _look_at(photos, closer, refiner or network, looks.second or size)

    seconds: dict[int, Detection] = {}
    if looks.glance is not None:
        # NaN is neither sure nor likely.
        unsure = [index for index, seen in enumerate(found) if not seen.score >= looks.sure]
        seconds = look_closer(index for index in unsure if found[index].score >= looks.likely)
        left = {
            index: letterbox(shapes[index], looks.first)
            for index in unsure
            if not (index in seconds and confirms(seconds[index], found[index], looks))
        }
        for index, seen in _look_at(photos, left, network, looks.first).items():
            if not found[index].score >= seen.score:
                found[index], crops[index] = seen, left[index]
                seconds.pop(index, None)
    seconds |= look_closer(index for index in range(len(photos)) if index not in seconds)
    return [
        choose(seen, seconds[index], looks) if index in seconds else seen
        for index, seen in enumerate(found)
    ]


def confirms(second: Detection, glance: Detection, looks: Looks) -> bool:
    """Return whether a second look shows that the glance saw a spacecraft."""
    return second.score >= looks.confirmed and iou(glance.box, second.box) >= looks.agree


def second_crop(box: Box, shape: tuple[int, int], looks: Looks) -> Crop | None:
    """Return the crop for a second look at a box; None if it is not a box."""
    pixels = to_pixels(box, shape)
    if pixels is None or looks.second is None:
        return None
    inside = np.array(pixels, np.float64)
    return zoom_crop(inside, shape, looks.second, fill=looks.fill, enlarge=looks.enlarge)


def choose(first: Detection, second: Detection, looks: Looks) -> Detection:
    """Return the second look, unless it found something else with less confidence."""
    agree = iou(first.box, second.box) >= looks.agree
    return second if agree or second.score > first.score else first


def glance_size(first: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a glance: two fifths of the first look's, rounded up to strides of 32."""
    return -(-first[0] // 80) * 32, -(-first[1] // 80) * 32


def _look_at(
    photos: Sequence[Photo], crops: dict[int, Crop], network: Network, size: tuple[int, int]
) -> dict[int, Detection]:
    """Return the detections in crops of some photos, by their indices, from one batch."""
    if not crops:
        return {}
    chosen = [photos[index] for index in crops]
    return dict(zip(crops, look(chosen, list(crops.values()), network, size), strict=True))


def look(
    photos: Sequence[Photo], crops: Sequence[Crop], network: Network, size: tuple[int, int]
) -> list[Detection]:
    """Return the best detection in a crop of each photo."""
    return [seen[0] for seen in look_for_places(photos, crops, network, size)]


def look_for_places(
    photos: Sequence[Photo], crops: Sequence[Crop], network: Network, size: tuple[int, int]
) -> list[list[Detection]]:
    """Return the detections in a crop of each photo, one for each place, the best first."""
    shown = zip(photos, crops, strict=True)
    inputs = np.stack([crop_and_resize(photo, crop, size) for photo, crop in shown])
    found = network(inputs).reshape(len(crops), -1, 5)
    return [
        [
            Detection(box=crop.to_photo(row[:4].astype(np.float64)), score=float(row[4]))
            for row in rows
        ]
        for rows, crop in zip(found, crops, strict=True)
    ]
