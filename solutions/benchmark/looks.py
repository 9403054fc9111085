"""Two looks at a photo: where is the spacecraft, and where exactly are its edges?

Before the first look comes a glance at two thirds of its size. It costs less than half of it, and
mostly it is enough to know where to look closely.
"""

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
    glance: tuple[int, int] | None = None
    """A smaller first look, which is enough where the network is sure of it. None: no glance."""
    sure: float = 0.3
    """The score that makes a glance enough."""
    fill: float = 0.6
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
    size = looks.glance or looks.first
    windows = [letterbox(shape, size) for shape in shapes]
    found = _look(photos, windows, network, size)
    if looks.glance is not None:
        unsure = {
            index: letterbox(shapes[index], looks.first)
            for index, seen in enumerate(found)
            if not seen.score >= looks.sure  # so is a score that is no number
        }
        for index, seen in _look_at(photos, unsure, network, looks.first):
            if not found[index].score >= seen.score:
                found[index], windows[index] = seen, unsure[index]
    if looks.second is None:
        return found
    closer: dict[int, Window] = {}
    for index, (seen, shape) in enumerate(zip(found, shapes, strict=True)):
        if (pixels := to_pixels(seen.box, shape)) is not None:
            box = np.array(pixels, np.float64)
            window = close_up(box, shape, looks.second, fill=looks.fill, enlarge=looks.enlarge)
            if window != windows[index]:  # else it would see the same again
                closer[index] = window
    for index, second in _look_at(photos, closer, network, looks.second):
        found[index] = better(found[index], second, looks)
    return found


def better(first: Found, second: Found, looks: Looks) -> Found:
    """Take the second look, unless it saw something else and is less certain of it."""
    agree = iou(first.box, second.box) >= looks.agree
    return second if agree or second.score > first.score else first


def glance_size(first: tuple[int, int]) -> tuple[int, int]:
    """Give the size of a glance: two thirds of the first look's, up to whole strides of 32."""
    return -(-first[0] // 48) * 32, -(-first[1] // 48) * 32


def _look_at(
    photos: Sequence[Photo], windows: dict[int, Window], network: Network, size: tuple[int, int]
) -> list[tuple[int, Found]]:
    """Look at some of the photos through windows, in one batch; give their numbers with it."""
    if not windows:
        return []
    chosen = [photos[index] for index in windows]
    return list(zip(windows, _look(chosen, list(windows.values()), network, size), strict=True))


def _look(
    photos: Sequence[Photo], windows: Sequence[Window], network: Network, size: tuple[int, int]
) -> list[Found]:
    shown = zip(photos, windows, strict=True)
    inputs = np.stack([show(photo, window, size) for photo, window in shown])
    return [
        Found(box=window.to_photo(row[:4].astype(np.float64)), score=float(row[4]))
        for row, window in zip(network(inputs), windows, strict=True)
    ]
