"""Labelled photos, and a cache from which training views are cropped without decoding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from posebowl import challenge
from posebowl.errors import BadDataError
from posebowl.scoring import labels
from posebowl.training import solution_modules
from posebowl.util.files import atomic_write
from posebowl.util.text import counted, first_few

Image = npt.NDArray[np.uint8]
"""Shape (height, width, 3): red, green, blue."""
Box = npt.NDArray[np.float64]
"""Shape (4,): xmin, ymin, xmax, ymax in pixels."""

_RENDER: Final = "Make some: invoke data.render --count 3000 --seed 1 --out DIR"
LEVEL_WIDTH: Final = challenge.IMAGE_WIDTH // 2
LEVEL_HEIGHT: Final = challenge.IMAGE_HEIGHT // 2
WHOLE_SCALE: Final = LEVEL_WIDTH / challenge.IMAGE_WIDTH
"""Pixels of the level that shows a photo or background whole, for one of the photo."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One labelled photo."""

    path: Path
    box: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Level:
    """A pyramid level of a photo, or of a part of it, from which views are cropped."""

    image: Image
    x: float
    y: float
    """The photo pixel at the top left corner of the level."""
    scale: float
    """Pixels of the level per photo pixel."""


def read_labels(folder: Path) -> list[Sample]:
    """Read the labelled photos of a data folder, in the order of train_labels.csv.

    Raises:
        BadDataError: The labels, or photos that they name, are missing or damaged.
    """
    file = folder / challenge.LABELS_FILE
    if not file.is_file():
        raise BadDataError(
            f"{folder} has no labelled photos.", why=f"{file} does not exist.", fix=_RENDER
        )
    table = labels.read_labels(file)
    images = folder / challenge.IMAGES_DIR
    found = {path.stem: path for path in sorted(images.glob("*.[pj]*g"))}
    missing = [name for name in table[challenge.ID_COLUMN].to_list() if name not in found]
    if missing:
        raise BadDataError(
            f"{counted(len(missing), 'photo')} of {file} cannot be found in {images}.",
            why=f"Missing: {first_few(missing, len(missing))}.",
            fix=_RENDER,
        )
    return [
        Sample(path=found[name], box=_inside(name, (xmin, ymin, xmax, ymax), file))
        for name, xmin, ymin, xmax, ymax in table.iter_rows()
    ]


def read_photo(path: Path) -> Image:
    """Decode a photo as the solution does.

    Raises:
        BadDataError: It is missing, damaged, or not a photo.
    """
    module: Any = solution_modules.module("photos")
    try:
        photo: Image = module.read(path)
    except module.BrokenPhotoError as error:
        raise BadDataError(
            f"{path} cannot be read as a photo.",
            why=str(error),
            fix="Render or download it again, or leave it out of the labels.",
        ) from None
    return photo


def letterboxed(images: Sequence[Path], size: tuple[int, int]) -> Image:
    """Read photos as the solution's first look shows them to the network.

    Args:
        images: The files.
        size: Height and width of the look.

    Returns:
        The network's input, shape (n, height, width, 3), uint8.
    """
    photos: Any = solution_modules.module("photos")
    boxes: Any = solution_modules.module("boxes")
    shown = []
    for path in images:
        photo = read_photo(path)
        shown.append(photos.crop_and_resize(photo, boxes.letterbox(photo.shape[:2], size), size))
    return np.stack(shown)


def _inside(name: str, box: tuple[int, int, int, int], file: Path) -> tuple[int, int, int, int]:
    """Return a box after checking that it is inside the photo and not empty."""
    xmin, ymin, xmax, ymax = box
    if 0 <= xmin < xmax <= challenge.IMAGE_WIDTH and 0 <= ymin < ymax <= challenge.IMAGE_HEIGHT:
        return box
    raise BadDataError(
        f"{file} has the box {box} for {name}, which is not inside the photo.",
        why=f"Photos have {challenge.IMAGE_WIDTH} by {challenge.IMAGE_HEIGHT} pixels.",
        fix="Correct the row, or remove it.",
    )


def fill_cache(samples: Sequence[Sample], cache: Path, *, threads: int) -> list[Path]:
    """Cache every photo that is not yet cached; return the files in the order of `samples`."""
    cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda sample: _cached(sample, cache), samples))


def levels(file: Path, sample: Sample) -> tuple[Level, Level]:
    """Open a cached photo: the whole at half size, and the spacecraft's surroundings at full."""
    stack = np.load(file, mmap_mode="r")
    x, y = close_corner(sample.box)
    return (
        Level(image=stack[0], x=0.0, y=0.0, scale=WHOLE_SCALE),
        Level(image=stack[1], x=x, y=y, scale=1.0),
    )


def photos(samples: Iterable[Sample]) -> Iterable[Image]:
    """Yield the decoded photos, one after the other."""
    for sample in samples:
        yield read_photo(sample.path)


def _cached(sample: Sample, cache: Path) -> Path:
    status = sample.path.stat()
    edges = "-".join(str(edge) for edge in sample.box)
    file = cache / f"{sample.path.stem}-{status.st_size}-{edges}.rgb.npy"
    if not file.exists():
        photo = read_photo(sample.path)
        if photo.shape[:2] != (challenge.IMAGE_HEIGHT, challenge.IMAGE_WIDTH):
            wide, high = challenge.IMAGE_WIDTH, challenge.IMAGE_HEIGHT
            raise BadDataError(
                f"{sample.path} is not {wide} by {high} pixels.",
                why="Every photo of the challenge has that size.",
                fix="Use the photos as rendered or downloaded, without resizing.",
            )
        x, y = close_corner(sample.box)
        whole = halved(photo)
        close = photo[y : y + LEVEL_HEIGHT, x : x + LEVEL_WIDTH]
        with atomic_write(file) as out:
            np.save(out, np.stack([whole, close]))
    return file


def halved(photo: Image) -> Image:
    """Return a photo at half its size; unchanged if it already has that."""
    if photo.shape[:2] == (LEVEL_HEIGHT, LEVEL_WIDTH):
        return photo
    size = (LEVEL_WIDTH, LEVEL_HEIGHT)
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)


def close_corner(box: Sequence[int]) -> tuple[int, int]:
    """Return the top left corner of the part of a photo, half its sides, around a box."""
    x = (box[0] + box[2] - LEVEL_WIDTH) // 2
    y = (box[1] + box[3] - LEVEL_HEIGHT) // 2
    return (
        min(max(0, x), challenge.IMAGE_WIDTH - LEVEL_WIDTH),
        min(max(0, y), challenge.IMAGE_HEIGHT - LEVEL_HEIGHT),
    )
