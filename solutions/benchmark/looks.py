"""Coarse-to-fine search: where the spacecraft is, and where exactly its edges are.

Before the first look comes a glance at two fifths of its size, for a sixth of its cost. Usually it
shows where to place the second look, and if both are confident, the first is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """A smaller first look, which is enough if the second is confident, too. None for no glance."""
    enough: float = 0.6
    """The value of a candidate, by both looks, from which a glance is enough."""
    rival: float = 0.2
    """Share of the first look's best score from which its other places are looked at, too."""
    trust: float = 0.25
    """Exponent of the glance's score in its value; the second look's has 1."""
    area: float = 0.1
    """Exponent of a place's area, which divides its rank: what is mistaken for a spacecraft is
    more often a coast or a cloud, and large."""
    fill: float = 0.6
    """Share of the second look's crop that the box of the first should fill."""
    enlarge: float = 3.0
    """Maximum of input pixels per photo pixel in the second look."""
    agree: float = 0.25
    """Minimum IoU of the two looks; below it the surer one is used."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A spacecraft: its box in photo pixels, and the network's confidence, 0 to 1."""

    box: Box
    score: float

    def pixels(self, photo: Photo) -> tuple[int, int, int, int] | None:
        """Return the box in whole pixels; None if it is not a box."""
        return to_pixels(self.box, (photo.shape[0], photo.shape[1]))


@dataclass(kw_only=True, eq=False)
class Candidate:
    """A place in a photo where the spacecraft may be."""

    photo: int
    """The photo's index."""
    seen: Detection
    crop: Crop
    """Where it was seen."""
    second: Detection | None = None
    """What the second look saw there; None without one."""
    closer: bool = False
    """Whether the second look showed it larger than it was seen: then it knows the edges better."""

    def value(self, looks: Looks) -> float:
        """Return how sure both looks are of this; 0 if that is not a number."""
        both = self.seen.score**looks.trust * (self.second or self.seen).score
        return both if both >= 0 else 0.0

    def rank(self, looks: Looks) -> float:
        """Return how likely this is the spacecraft rather than another place in the photo."""
        both = self.seen.score * (self.second or self.seen).score
        area = float(np.prod(self.seen.box[2:] - self.seen.box[:2]))
        return both / area**looks.area if both >= 0 and area > 0 else 0.0

    def enough(self, looks: Looks) -> bool:
        """Return whether nothing better needs to be looked for; never if the looks disagree."""
        same = self.second is None or iou(self.seen.box, self.second.box) >= looks.agree
        return same and self.value(looks) >= looks.enough

    def result(self, looks: Looks) -> Detection:
        """Return the better of both looks: the closer one if they agree, else the surer one."""
        if self.second is None:
            return self.seen
        edges = self.closer and iou(self.seen.box, self.second.box) >= looks.agree
        return self.second if edges or self.second.score > self.seen.score else self.seen


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
    refine, size = refiner or network, looks.glance or looks.first
    seen = look_at(photos, range(len(photos)), network, size)
    if looks.glance is None:
        candidates = [rivals(places, looks) for places in seen]
    else:
        candidates = [places[:1] for places in seen]
        look_again(photos, [best for (best,) in candidates], refine, looks)
        left = [best.photo for (best,) in candidates if not best.enough(looks)]
        for photo, places in zip(left, look_at(photos, left, network, looks.first), strict=True):
            candidates[photo] = rivals(places, looks, *candidates[photo])
    every = [one for places in candidates for one in places if one.second is None]
    look_again(photos, every, refine, looks)
    return [max(places, key=lambda one: one.rank(looks)).result(looks) for places in candidates]


def rivals(
    places: Sequence[Candidate], looks: Looks, glance: Candidate | None = None
) -> list[Candidate]:
    """Return what competes: confident places of the first look, and the glance's if it is another.

    Of one place, only the more confident candidate counts.
    """
    least = looks.rival * places[0].seen.score
    others = [one for one in places if one is places[0] or one.seen.score >= least]
    if glance is None:
        return others
    same = [one for one in others if iou(one.seen.box, glance.seen.box) >= looks.agree]
    if same and not glance.seen.score >= same[0].seen.score:  # NaN is not confident
        return others
    return [glance, *(one for one in others if one not in same)]


def look_at(
    photos: Sequence[Photo], chosen: Sequence[int], network: Network, size: tuple[int, int]
) -> list[list[Candidate]]:
    """Return the candidates in some photos, each seen whole, the best first."""
    if not chosen:
        return []
    crops = [letterbox((photos[index].shape[0], photos[index].shape[1]), size) for index in chosen]
    found = look_for_places([photos[index] for index in chosen], crops, network, size)
    return [
        [Candidate(photo=index, seen=seen, crop=crop) for seen in places]
        for index, crop, places in zip(chosen, crops, found, strict=True)
    ]


def look_again(
    photos: Sequence[Photo], candidates: Sequence[Candidate], network: Network, looks: Looks
) -> None:
    """Take the second look at candidates: closer, or at large ones for another opinion."""
    shapes = [(photos[one.photo].shape[0], photos[one.photo].shape[1]) for one in candidates]
    crops = [
        second_crop(one.seen.box, shape, looks)
        for one, shape in zip(candidates, shapes, strict=True)
    ]
    able = [(one, crop) for one, crop in zip(candidates, crops, strict=True) if crop is not None]
    if not able or looks.second is None:
        return
    shown = [photos[one.photo] for one, _ in able]
    seconds = look(shown, [crop for _, crop in able], network, looks.second)
    for (one, crop), second in zip(able, seconds, strict=True):
        one.second, one.closer = second, bool(crop.scale[0] > one.crop.scale[0])


def second_crop(box: Box, shape: tuple[int, int], looks: Looks) -> Crop | None:
    """Return the crop for a second look at a box; None if it is not a box."""
    pixels = to_pixels(box, shape)
    if pixels is None or looks.second is None:
        return None
    inside = np.array(pixels, np.float64)
    return zoom_crop(inside, shape, looks.second, fill=looks.fill, enlarge=looks.enlarge)


def glance_size(first: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a glance: two fifths of the first look's, rounded up to strides of 32."""
    height, width = first
    return -(-height // 80) * 32, -(-width // 80) * 32


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
