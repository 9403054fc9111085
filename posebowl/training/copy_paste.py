"""Copy-paste augmentation: cut-outs of spacecraft over backgrounds, at any size and angle.

Both are composited at the lower resolution of background crop and view, then enlarged together:
the spacecraft is never sharper than its background.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from posebowl import challenge
from posebowl.training.augment import Photo, View
from posebowl.training.backgrounds import read_half
from posebowl.training.colours import background_colours
from posebowl.training.cutouts import (
    SEEN,
    Cutout,
    CutoutAugmentation,
    alpha_over,
    augment_cutout,
    level_for,
    proportions,
)
from posebowl.training.dataset import LEVEL_HEIGHT, LEVEL_WIDTH, WHOLE_SCALE, Box, Image
from posebowl.training.decoys import Decoy, decoy_view

MIN_CROP_WIDTH: Final = 150
"""Minimum width of a background crop, in its pixels at half the photo's resolution."""
MIN_CLOSE_WIDTH: Final = 43
"""Of a close one: a second look of 256 pixels enlarges the photo three times at most. Decoys have
the same limit; if spacecraft had another, a refiner would tell them by the blur."""
MIN_SIDE: Final = 2.0
"""Minimum of the longer side of a pasted spacecraft, in pixels of the view."""


@dataclass(frozen=True, kw_only=True)
class CopyPaste:
    """Probabilities and ranges of copy-paste augmentation."""

    share: float = 0.45
    """Of all training views."""
    empty: float = 0.04
    """Share of composites without a spacecraft, which teach the score."""
    close: float = 0.45
    """Share of composites in which the spacecraft fills the view as in a second look."""
    smallest: float = 14.0
    """The longer side of the smallest others, in pixels of the photo: smaller ones are specks."""
    largest: float = 1.45
    """That of the largest, as a share of the view's width; evenly in the logarithm between."""
    photos: float = 0.2
    """Share pasted over the empty part of a labelled photo, where there is room."""
    turned: float = 0.3
    """Share of backgrounds that are turned by 90 degrees."""
    toned: float = 0.6
    """Share of backgrounds with contrast and colours of their own."""
    whole: float = 0.85
    """Share that is inside the view along each axis, if it fits; the others are cropped."""
    noise: float = 0.5
    """Share of spacecraft that get noise of their own."""
    blur: float = 0.5
    augmentation: CutoutAugmentation = field(default_factory=CutoutAugmentation)


@dataclass(frozen=True, kw_only=True)
class PasteSources:
    """The cut-outs and backgrounds to composite."""

    cutouts: Sequence[tuple[Cutout, ...]]
    """Cut-outs, each at several reductions."""
    backgrounds: Sequence[Path]
    """Photos without spacecraft at half their resolution, as JPEG files."""
    decoys: Sequence[Sequence[Decoy]] = ()
    """Groups of what is mistaken for a spacecraft, each group as likely."""


