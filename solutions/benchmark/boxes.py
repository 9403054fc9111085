"""Boxes, and the crops of a photo that the network sees.

A box is (xmin, ymin, xmax, ymax) in pixels with xmax and ymax one past the last pixel, so
coordinates name the edges between pixels and width is xmax - xmin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Box = npt.NDArray[np.float64]
"""Shape (4,)."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A rectangle of the photo, and where in the network's input it is shown."""

    x: int
    y: int
    width: int
    height: int
    """The part of the photo, in photo pixels."""
    left: int
    top: int
    shown_width: int
    shown_height: int
    """The part of the input, in input pixels; what is around it is padding."""

    @property
    def scale(self) -> npt.NDArray[np.float64]:
        """Return the input pixels per photo pixel along x, y, x, y."""
        sx, sy = self.shown_width / self.width, self.shown_height / self.height
        return np.array([sx, sy, sx, sy])

    def to_input(self, box: Box) -> Box:
        """Map a box of the photo to the input."""
        mapped: Box = (box - [self.x, self.y] * 2) * self.scale + [self.left, self.top] * 2
        return mapped

    def to_photo(self, box: Box) -> Box:
        """Map a box of the input to the photo: the inverse of `to_input`."""
        mapped: Box = (box - [self.left, self.top] * 2) / self.scale + [self.x, self.y] * 2
        return mapped


def fit_crop(x: int, y: int, width: int, height: int, size: tuple[int, int]) -> Crop:
    """Return the crop that shows a rectangle as large as the input allows, centred.

    Args:
        x: Left edge of the rectangle, in photo pixels.
        y: Top edge.
        width: Its width, at least 1.
        height: Its height, at least 1.
        size: Height and width of the input.
    """
    in_height, in_width = size
    scale = min(in_width / width, in_height / height)
    shown_width = max(1, min(in_width, round(width * scale)))
    shown_height = max(1, min(in_height, round(height * scale)))
    return Crop(
        x=x,
        y=y,
        width=width,
        height=height,
        left=(in_width - shown_width) // 2,
        top=(in_height - shown_height) // 2,
        shown_width=shown_width,
        shown_height=shown_height,
    )


def letterbox(photo: tuple[int, int], size: tuple[int, int]) -> Crop:
    """Return the crop of the whole photo. Both arguments are height and width."""
    return fit_crop(0, 0, photo[1], photo[0], size)


def zoom_crop(
    box: Box, photo: tuple[int, int], size: tuple[int, int], *, fill: float, enlarge: float
) -> Crop:
    """Return the crop for a closer look at a box; the whole photo for a large one.

    Args:
        box: Where the first look found the spacecraft, in photo pixels.
        photo: Height and width of the photo.
        size: Height and width of the input.
        fill: Share of the crop, along its tighter side, that the box should fill.
        enlarge: Maximum of input pixels per photo pixel: more adds blur, not detail.
    """
    height, width = photo
    in_height, in_width = size
    need = max((box[2] - box[0]) / in_width, (box[3] - box[1]) / in_height) / fill
    need = max(need, 1 / enlarge)
    # Even, because odd sides are slow to halve (photos.resize).
    window_width = min(width, 2 * math.ceil(need * in_width / 2))
    window_height = min(height, 2 * math.ceil(need * in_height / 2))
    x = round((box[0] + box[2] - window_width) / 2)
    y = round((box[1] + box[3] - window_height) / 2)
    x = min(max(0, x), width - window_width)
    y = min(max(0, y), height - window_height)
    return fit_crop(x, y, window_width, window_height, size)


def to_pixels(box: Box, photo: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Round a box to whole pixels inside the photo, at least one; None if it is not a box.

    Of a box in the letterbox's bars, which networks find on black photos, the nearest pixels are
    left: the answer for a photo must not depend on the others, as the fallback box does.
    """
    if not np.isfinite(box).all() or box[0] >= box[2] or box[1] >= box[3]:
        return None
    height, width = photo
    xmin, ymin = (int(edge) for edge in np.clip(np.rint(box[:2]), 0, [width - 1, height - 1]))
    xmax, ymax = (int(edge) for edge in np.clip(np.rint(box[2:]), 0, [width, height]))
    return xmin, ymin, max(xmax, xmin + 1), max(ymax, ymin + 1)


def iou(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes; 0 if both are empty."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0.0, float(width)) * max(0.0, float(height))
    both = sum(float((b[2] - b[0]) * (b[3] - b[1])) for b in (one, other)) - common
    return common / both if both > 0 else 0.0
