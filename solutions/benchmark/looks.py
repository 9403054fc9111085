"""Two looks at a photo: where is the spacecraft, and where exactly are its edges?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from boxes import Box, Window, close_up, iou, letterbox, to_pixels
from photos import Photo, show

Network = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""From inputs (n, height, width, 3) to the best box of each and its score, (n, 5), in pixels."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """How to look. Sizes are height and width of the network's input."""

    first: tuple[int, int]
    second: tuple[int, int] | None
    """None: one look must do."""
    fill: float = 0.45
    """Share of the second look's window that the box found by the first should take."""
    enlarge: float = 3.0
    """The second look shows a photo pixel as at most so many input pixels wide."""
    agree: float = 0.25
    """The looks must overlap by this IoU, else the more certain one counts."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A spacecraft: its box in photo pixels, and how certain the network is, 0 to 1."""

    box: Box
    score: float

    def pixels(self, photo: Photo) -> tuple[int, int, int, int] | None:
        """Give the box in whole pixels; None if nothing of it is inside the photo."""
        return to_pixels(self.box, (photo.shape[0], photo.shape[1]))


def find(photos: Sequence[Photo], network: Network, looks: Looks) -> list[Found]:
    """Find the spacecraft on each photo; the best guess even where the score is low."""
    shapes = [(photo.shape[0], photo.shape[1]) for photo in photos]
    windows = [letterbox(shape, looks.first) for shape in shapes]
    found = _look(photos, windows, network, looks.first)
    if looks.second is None:
        return found
    closer: dict[int, Window] = {}
    for index, (seen, shape) in enumerate(zip(found, shapes, strict=True)):
        if (pixels := to_pixels(seen.box, shape)) is not None:
            box = np.array(pixels, np.float64)
            window = close_up(box, shape, looks.second, fill=looks.fill, enlarge=looks.enlarge)
            if window != windows[index]:  # else it would see the same again
                closer[index] = window
    if closer:
        chosen = [photos[index] for index in closer]
        again = _look(chosen, list(closer.values()), network, looks.second)
        for index, second in zip(closer, again, strict=True):
            found[index] = better(found[index], second, looks)
    return found


def better(first: Found, second: Found, looks: Looks) -> Found:
    """Take the second look, unless it saw something else and is less certain of it."""
    agree = iou(first.box, second.box) >= looks.agree
    return second if agree or second.score > first.score else first


def _look(
    photos: Sequence[Photo], windows: Sequence[Window], network: Network, size: tuple[int, int]
) -> list[Found]:
    shown = zip(photos, windows, strict=True)
    inputs = np.stack([show(photo, window, size) for photo, window in shown])
    return [
        Found(box=window.to_photo(row[:4].astype(np.float64)), score=float(row[4]))
        for row, window in zip(network(inputs), windows, strict=True)
    ]
