"""Photos: from the bytes of a file to the network's input."""

from __future__ import annotations

import os
from pathlib import Path

# OpenCV's own messages about broken files would flood the log; main.py says it in one line.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2
import numpy as np
import numpy.typing as npt
from boxes import Window

Photo = npt.NDArray[np.uint8]
"""Shape (height, width, 3), in OpenCV's order blue, green, red."""

PADDING = 114
"""Grey around a photo of another shape than the input; the value that YOLO is trained with."""

# Each worker thread decodes and resizes its own photo: OpenCV's threads would only compete.
cv2.setNumThreads(1)


class BrokenPhotoError(Exception):
    """A file that holds no photo."""


def read(path: Path) -> Photo:
    """Decode a photo of any bit depth and number of channels to 8-bit colour.

    Raises:
        BrokenPhotoError: The file is missing, unreadable, or no photo.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise BrokenPhotoError(error.strerror or str(error)) from None
    if data.size == 0:
        raise BrokenPhotoError("the file is empty")
    try:
        photo = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise BrokenPhotoError(str(error).strip().replace("\n", " ")) from None
    if photo is None:
        raise BrokenPhotoError("it cannot be decoded")
    return np.asarray(photo, np.uint8)


def show(photo: Photo, window: Window, size: tuple[int, int]) -> Photo:
    """Cut a window out of the photo and scale it to the input.

    Returns:
        Shape (size[0], size[1], 3).
    """
    cut = photo[window.y : window.y + window.height, window.x : window.x + window.width]
    shown = resize(cut, window.shown_width, window.shown_height)
    if shown.shape[:2] == size:
        return shown
    padded: Photo = np.full((*size, 3), PADDING, np.uint8)
    rows = slice(window.top, window.top + window.shown_height)
    padded[rows, window.left : window.left + window.shown_width] = shown
    return padded


def resize(photo: Photo, width: int, height: int) -> Photo:
    """Scale a photo: by area where it shrinks (no aliasing), else linearly.

    Halving is ten times faster than other ratios, so large photos are halved first.
    """
    scaled = np.ascontiguousarray(photo)
    while True:
        high, wide = scaled.shape[:2]
        if (wide, high) == (width, height):
            return scaled
        if wide % 2 == high % 2 == 0 and wide >= 2 * width and high >= 2 * height:
            size = wide // 2, high // 2
        else:
            size = width, height
        how = cv2.INTER_AREA if wide > size[0] else cv2.INTER_LINEAR
        scaled = np.asarray(cv2.resize(scaled, size, interpolation=how), np.uint8)
