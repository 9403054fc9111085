"""How spacecraft are pasted: cut-outs, places, damage, antennas and colours, drawn for many views.

Shares and ranges are those of `copy_paste` and `cutouts`. Arrays begin with the number of views.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from posebowl.training.colours import spacecraft_colours
from posebowl.training.copy_paste import MIN_SIDE, CopyPaste, hull
from posebowl.training.cutouts import (
    LEAST_OPAQUE,
    RODS,
    SEEN,
    proportions,
    rod_lengths,
    rod_widths,
)
from posebowl.training.dataset import WHOLE_SCALE
from posebowl.training.pool import CANVAS

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

SHADED: Final = 0.25
"""Share of pasted spacecraft that get darker towards one side, down to a fifth."""
_CORNERS: Final = 64
"""Directions in which the farthest point of a cut-out is known: a turned box is a thousandth of
its radius too small at most."""
_POINTS: Final = 64
"""Known points of a cut-out, to attach things to."""


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """What is known of the shapes of cut-outs, relative to the middles of their canvases."""

    outlines: Array
    """The farthest point in each direction, shape (n, 64, 2)."""
    points: Array
    """Some points of each, of the same shape."""


def find_shapes(cutouts: npt.NDArray[np.uint8], rng: np.random.Generator) -> Shapes:
    """Find the outlines of cut-outs, and choose some of their points."""
    shapes = [_shape(cutout, rng) for cutout in cutouts]
    outlines, points = (np.stack(part) for part in zip(*shapes, strict=True))
    return Shapes(outlines=outlines, points=points)


@dataclass(frozen=True, kw_only=True)
class Pasted:
    """The spacecraft of a batch of views."""

    box: Array
    """Around all of it, in pixels of the view, which it may leave."""
    whole: Truths
    """Whether nothing was cut off, so that the box is tight."""
    cutout: Numbers
    """The spacecraft and what is joined to it, (views, 2); -1 for nothing."""
    placed: Array
    """From the view to the cut-outs, (views, 2, 2, 3)."""
    behind: Truths
    """Whether what is joined is behind."""
    cut: Array
    """Of the first cut-out is kept where x * cut[0] + y * cut[1] < cut[2]; (views, 3)."""
    rods: Array
    """Antennas: ends in pixels of the view, width (0 for none), grey, opacity; (views, RODS, 7)."""
    coloured: Array
    """Three gains, share of grey, offset, noise; (views, 6)."""
    shade: Array
    """The light at (x, y) is x * shade[0] + y * shade[1] + shade[2], from 0.2 to 1; (views, 3)."""
    blurred: Array
    """Halvings beyond what the size needs, 0 to 1."""


class Paster:
    """Draws pasted spacecraft for views of one size."""

    def __init__(
        self,
        shapes: Shapes,
        size: tuple[int, int],
        paste: CopyPaste,
        rng: np.random.Generator,
    ) -> None:
        self.shapes, self.size, self.paste, self.rng = shapes, size, paste, rng

    def draw(self, stretch: Array, softness: Array, close: Truths) -> Pasted:
        """Draw a spacecraft for each view.

        Args:
            stretch: Pixels of the background, at half a photo's size, for one of the view.
            softness: Pixels of the view for one of the background, at least 1.
            close: Whether the spacecraft fills the view as in a second look.
        """
        rng, views = self.rng, len(close)
        side = self._sides(stretch, softness, close)
        cutout = rng.integers(0, len(self.shapes.outlines), (views, 2))
        outline, points = self.shapes.outlines[cutout], self.shapes.points[cutout]
        scale = side[:, None] / np.ptp(outline, axis=2).max(2)
        scale[:, 1] *= rng.uniform(0.3, 0.9, views)
        linear = _rotations(rng, scale)
        share = self.paste.augmentation.stretched
        linear = linear @ proportions(rng, 2 * views, share).reshape(linear.shape)
        joined = rng.random(views) < self.paste.augmentation.joined
        cut, kept = self._cuts(points[:, 0], side / scale[:, 0])
        chances = np.where(kept[:, None], rng.random((views, 1 + RODS, _POINTS)), -1)
        spots = chances.argmax(2)[..., None]
        anchors = np.einsum(
            "vij,vkj->vki", linear[:, 0], np.take_along_axis(points[:, 0], spots, 1)
        )
        middles = np.stack([np.zeros((views, 2)), anchors[:, 0]], 1)
        turned = np.einsum("vcij,vckj->vcki", linear, outline) + middles[:, :, None]
        turned[:, 1] = np.where(joined[:, None, None], turned[:, 1], turned[:, 0])
        rods = self._rods(anchors[:, 1:], side, softness)
        every = np.concatenate([turned.reshape(views, -1, 2), _ends(rods, turned[:, 0, 0])], 1)
        least, most = every.min(1), every.max(1)
        start = self._places(most - least)
        shift = start - least
        rods[..., :4] += np.tile(shift, 2)[:, None]
        placed = inverted(np.concatenate([linear, (middles + shift[:, None])[..., None]], 3))
        placed[..., 2] += CANVAS / 2
        return Pasted(
            box=np.concatenate([start, start + most - least], 1),
            whole=cut[:, 2] > 2 * CANVAS,
            cutout=np.where([True, False] | joined[:, None], cutout, -1),
            placed=placed,
            behind=rng.random(views) < 0.5,
            cut=cut,
            rods=rods,
            coloured=self._coloured(softness),
            shade=_shades(rng, start, most - least),
            blurred=rng.random(views) * (rng.random(views) < self.paste.blur),
        )

    def _sides(self, stretch: Array, softness: Array, close: Truths) -> Array:
        """Draw the longer sides of spacecraft before they are turned, in pixels of the view."""
        paste, wide = self.paste, self.size[1]
        smallest = np.minimum(paste.smallest * WHOLE_SCALE / (stretch * wide), paste.largest)
        low = np.log(np.where(close, 0.25, smallest))
        high = np.log(np.where(close, 1.0, paste.largest))
        sides: Array = np.exp(self.rng.uniform(low, high)) * wide
        return np.maximum(sides, MIN_SIDE * softness)

    def _places(self, length: Array) -> Array:
        """Draw where boxes start, mostly inside the view."""
        rng, limit = self.rng, np.array(self.size[::-1], np.float64)
        inside = (length < limit) & (rng.random(length.shape) < self.paste.whole)
        hidden = rng.uniform(0, 0.6, length.shape) * length
        outside = np.where(rng.random(length.shape) < 0.5, -hidden, limit - length + hidden)
        return np.where(inside, rng.random(length.shape) * (limit - length), outside)

    def _cuts(self, points: Array, long: Array) -> tuple[Array, Truths]:
        """Draw lines beyond which cut-outs are damaged, unless little would be left.

        Returns:
            The lines, (views, 3), and which points are left, (views, points).
        """
        rng, views = self.rng, len(points)
        angle = rng.uniform(0, 2 * np.pi, views)
        normal = np.stack([np.cos(angle), np.sin(angle)], 1)
        limit = rng.uniform(0.05, 0.35, views) * long
        left = np.einsum("vi,vki->vk", normal, points) < limit[:, None]
        damaged = rng.random(views) < self.paste.augmentation.damaged
        damaged &= left.mean(1) >= 0.4
        limit = np.where(damaged, limit + normal.sum(1) * CANVAS / 2, 4.0 * CANVAS)
        return np.concatenate([normal, limit[:, None]], 1), left | ~damaged[:, None]

    def _rods(self, starts: Array, side: Array, softness: Array) -> Array:
        """Draw antennas."""
        rng, views = self.rng, len(side)
        angle = rng.uniform(0, 2 * np.pi, (views, RODS, 1))
        length = rod_lengths(rng, (views, RODS, 1)) * side[:, None, None]
        ends = starts + length * np.concatenate([np.cos(angle), np.sin(angle)], 2)
        with_rods = rng.random((views, 1)) < self.paste.augmentation.antennas
        there = with_rods & (np.arange(RODS) < rng.integers(1, RODS + 1, (views, 1)))
        thick = side[:, None] * rod_widths(rng, (views, RODS))
        width = np.maximum(thick, 0.5 * softness[:, None]) * there
        grey, opacity = (
            rng.uniform(40, 230, (views, RODS)),
            rng.uniform(LEAST_OPAQUE, 1, (views, RODS)),
        )
        return np.concatenate([starts, ends, np.stack([width, grey, opacity], 2)], 2)

    def _coloured(self, softness: Array) -> Array:
        """Draw brightness, tint, saturation and noise of spacecraft."""
        rng, views = self.rng, len(softness)
        colours = spacecraft_colours(rng, rng.random(views) < self.paste.augmentation.dark)
        # Noise finer than an enlarged background's grain would give the spacecraft away.
        noisy = (rng.random(views) < self.paste.noise) & (softness < 1.3)
        noise = rng.uniform(0.5, 5, views) * noisy
        return np.concatenate([colours, noise[:, None]], 1)


def _shape(cutout: npt.NDArray[np.uint8], rng: np.random.Generator) -> tuple[Array, Array]:
    """Return a cut-out's outermost points and some of its points, relative to its middle."""
    seen = np.argwhere(cutout[..., 3] > SEEN)[:, ::-1]
    if not len(seen):
        seen = np.array([[CANVAS // 2, CANVAS // 2]])
    outline = hull(cutout)
    corners = np.asarray((seen if outline is None else outline) - CANVAS / 2, np.float64)
    angle = np.arange(_CORNERS) * (2 * np.pi / _CORNERS)
    farthest = (corners @ np.stack([np.cos(angle), np.sin(angle)])).argmax(0)
    points = np.asarray(seen[rng.integers(0, len(seen), _POINTS)] + 0.5 - CANVAS / 2, np.float64)
    return corners[farthest], points


def _ends(rods: Array, inside: Array) -> Array:
    """Return the corners around antennas' ends, (views, 4 * RODS, 2); a point inside for none."""
    half = rods[..., 4:5] / 2
    ends = np.concatenate([rods[..., :4] - half, rods[..., :4] + half], 2)
    ends = np.where(half > 0, ends, np.tile(inside, 4)[:, None])
    return ends.reshape(len(rods), -1, 2)


def _rotations(rng: np.random.Generator, scale: Array) -> Array:
    """Draw rotations, half of them mirrored, times a scale of any shape; shape (..., 2, 2)."""
    angle = rng.uniform(0, 2 * np.pi, scale.shape)
    mirror = np.where(rng.random(scale.shape) < 0.5, -1.0, 1.0)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    return np.stack([np.stack([cos * mirror, -sin], -1), np.stack([sin * mirror, cos], -1)], -2)


def _shades(rng: np.random.Generator, start: Array, extent: Array) -> Array:
    """Draw how spacecraft get darker from one end of their boxes to the other."""
    views = len(start)
    angle = rng.uniform(0, 2 * np.pi, views)
    direction = np.stack([np.cos(angle), np.sin(angle)], 1)
    slope = direction / np.maximum((np.abs(direction) * extent).sum(1), 1e-6)[:, None]
    slope *= rng.uniform(1, 3, (views, 1))
    middle = start + extent * rng.uniform(0.2, 0.8, (views, 1))
    level = 0.6 - (slope * middle).sum(1)
    shaded = rng.random(views) < SHADED
    return np.where(shaded[:, None], np.concatenate([slope, level[:, None]], 1), [0, 0, 1])


def inverted(matrix: Array) -> Array:
    """Return the inverses of affine matrices."""
    linear = np.linalg.inv(matrix[..., :2])
    shift = -np.einsum("...ij,...j->...i", linear, matrix[..., 2])
    return np.concatenate([linear, shift[..., None]], -1)
