"""Your own pictures as backgrounds: photos from orbit, or what another renderer made."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import UsageError
from posebowl.render.backgrounds import Background
from posebowl.render.earth import Picture
from posebowl.render.parts import Rng

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})


@cache
def find_backdrops(folder: Path) -> tuple[Path, ...]:
    """Return the pictures in a folder and its subfolders, by name.

    Raises:
        UsageError: There are none.
    """
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not found:
        raise UsageError(
            f"{folder} has no pictures.",
            why="Found no file that ends with .jpg, .jpeg or .png.",
            fix="Choose a folder of pictures without spacecraft.",
        )
    return tuple(found)


def choose(folder: Path, *, seed: int, index: int) -> Path:
    """Return the backdrop of an image: all take turns, in another order each time."""
    files = find_backdrops(folder)
    turn, place = divmod(index, len(files))
    return files[int(np.random.default_rng([seed, turn, 3]).permutation(len(files))[place])]


def kind_of(path: Path) -> str:
    """Return what a backdrop is counted as: its name up to the last hyphen."""
    return path.stem.rpartition("-")[0] or path.stem


def as_background(path: Path) -> Background:
    """Return a backdrop as a background, whose mean light falls on the spacecraft.

    Raises:
        UsageError: It cannot be read.
    """
    with _opened(path) as image:
        level = float(np.asarray(image.convert("L").resize((32, 32))).mean()) / 255
    shine = min(1.0, 2 * level)
    return Background(weight=0, real_weight=0, earthshine=shine, paint=partial(_show, path))


def _show(path: Path, rng: Rng) -> Picture:
    """Return a part of a picture with the proportions of a photo, mirrored at random."""
    with _opened(path) as image:
        share = min(image.width / IMAGE_WIDTH, image.height / IMAGE_HEIGHT)
        width, height = IMAGE_WIDTH * share, IMAGE_HEIGHT * share
        x, y = rng.uniform(0, 1, 2) * (image.width - width, image.height - height)
        size = (IMAGE_WIDTH, IMAGE_HEIGHT)
        whole = image.convert("RGB").resize(size, box=(x, y, x + width, y + height))
    across, down = rng.choice((-1, 1), 2)
    return np.asarray(whole, dtype=np.float32)[::down, ::across] / np.float32(255)


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except (OSError, UnidentifiedImageError) as error:
        raise UsageError(
            f"Cannot read {path}.", why=str(error), fix="Remove it from the folder."
        ) from None
