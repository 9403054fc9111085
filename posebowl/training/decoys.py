"""Decoys: places in backgrounds where a search network is most inclined to see a spacecraft.

Close views of them, without a box, teach a refiner to tell what its crop shows, so that its score
can be trusted before the expensive first look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from posebowl.challenge import IMAGE_WIDTH
from posebowl.training import solution_modules
from posebowl.training.augment import View, close_crop, crop_and_resize, flip
from posebowl.training.backgrounds import read_half
from posebowl.training.dataset import LEVEL_WIDTH, Box, Level

SMALLEST: Final = 60.0
"""Least longer side of a decoy, in pixels of the photo: a closer view would only be blurred."""


@dataclass(frozen=True, kw_only=True)
class Decoy:
    """A place in a cached background."""

    file: Path
    box: Box
    """In pixels of the photo."""


def find_decoys(weights: Path, backgrounds: Sequence[Path]) -> list[Decoy]:
    """Return the best box of a network's glance at each background, if it is large enough.

    Args:
        weights: The search network, an exported file.
        backgrounds: Files that `cache_backgrounds` wrote.

    Raises:
        UsageError: The weights cannot be used.
    """
    network = solution_modules.load_network(weights, device="cpu")
    found = ((file, _glance(network, file)) for file in backgrounds)
    return [
        Decoy(file=file, box=box)
        for file, box in found
        if SMALLEST <= (box[2:] - box[:2]).max() <= IMAGE_WIDTH
    ]


def _glance(network: Any, file: Path) -> Box:
    """Return what a network takes for the spacecraft, in pixels of the photo."""
    looks: Any = solution_modules.module("looks")
    boxes: Any = solution_modules.module("boxes")
    image, size = read_half(file), network.looks.glance or network.looks.first
    crop = boxes.letterbox(image.shape[:2], size)
    seen: Box = looks.look([image], [crop], network.run, size)[0].box
    return seen * (IMAGE_WIDTH / LEVEL_WIDTH)


def decoy_view(rng: np.random.Generator, decoy: Decoy, size: tuple[int, int]) -> View:
    """Return a close view of a decoy, as if it had been found; size is height and width."""
    half = Level(image=read_half(decoy.file), x=0.0, y=0.0, scale=LEVEL_WIDTH / IMAGE_WIDTH)
    image, _ = crop_and_resize(half, close_crop(rng, decoy.box, size), size)
    across, down = rng.random(2) < 0.5
    nothing = np.zeros((0, 4))
    return flip(View(image=image, boxes=nothing), across=bool(across), down=bool(down))
