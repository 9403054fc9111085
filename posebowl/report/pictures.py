"""Photos made small enough for a page: scaled JPEGs as data URIs, within a budget of bytes."""

from __future__ import annotations

import base64
import io
import os
import stat
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.report.gallery import Box, Item
from posebowl.report.picture_store import NO_STORE, PictureStore

if TYPE_CHECKING:
    from PIL import Image

BUDGET_BYTES: Final = 2_900_000
"""Of all pictures of a page together, before base64 adds a third."""
_PAGE_BYTES: Final = 4_600_000
"""Of pictures in base64 and the table of images: the rest of a page is below 0.4 MB."""

_PER_PICTURE: Final = 72_000
"""A gallery holds 40 at most: what one may take does not depend on how many there are."""
_MOST_PIXELS: Final = 40_000_000
_MOST_BYTES: Final = 128 << 20
_CROP_SHARE: Final = 0.6
"""A close-up that would show more than this share of the photo's width is left out."""
_CLOSE_UP: Final = 480
_STEPS: Final = ((640, 76), (560, 68), (480, 60), (400, 50), (320, 40), (240, 25))
"""Width in pixels and JPEG quality, tried until one fits. The first halves a photo exactly, which
takes a sixth of the time of any other scale."""
_HEAD: Final = struct.Struct(">8s4x4sII")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A photo for a page, or why it is missing."""

    width: int = IMAGE_WIDTH
    """Of the original: boxes are drawn in its pixels."""
    height: int = IMAGE_HEIGHT
    uri: Markup | None = None
    close_up: Markup | None = None
    region: Box | None = None
    """The part of the original that the close-up shows."""
    missing: str = ""


def load(
    items: Sequence[Item],
    images: Path | None,
    store: PictureStore = NO_STORE,
    *,
    taken: int = 0,
) -> tuple[Picture, ...]:
    """Load the photos of a gallery, in its order; one that cannot be loaded says why.

    Args:
        items: The gallery.
        images: The folder of <image_id>.png, if there is one.
        store: Pictures that were made before, which need not be made again.
        taken: Bytes of the page that the table of images takes; small ones change nothing.
    """
    if not items:
        return ()
    left = min(BUDGET_BYTES, (_PAGE_BYTES - taken) * 3 // 4)
    budget = min(_PER_PICTURE, left // len(items))
    # Pillow decodes and encodes without holding Python's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        made = pool.map(lambda item: load_one(item, images, budget=budget, store=store), items)
        return tuple(made)


def load_one(
    item: Item, images: Path | None, *, budget: int, store: PictureStore = NO_STORE
) -> Picture:
    """Load one photo and scale it down, with a close-up of its boxes where they are small."""
    if images is None:
        return Picture(missing="there are no images at hand")
    try:
        path = _file(images, item.image_id)
        width, height = _size(path)
        if width * height > _MOST_PIXELS:
            return Picture(missing="it has too many pixels")
        region = close_up_region(item, width, height)
        photo = _Photo(path, store)
        detail = photo.jpeg(region, budget // 3, widest=_CLOSE_UP) if region else b""
        return Picture(
            width=width,
            height=height,
            uri=_uri(photo.jpeg(None, budget - budget // 3)),
            close_up=_uri(detail) if detail else None,
            region=region,
        )
    except FileNotFoundError:
        return Picture(missing="there is no such file")
    # Pillow raises nearly everything on broken files; a picture is never worth the page.
    except Exception:  # noqa: BLE001
        return Picture(missing="the file cannot be read as an image")


class _Photo:
    """A photo that is decoded only if what is wanted of it was not made before."""

    def __init__(self, path: Path, store: PictureStore) -> None:
        self._path = path
        self._store = store

    def jpeg(self, region: Box | None, budget: int, widest: int = _STEPS[0][0]) -> bytes:
        """Return a part of it, or all, as a JPEG of at most `budget` bytes."""
        key = self._store.key(self._path, region, budget, _STEPS)
        found = self._store.get(key)
        if found is None:
            part = self._pixels.crop(region) if region else self._pixels
            found = _encode(part, budget, widest)
            self._store.put(key, found)
        return found

    @cached_property
    def _pixels(self) -> Image.Image:
        from PIL import Image

        with Image.open(self._path, formats=["PNG"]) as photo:
            photo.load()
            return photo if photo.mode == "RGB" else photo.convert("RGB")


def _file(images: Path, image_id: str) -> Path:
    """Return the file of an image: in this folder, regular, and not too large."""
    name = f"{image_id}.png"
    if Path(name).name != name or "\\" in name:
        raise ValueError(name)
    path = images / name
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
        raise ValueError(name)
    return path


def _size(path: Path) -> tuple[int, int]:
    """Read the width and height of a PNG, without decoding it."""
    with path.open("rb") as file:
        signature, name, width, height = _HEAD.unpack(file.read(_HEAD.size))
    if (signature, name) != (b"\x89PNG\r\n\x1a\n", b"IHDR"):
        raise ValueError(path)
    return int(width), int(height)


def close_up_region(item: Item, width: int, height: int) -> Box | None:
    """Return the part of a photo around its boxes, 5 by 4; None if that is most of it.

    It holds all boxes if they are close to each other, else the true one.
    """
    boxes = [box for box in (item.truth, item.pred, item.before) if box is not None]
    around = (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )
    for box in (around, boxes[0]):
        wide = max(1.6 * (box[2] - box[0]), 2.0 * (box[3] - box[1]), 120.0)
        high = wide / 1.25
        if wide > _CROP_SHARE * width or high > height:
            continue
        left = min(max((box[0] + box[2] - wide) / 2, 0), width - wide)
        top = min(max((box[1] + box[3] - high) / 2, 0), height - high)
        return round(left), round(top), round(left + wide), round(top + high)
    return None


def _encode(photo: Image.Image, budget: int, widest: int) -> bytes:
    """Return a JPEG of at most `budget` bytes, or the smallest that was tried."""
    from PIL.Image import Resampling

    data = b""
    for width, quality in _STEPS:
        small = photo
        wide = min(width, widest, photo.width)
        if wide < photo.width:
            high = max(1, round(photo.height * wide / photo.width))
            small = photo.resize((wide, high), Resampling.BICUBIC, reducing_gap=1.0)
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if len(data) <= budget:
            break
    return data


def _uri(data: bytes) -> Markup:
    # Only base64's own letters: nothing in it needs escaping.
    return Markup("data:image/jpeg;base64," + base64.b64encode(data).decode())  # noqa: S704
