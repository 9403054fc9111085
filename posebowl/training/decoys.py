"""Decoys: places where a search network is inclined to see a spacecraft that is none, or far less.

Close views of them teach a refiner to tell what its crop shows, so that its score can confirm a
glance before the expensive first look, and choose among the places that the first look finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from posebowl.training import solution_modules
from posebowl.training.augment import View, clip_box, close_crop, crop_and_resize, flip
from posebowl.training.backgrounds import read_half
from posebowl.training.dataset import WHOLE_SCALE, Box, Image, Level, Sample, read_photo

_AROUND: Final = 0.8
"""Least share of a spacecraft inside a place that is around it."""


@dataclass(frozen=True, kw_only=True)
class Decoy:
    """A place in a photo, or in a cached background; boxes are in pixels of the photo."""

    file: Path
    box: Box
    spacecraft: Box | None = None
    """Where the photo has one; None for a background."""


def find_decoys(
    network: Any, samples: Sequence[Sample], backgrounds: Sequence[Path], *, threads: int
) -> list[list[Decoy]]:
    """Return what a search network mistakes for spacecraft, in photos and in backgrounds.

    Of photos, those places of the first look that are no spacecraft, or take in far more; of
    backgrounds, those of the glance, since there are thousands.

    Args:
        network: The search network, as `solution_modules.load_network` returns it.
        samples: Labelled photos.
        backgrounds: Files that `cache_backgrounds` wrote.
        threads: How many photos to look at at a time.
    """

    def in_photo(sample: Sample) -> list[Decoy]:
        truth = np.array(sample.box, np.float64)
        wrong = misleading_places(network, read_photo(sample.path), truth)
        return [Decoy(file=sample.path, box=box, spacecraft=truth) for box in wrong]

    def in_background(file: Path) -> list[Decoy]:
        return [Decoy(file=file, box=box) for box in places_in_half(network, read_half(file))]

    with ThreadPoolExecutor(threads) as pool:
        # One after the other: Ctrl-C cancels what is left of the map that is being read, alone.
        in_photos = list(pool.map(in_photo, samples))
        in_backgrounds = list(pool.map(in_background, backgrounds))
    every = [list(chain.from_iterable(found)) for found in (in_photos, in_backgrounds)]
    return [group for group in every if group]


def misleading_places(network: Any, photo: Image, truth: Box) -> list[Box]:
    """Return what the first look sees in a photo that is no spacecraft, or takes in far more."""
    seen = places(network, photo, network.looks.first)
    return [box for box in seen if misleads(box, truth)]


def places_in_half(network: Any, half: Image) -> list[Box]:
    """Return what the glance sees in a background of half a photo's size, in photo pixels."""
    seen = places(network, half, network.looks.glance or network.looks.first)
    return [box / WHOLE_SCALE for box in seen]


def places(network: Any, image: Image, size: tuple[int, int]) -> list[Box]:
    """Return where a network sees something in an image, in its pixels, whatever the score."""
    looks: Any = solution_modules.module("looks")
    boxes: Any = solution_modules.module("boxes")
    crop = boxes.letterbox(image.shape[:2], size)
    (seen,) = looks.look_for_places([image], [crop], network.run, size)
    return [found.box for found in seen if (found.box[2:] - found.box[:2]).min() >= 1]


def misleads(box: Box, truth: Box) -> bool:
    """Return whether a place is beside the spacecraft, or around it and at least twice as large.

    Parts of a spacecraft are neither: a close view of one may show too little for a label.
    """
    common = np.minimum(box[2:], truth[2:]) - np.maximum(box[:2], truth[:2])
    if not (common > 0).all():
        return True
    area = np.prod(truth[2:] - truth[:2])
    around = np.prod(common) >= _AROUND * area
    return bool(around and np.prod(box[2:] - box[:2]) >= 2 * area)


def decoy_view(rng: np.random.Generator, decoy: Decoy, size: tuple[int, int]) -> View:
    """Return a close view of a decoy, as if it had been found; size is height and width.

    The view has a box where it shows the spacecraft, too.
    """
    if decoy.spacecraft is None:
        level = Level(image=read_half(decoy.file), x=0.0, y=0.0, scale=WHOLE_SCALE)
    else:
        level = Level(image=read_photo(decoy.file), x=0.0, y=0.0, scale=1.0)
    image, real = crop_and_resize(level, close_crop(rng, decoy.box, size), size)
    boxes = np.zeros((0, 4))
    if decoy.spacecraft is not None:
        boxes = clip_box(real.to_view(decoy.spacecraft, size), size)
    across, down = rng.random(2) < 0.5
    return flip(View(image=image, boxes=boxes), across=bool(across), down=bool(down))
