"""Photos: from the bytes of a file to the network's input."""

from __future__ import annotations

import os
import struct
from pathlib import Path

# OpenCV's messages about broken files would flood the log; main.py logs one line each.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(2**26)

import cv2
import numpy as np
import numpy.typing as npt
from boxes import Crop

try:
    from kornia_rs import io as rust
except ImportError:  # without it, OpenCV decodes the same pixels in twice the time
    rust = None

Photo = npt.NDArray[np.uint8]
"""Shape (height, width, 3): red, green, blue."""

PADDING = 114
"""Grey padding around a photo of another shape than the input, as in YOLO training."""

HEADER = struct.Struct(">8s4x4sIIBBBBB4x")
LARGEST = int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"])
"""Maximum number of pixels to decode, about 200 MB of memory, whatever a header claims."""
PLAIN = (b"\x89PNG\r\n\x1a\n", b"IHDR")
SILENT = {b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tEXt", b"tIME", b"IDAT", b"IEND"}
"""Chunks that leave the pixels of an 8-bit colour file as they are."""

# Each worker decodes and resizes its own photos: OpenCV's threads would only compete.
cv2.setNumThreads(1)


class BrokenPhotoError(Exception):
    """A file that is not a photo."""


def read(path: Path, *, quickly: bool = True) -> Photo:
    """Decode a photo of any bit depth and number of channels to 8-bit colour.

    Args:
        path: The file.
        quickly: Use the fast decoder where possible, though it holds the GIL.

    Raises:
        BrokenPhotoError: The file is missing, unreadable, or not a photo.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenPhotoError(error.strerror or str(error)) from None
    if not data:
        raise BrokenPhotoError("the file is empty")
    if (claimed := claimed_pixels(data)) > LARGEST:
        raise BrokenPhotoError(f"its header claims {claimed:,} pixels")
    photo = decode_fast(data) if quickly and rust and is_plain_png(data) else None
    return decode_opencv(data) if photo is None else photo


def claimed_pixels(data: bytes) -> int:
    """Read the number of pixels in the header of a PNG file; 0 for other files."""
    if len(data) < HEADER.size or not data.startswith(PLAIN[0]):
        return 0
    _, _, width, height, *_ = HEADER.unpack_from(data)
    return int(width * height)


def is_plain_png(data: bytes) -> bool:
    """Return whether this is a PNG file like the competition's: 8-bit colour, nothing unusual."""
    if len(data) < HEADER.size:
        return False
    *marks, width, height, depth, colour, packing, filters, interlace = HEADER.unpack_from(data)
    if (*marks,) != PLAIN or (depth, colour, packing, filters, interlace) != (8, 2, 0, 0, 0):
        return False
    if not 0 < width * height <= LARGEST:
        return False
    place, name = HEADER.size, b""
    while name != b"IEND":
        length = int.from_bytes(data[place : place + 4])
        name = data[place + 4 : place + 8]
        place += length + 12
        if name not in SILENT or place > len(data):
            return False
    return True


def decode_fast(data: bytes) -> Photo | None:
    """Decode a plain PNG file in Rust; return None to leave it to OpenCV."""
    _, _, width, height, *_ = HEADER.unpack_from(data)
    try:
        return np.asarray(rust.decode_image_png_u8(data, (height, width), "rgb"), np.uint8)
    except Exception:  # noqa: BLE001  (the library has no exception class)
        return None


def decode_opencv(data: bytes) -> Photo:
    """Decode any image that OpenCV can decode.

    Raises:
        BrokenPhotoError: It cannot.
    """
    try:
        pixels = np.frombuffer(data, np.uint8)
        photo = cv2.imdecode(pixels, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise BrokenPhotoError(str(error).strip().replace("\n", " ")) from None
    if photo is None:
        raise BrokenPhotoError("it cannot be decoded")
    return np.asarray(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB, dst=photo), np.uint8)


def crop_and_resize(photo: Photo, crop: Crop, size: tuple[int, int]) -> Photo:
    """Crop the photo, resize the crop and pad it to the size of the input.

    Returns:
        Shape (size[0], size[1], 3).
    """
    cut = photo[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    shown = resize(cut, crop.shown_width, crop.shown_height)
    if shown.shape[:2] == size:
        return shown
    padded: Photo = np.full((*size, 3), PADDING, np.uint8)
    rows = slice(crop.top, crop.top + crop.shown_height)
    padded[rows, crop.left : crop.left + crop.shown_width] = shown
    return padded


def resize(photo: Photo, width: int, height: int) -> Photo:
    """Return a photo resized: halved by area while it stays large enough, then linearly.

    Halving is ten times faster than averaging over other ratios. What is left to shrink is less
    than half, where every pixel still counts in linear scaling: there is nothing to alias.
    """
    scaled = photo
    while True:
        high, wide = scaled.shape[:2]
        if (wide, high) == (width, height):
            return np.ascontiguousarray(scaled)
        if wide >= 2 * width and high >= 2 * height:
            size, how = (wide // 2, high // 2), cv2.INTER_AREA
        else:
            size, how = (width, height), cv2.INTER_LINEAR
        scaled = np.asarray(cv2.resize(scaled, size, interpolation=how), np.uint8)