@dataclass(frozen=True)
class Composer:
    """Makes random composites; the same state of the generator makes the same ones."""

    rng: np.random.Generator
    size: tuple[int, int]
    paste: CopyPaste
    sources: PasteSources

    def take(self, photo: Photo) -> View | None:
        """Paste a spacecraft over a background, or over the empty part of this photo.

        Returns:
            The view with one box, or none where it is meant to be empty; None if there was no
            room or nothing is visible.
        """
        rng, paste = self.rng, self.paste
        close, empty = rng.random() < paste.close, rng.random() < paste.empty
        if close and empty and self.sources.decoys:
            return self._decoy()
        found = self._behind(photo, close=close)
        if found is None:
            return None
        height, width = self.size
        factor = min(1.0, found.shape[1] / width)
        behind = self._background(found, (round(height * factor), round(width * factor)))
        if empty:
            whole = cv2.resize(behind, (width, height), interpolation=cv2.INTER_LINEAR)
            return View(image=np.asarray(whole, np.uint8), boxes=np.zeros((0, 4)))
        smallest = paste.smallest * WHOLE_SCALE / found.shape[1]
        low, high = (0.25, 1.0) if close else (smallest, paste.largest)
        side = math.exp(rng.uniform(math.log(low), math.log(high))) * width
        image, box = self._put(behind, side * factor)
        if box is None:
            return None
        if factor < 1:
            scale = np.array([width / image.shape[1], height / image.shape[0]] * 2)
            enlarged = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
            image, box = np.asarray(enlarged, np.uint8), box * scale
        return View(image=image, boxes=box[None])

    def _decoy(self) -> View:
        """Show a decoy, with the contrast and colours that it has behind spacecraft."""
        groups = self.sources.decoys
        group = groups[int(self.rng.integers(len(groups)))]
        view = decoy_view(self.rng, group[int(self.rng.integers(len(group)))], self.size)
        if self.rng.random() < self.paste.toned:
            return View(image=tone(self.rng, view.image), boxes=view.boxes)
        return view

    def _background(self, found: Image, size: tuple[int, int]) -> Image:
        """Resize a background to (height, width), and vary it, so that few views share one."""
        how = cv2.INTER_AREA if found.shape[1] > size[1] else cv2.INTER_LINEAR
        behind = np.asarray(cv2.resize(found, size[::-1], interpolation=how), np.uint8)
        if self.rng.random() < self.paste.toned:
            behind = tone(self.rng, behind)
        across, down = self.rng.random() < 0.5, self.rng.random() < 0.5
        return np.ascontiguousarray(behind[:: -1 if down else 1, :: -1 if across else 1])

    def _behind(self, photo: Photo, *, close: bool) -> Image | None:
        """Return a crop of the view's shape without a spacecraft, in pixels of its source."""
        empty = (0, 0, LEVEL_WIDTH, LEVEL_HEIGHT)
        source: Image
        if self.rng.random() < self.paste.photos or not self.sources.backgrounds:
            source = photo.whole.image
            room = free(photo.box * photo.whole.scale, self.rng)
        else:
            chosen = self.sources.backgrounds[int(self.rng.integers(len(self.sources.backgrounds)))]
            source, room = read_half(chosen), empty
        x0, y0, x1, y1 = room
        aspect = self.size[0] / self.size[1]
        if self.rng.random() < self.paste.turned:
            source, room = source.transpose(1, 0, 2), (y0, x0, y1, x1)
            x0, y0, x1, y1 = room
        most = min(x1 - x0, (y1 - y0) / aspect)
        if most < MIN_CROP_WIDTH:
            return None
        wide = min(most, max(0.42 * most, self.size[1]))  # no smaller than the view, if it can be
        least = MIN_CLOSE_WIDTH if close else max(MIN_CROP_WIDTH, wide)
        width = math.exp(self.rng.uniform(math.log(least), math.log(most)))
        height = width * aspect
        x = int(self.rng.uniform(x0, max(x0, x1 - width)))
        y = int(self.rng.uniform(y0, max(y0, y1 - height)))
        return source[y : y + round(height), x : x + round(width)]

    def _put(self, behind: Image, side: float) -> tuple[Image, Box | None]:
        """Paste one spacecraft whose longer side is `side` before it is turned."""
        rng = self.rng
        first, second = (
            self.sources.cutouts[k] for k in rng.integers(0, len(self.sources.cutouts), 2)
        )
        pair = (level_for(first, 1.2 * side), level_for(second, 1.2 * side))
        cutout = augment_cutout(rng, *pair, self.paste.augmentation)
        if rng.random() < 0.5:
            cutout = np.ascontiguousarray(cutout[:, ::-1])
        outline = hull(cutout)
        if outline is None:
            return behind, None
        height, width = behind.shape[:2]
        angle = rng.uniform(0, 2 * math.pi)
        long = float(np.ptp(outline, axis=0).max()) or 1.0
        scale = max(side, MIN_SIDE) / long
        rotation = np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        turn = scale * rotation @ proportions(rng, 1, self.paste.augmentation.stretched)[0]
        turned = outline @ turn.T
        low, high = turned.min(0), turned.max(0)
        corner = [self._place(n, w) for n, w in zip(high - low, (width, height), strict=True)]
        shift = np.array(corner) - low
        matrix = np.concatenate([turn, shift[:, None]], 1)
        return paste_cutout(behind, cutout, matrix, turned + shift, self._finish)

    def _place(self, length: float, limit: int) -> float:
        """Sample where the box starts along one axis."""
        if length < limit and self.rng.random() < self.paste.whole:
            return self.rng.uniform(0, limit - length)
        hidden = self.rng.uniform(0, 0.6) * length
        return -hidden if self.rng.random() < 0.5 else limit - length + hidden

    def _finish(self, placed: Cutout) -> Cutout:
        """Blur a spacecraft a little and add noise, as the camera did to the background."""
        rng, paste = self.rng, self.paste
        if rng.random() < paste.blur:
            placed = np.asarray(cv2.GaussianBlur(placed, (0, 0), rng.uniform(0.3, 0.9)), np.uint8)
        if rng.random() < paste.noise:
            grain = rng.standard_normal(placed.shape[:2], np.float32) * rng.uniform(0.5, 5)
            noisy = placed[..., :3] + grain[..., None] * (placed[..., 3:] / np.float32(255))
            placed = placed.copy()
            placed[..., :3] = np.clip(noisy, 0, placed[..., 3:])
        return placed


