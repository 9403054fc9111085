"""Augmentation: random crops of labelled photos, rotated, flipped and jittered.

The search is coarse to fine: the first look is at the whole photo, the second at a crop around what
was found. The views are of both kinds, so that one network learns both looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from posebowl import challenge
from posebowl.training.colours import photo_variation
from posebowl.training.dataset import Box, Image, Level

PADDING: Final = 114
MOST_ENLARGED: Final = 3.0
"""Pixels of a close view for one of the photo, at most: `Looks.enlarge` of the solution."""
CLOSE_FILL: Final = (0.22, 0.95)
"""Share of a close view, along an axis, that the box fills: evenly in the logarithm between."""
WANDER: Final = 0.18
"""How far a close view is off centre, as a share of the box: standard deviation."""
WIDE: Final = (0.45, 1.15)
"""A wide view's crop, as a share of the least that shows the whole photo."""
NEAREST: Final = 2.0
"""Least pixels of the photo for one of a wide view."""
LEAST_LEFT: Final = 0.25
"""Share of a box that must be in the view for a label."""
_NOISE_SIDE: Final = 1024


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Probabilities and strengths of the augmentations."""

    close: float = 0.40
    """Share of close views, like the crops of the second look."""
    mosaic: float = 0.12
    """Share of mosaics of four whole photos: more and smaller spacecraft in one view."""
    quarter_turns: float = 0.25
    tone: float = 1.0
    """Strength of the variation of exposure, contrast and tint."""
    noise: float = 0.25
    blur: float = 0.12
    grey: float = 0.08
    whole_box: float = 0.93
    """Share of wide views, along each axis, that are moved so that they contain the whole box."""


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A labelled photo at two pyramid levels."""

    whole: Level
    close: Level
    box: Box


