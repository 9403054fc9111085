"""Photos without spacecraft, cached at the size at which training reads them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from posebowl import challenge
from posebowl.errors import BadDataError
from posebowl.training.dataset import Image, halved, read_photo
from posebowl.util.files import atomic_write

JPEG_QUALITY: Final = 95


def read_half(file: Path) -> Image:
    """Read a background that `cache_backgrounds` wrote."""
    stored = cv2.imread(str(file))
    if stored is None:
        raise BadDataError(
            f"{file} cannot be read.", why="The cache is damaged.", fix="Delete it and try again."
        )
    return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), np.uint8)


def cache_backgrounds(folder: Path, cache: Path, *, threads: int) -> list[Path]:
    """Cache the photos of a folder at half size: a tenth of the pixels' bytes, read in 2 ms.

    Raises:
        BadDataError: There are none.
    """
    found = sorted((folder / challenge.IMAGES_DIR).glob("*.[pj]*g"))
    if not found:
        raise BadDataError(
            f"{folder} has no backgrounds.",
            why=f"Found no PNG or JPEG in {folder / challenge.IMAGES_DIR}.",
            fix="Make some: invoke data.render --only backgrounds --out DIR",
        )
    cache.mkdir(parents=True, exist_ok=True)

    def half(path: Path) -> Path:
        file = cache / f"background-{path.stem}.half.jpg"
        if not file.exists():
            reduced = halved(read_photo(path))
            quality = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
            _, encoded = cv2.imencode(".jpg", reduced[..., ::-1], quality)
            with atomic_write(file) as out:
                out.write(encoded.tobytes())
        return file

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(half, found))