def tone(rng: np.random.Generator, image: Image) -> Image:
    """Return an image with another brightness, contrast, tint and saturation."""
    gamma, *gain, grey = background_colours(rng, 1)[0]
    table = np.clip(np.linspace(0, 1, 256)[:, None] ** gamma * gain * 255, 0, 255)
    coloured = cv2.LUT(image, table.astype(np.uint8).reshape(256, 1, 3))
    mix = ((1 - grey) * np.eye(3) + grey / 3).astype(np.float32)
    return np.asarray(cv2.transform(coloured, mix), np.uint8)


def hull(cutout: Cutout) -> npt.NDArray[np.float64] | None:
    """Return the convex hull of a spacecraft's pixels, (n, 2); None if there are none."""
    seen = cv2.findNonZero((cutout[..., 3] > SEEN).view(np.uint8))
    if seen is None:
        return None
    corners = cv2.convexHull(seen)[:, 0].astype(np.float64)
    ends = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float64)
    every: npt.NDArray[np.float64] = (corners[:, None] + ends).reshape(-1, 2)
    return every


def paste_cutout(
    behind: Image,
    cutout: Cutout,
    matrix: npt.NDArray[np.float64],
    outline: npt.NDArray[np.float64],
    finish: Callable[[Cutout], Cutout] | None = None,
) -> tuple[Image, Box | None]:
    """Paste a cut-out onto an image.

    Args:
        behind: The image; changed in place.
        cutout: The cut-out.
        matrix: From its pixels to those of the image, (2, 3), with pixel corners at whole numbers.
        outline: The hull of the cut-out on the image, (n, 2).
        finish: Applied to the cut-out at its final size, or None.

    Returns:
        The image, and the box around the part of the spacecraft inside it, or None.
    """
    height, width = behind.shape[:2]
    box = np.concatenate([outline.min(0), outline.max(0)])
    margin = 2
    x0, y0 = (max(0, math.floor(edge) - margin) for edge in box[:2])
    x1 = min(width, math.ceil(box[2]) + margin)
    y1 = min(height, math.ceil(box[3]) + margin)
    if x0 >= x1 or y0 >= y1:
        return behind, None
    local = matrix.copy()
    # OpenCV counts from the middle of pixels, not from their corners.
    local[:, 2] += matrix[:, :2] @ [0.5, 0.5] - [0.5, 0.5] - [x0, y0]
    warped = cv2.warpAffine(cutout, local, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    placed = np.asarray(warped, np.uint8)
    if finish is not None:
        placed = finish(placed)
    behind[y0:y1, x0:x1] = alpha_over(placed, behind[y0:y1, x0:x1])
    if box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height:
        return behind, box
    return behind, _visible(placed, box, (x0, y0), (width, height))


def _visible(
    placed: Cutout, box: Box, corner: tuple[int, int], limit: tuple[int, int]
) -> Box | None:
    """Return the box of the part inside the image; None if there is hardly any."""
    seen = placed[..., 3] > SEEN
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    if not len(columns):
        return None
    x, y = corner
    found = np.array([columns[0] + x, rows[0] + y, columns[-1] + 1 + x, rows[-1] + 1 + y], float)
    inside = np.clip(box, 0, np.array([*limit, *limit]))
    found[:2] = np.maximum(found[:2], inside[:2])
    found[2:] = np.minimum(found[2:], inside[2:])
    return found if (found[2:] - found[:2]).min() >= 1 else None


def free(box: Box, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Sample a part of a half-size photo left of, right of, above or below a box."""
    margin = 4
    x0, y0 = (max(0, math.floor(edge) - margin) for edge in box[:2])
    x1, y1 = (math.ceil(edge) + margin for edge in box[2:])
    rooms = [
        (0, 0, x0, LEVEL_HEIGHT),
        (x1, 0, LEVEL_WIDTH, LEVEL_HEIGHT),
        (0, 0, LEVEL_WIDTH, y0),
        (0, y1, LEVEL_WIDTH, LEVEL_HEIGHT),
    ]
    aspect = challenge.IMAGE_HEIGHT / challenge.IMAGE_WIDTH
    fitting = [r for r in rooms if min(r[2] - r[0], (r[3] - r[1]) / aspect) >= MIN_CROP_WIDTH]
    return fitting[rng.integers(len(fitting))] if fitting else (0, 0, 0, 0)