@dataclass(frozen=True, kw_only=True)
class View:
    """An image for the network and the boxes on it, shape (n, 4), in its pixels."""

    image: Image
    boxes: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A rectangle of the photo, in photo pixels; it may reach beyond the photo."""

    x: float
    y: float
    width: float
    height: float

    def to_view(self, box: Box, size: tuple[int, int]) -> Box:
        """Map a box of the photo to a view of this crop; size is height and width."""
        sx, sy = size[1] / self.width, size[0] / self.height
        mapped: Box = (box - np.array([self.x, self.y] * 2)) * np.array([sx, sy, sx, sy])
        return mapped


class Augmenter:
    """Makes random training views; the same state of the generator makes the same views."""

    def __init__(
        self, rng: np.random.Generator, size: tuple[int, int], augmentation: Augmentation
    ) -> None:
        self.rng = rng
        self.size = size
        self.augmentation = augmentation
        self.noise = rng.normal(0, 1, (_NOISE_SIDE, _NOISE_SIDE, 3)).astype(np.float32)

    def take(self, photos: list[Photo]) -> View:
        """Return a view of the first photo, or a mosaic of the first four."""
        kind, mosaic = self.rng.random(), self.augmentation.mosaic
        if kind < mosaic and len(photos) >= 4:
            return self.jitter(self._mosaic(photos[:4]))
        close = kind < mosaic + self.augmentation.close
        return self.jitter(self._one(photos[0], self.size, close=close))

    def _one(self, photo: Photo, size: tuple[int, int], *, close: bool) -> View:
        """Return one crop, with a random symmetry of the square."""
        turn = self.rng.random() < self.augmentation.quarter_turns
        in_size = (size[1], size[0]) if turn else size
        crop = (
            close_crop(self.rng, photo.box, in_size)
            if close
            else self._wide_crop(photo.box, in_size)
        )
        level = photo.close if covers(crop, photo.close) else photo.whole
        image, real = crop_and_resize(level, crop, in_size)
        boxes = clip_box(real.to_view(photo.box, in_size), in_size)
        if turn:
            image, boxes = np.ascontiguousarray(image.transpose(1, 0, 2)), boxes[:, [1, 0, 3, 2]]
        across, down = self.rng.random(2) < 0.5
        return flip(View(image=image, boxes=boxes), across=bool(across), down=bool(down))

    def _wide_crop(self, box: Box, size: tuple[int, int]) -> Crop:
        """Sample a crop of half the photo's sides to a little more than all of it.

        It never shows the photo larger than at half its size.
        """
        whole = min(challenge.IMAGE_WIDTH / size[1], challenge.IMAGE_HEIGHT / size[0])
        nearest = min(whole, max(WIDE[0] * whole, NEAREST))
        unit = math.exp(self.rng.uniform(math.log(nearest), math.log(WIDE[1] * whole)))
        width, height = size[1] * unit, size[0] * unit
        x = self._place(box[0], box[2], width, challenge.IMAGE_WIDTH)
        y = self._place(box[1], box[3], height, challenge.IMAGE_HEIGHT)
        return Crop(x=x, y=y, width=width, height=height)

    def _place(self, low: float, high: float, length: float, photo: int) -> float:
        """Sample where a crop starts: anywhere in the photo, mostly with the box inside."""
        first, last = sorted((0.0, photo - length))
        if self.rng.random() < self.augmentation.whole_box and high - low < length:
            first, last = max(first, high - length), min(last, low)
        return self.rng.uniform(first, max(first, last))

    def _mosaic(self, photos: list[Photo]) -> View:
        """Return a mosaic: wide views of four photos that meet at a random point."""
        height, width = self.size
        split_x = int(width * self.rng.uniform(0.35, 0.65))
        split_y = int(height * self.rng.uniform(0.35, 0.65))
        canvas: Image = np.empty((height, width, 3), np.uint8)
        boxes = []
        for photo, (x, y) in zip(photos, ((0, 0), (1, 0), (0, 1), (1, 1)), strict=True):
            wide = width - split_x if x else split_x
            high = height - split_y if y else split_y
            tile = self._one(photo, (high, wide), close=False)
            left, top = x * split_x, y * split_y
            canvas[top : top + high, left : left + wide] = tile.image
            boxes.append(tile.boxes + np.array([left, top, left, top]))
        return View(image=canvas, boxes=np.concatenate(boxes))

    def jitter(self, view: View) -> View:
        """Jitter exposure, contrast and tint; sometimes remove colour, blur, add noise."""
        rng, image = self.rng, view.image
        drawn = photo_variation(rng, self.augmentation, 1)[0]
        gamma, *gain, offset, colourless, blur, noise = drawn
        ramp = np.linspace(0, 1, 256)[:, None] ** gamma * gain + offset
        table = np.clip(ramp * 255, 0, 255).astype(np.uint8)
        image = np.asarray(cv2.LUT(image, table.reshape(256, 1, 3)), np.uint8)
        if colourless:
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            image = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
        if blur:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), blur), np.uint8)
        if noise:
            height, width = image.shape[:2]
            y, x = rng.integers(0, _NOISE_SIDE - np.array([height, width]))
            grain = self.noise[y : y + height, x : x + width] * np.float32(noise)
            image = np.clip(image + grain, 0, 255).astype(np.uint8)
        return View(image=image, boxes=view.boxes)


def covers(crop: Crop, level: Level) -> bool:
    """Return whether a level contains all of a crop."""
    height, width = level.image.shape[:2]
    inside_x = level.x <= crop.x and crop.x + crop.width <= level.x + width / level.scale
    inside_y = level.y <= crop.y and crop.y + crop.height <= level.y + height / level.scale
    return inside_x and inside_y


def close_crop(rng: np.random.Generator, box: Box, size: tuple[int, int]) -> Crop:
    """Sample a crop around a box, as after an inaccurate first look; size is height and width.

    As in the second look, the crop leaves the photo only where it is larger, and is then no larger
    than shows all of it, in the middle.
    """
    fill = math.exp(rng.uniform(*np.log(CLOSE_FILL)))
    wide, high = box[2] - box[0], box[3] - box[1]
    unit = max(wide / size[1] / fill, high / size[0] / fill, 1 / MOST_ENLARGED)
    unit = min(unit, max(challenge.IMAGE_WIDTH / size[1], challenge.IMAGE_HEIGHT / size[0]))
    width, height = unit * size[1], unit * size[0]
    wander = rng.normal(0, WANDER, 2)
    x = (box[0] + box[2] - width) / 2 + wander[0] * max(wide, 0.3 * width)
    y = (box[1] + box[3] - height) / 2 + wander[1] * max(high, 0.3 * height)
    return Crop(
        x=_inside(x, width, challenge.IMAGE_WIDTH),
        y=_inside(y, height, challenge.IMAGE_HEIGHT),
        width=width,
        height=height,
    )


def _inside(start: float, length: float, photo: float) -> float:
    """Return where a crop starts along an axis, inside the photo if it fits, else centred."""
    return (photo - length) / 2 if length > photo else min(max(0.0, start), photo - length)


def crop_and_resize(level: Level, crop: Crop, size: tuple[int, int]) -> tuple[Image, Crop]:
    """Crop an image and resize it to `size` (height, width), with grey beyond its border.

    Returns:
        The view, and its exact crop: rounded to whole pixels of the image.
    """
    height, width = level.image.shape[:2]
    x0 = round((crop.x - level.x) * level.scale)
    y0 = round((crop.y - level.y) * level.scale)
    x1 = max(x0 + 1, round((crop.x + crop.width - level.x) * level.scale))
    y1 = max(y0 + 1, round((crop.y + crop.height - level.y) * level.scale))
    part = level.image[max(0, y0) : min(height, y1), max(0, x0) : min(width, x1)]
    beyond = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if any(beyond):
        part = cv2.copyMakeBorder(part, *beyond, cv2.BORDER_CONSTANT, value=(PADDING,) * 3)
    how = cv2.INTER_AREA if x1 - x0 > size[1] else cv2.INTER_LINEAR
    image = cv2.resize(part, (size[1], size[0]), interpolation=how)
    real = Crop(
        x=level.x + x0 / level.scale,
        y=level.y + y0 / level.scale,
        width=(x1 - x0) / level.scale,
        height=(y1 - y0) / level.scale,
    )
    return np.asarray(image, np.uint8), real


def clip_box(box: Box, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Clip a box to the view, shape (1, 4); return shape (0, 4) if too little is left."""
    limit = np.array([size[1], size[0]] * 2)
    seen = np.clip(box, 0, limit)
    area = np.prod(box[2:] - box[:2])
    left = np.prod(seen[2:] - seen[:2])
    enough = left >= LEAST_LEFT * area and (seen[2:] - seen[:2]).min() >= 1.0
    return seen[None] if enough else np.zeros((0, 4))


def flip(view: View, *, across: bool, down: bool) -> View:
    """Flip a view and its boxes horizontally, vertically, or both."""
    height, width = view.image.shape[:2]
    image, boxes = view.image, view.boxes
    if across:
        image, boxes = image[:, ::-1], boxes[:, [2, 1, 0, 3]]
        boxes[:, [0, 2]] = width - boxes[:, [0, 2]]
    if down:
        image, boxes = image[::-1], boxes[:, [0, 3, 2, 1]]
        boxes[:, [1, 3]] = height - boxes[:, [1, 3]]
    return View(image=np.ascontiguousarray(image), boxes=boxes)
