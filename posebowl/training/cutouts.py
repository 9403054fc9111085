"""Cut-outs of spacecraft and their augmentation: damage, joins, antennas, colour.

No two pasted spacecraft should be alike, and few should resemble the rendered families: the network
must learn what spacecraft have in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from posebowl import challenge
from posebowl.errors import BadDataError
from posebowl.training.colours import spacecraft_colours

Cutout = npt.NDArray[np.uint8]
"""Shape (height, width, 4): red, green, blue, multiplied by alpha, and alpha."""

_RENDER: Final = "Make some: invoke data.render --only cutouts --out DIR"
LARGEST_SIDE: Final = 400
"""Cut-outs are reduced to this, in pixels: larger than any box on a training view."""
SMALLEST_SIDE: Final = 8
SEEN: Final = 26
"""Alpha, of 255, from which a pixel counts as part of the spacecraft: about a tenth."""
RODS: Final = 3
"""Antennas that are added to a spacecraft, at most."""
ROD_LENGTHS: Final = (0.2, 1.4)
"""Shortest and longest, as shares of the longer side: a probe's boom is longer than its body."""
ROD_WIDTHS: Final = (0.005, 0.04)
"""Thinnest and thickest, likewise: whip antennas are wires, the masts of GOES and ORBCOMM beams."""
LEAST_OPAQUE: Final = 0.35
"""Least opacity of an antenna: in photos, booms thinner than a pixel are as faint."""
MOST_STRETCHED: Final = 1.8
"""How much the ratio of two directions changes at most; the area stays the same."""


@dataclass(frozen=True, kw_only=True)
class CutoutAugmentation:
    """Probabilities of the augmentations of cut-outs."""

    joined: float = 0.25
    """Share to which parts of another are attached."""
    damaged: float = 0.15
    antennas: float = 0.30
    stretched: float = 0.5
    """Share with other proportions."""
    dark: float = 0.10
    """Share in deep shadow."""


def read_cutouts(folder: Path) -> list[tuple[Cutout, ...]]:
    """Read the cut-outs of a folder as image pyramids, largest level first.

    Raises:
        BadDataError: There are none, or one has no transparency.
    """
    found = sorted((folder / challenge.IMAGES_DIR).glob("*.png"))
    if not found:
        why = f"Found no PNG in {folder / challenge.IMAGES_DIR}."
        raise BadDataError(f"{folder} has no cut-outs.", why=why, fix=_RENDER)
    return [pyramid(premultiply(read_straight(path))) for path in found]


def read_straight(path: Path) -> npt.NDArray[np.uint8]:
    """Read a cut-out, red, green, blue and alpha, colours not multiplied by it.

    Raises:
        BadDataError: It has no transparency, or cannot be read.
    """
    straight = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if straight is None or straight.ndim != 3 or straight.shape[2] != 4:
        why = "A cut-out must be transparent around the spacecraft."
        raise BadDataError(f"{path} is not an RGBA image.", why=why, fix=_RENDER)
    return np.asarray(cv2.cvtColor(straight, cv2.COLOR_BGRA2RGBA), np.uint8)


def premultiply(straight: npt.NDArray[np.uint8]) -> Cutout:
    """Multiply colour by alpha, so that pixels can be mixed without fringes."""
    alpha = straight[..., 3:].astype(np.uint16)
    cutout = straight.copy()
    cutout[..., :3] = (straight[..., :3] * alpha + 127) // 255
    return cutout


def pyramid(cutout: Cutout) -> tuple[Cutout, ...]:
    """Reduce a cut-out to LARGEST_SIDE, then repeatedly by half."""
    levels = [shrink(cutout, LARGEST_SIDE / max(cutout.shape[:2]))]
    while max(levels[-1].shape[:2]) > 2 * SMALLEST_SIDE:
        levels.append(shrink(levels[-1], 0.5))
    return tuple(levels)


def shrink(cutout: Cutout, scale: float) -> Cutout:
    """Reduce a cut-out; return it unchanged for a scale of 1 or more."""
    if scale >= 1:
        return cutout
    height, width = cutout.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(cutout, size, interpolation=cv2.INTER_AREA), np.uint8)


def level_for(levels: tuple[Cutout, ...], side: float) -> Cutout:
    """Choose the smallest reduction whose longer side is still at least `side`."""
    large = [level for level in levels if max(level.shape[:2]) >= side]
    return large[-1] if large else levels[0]


def augment_cutout(
    rng: np.random.Generator, cutout: Cutout, other: Cutout | None, augmentation: CutoutAugmentation
) -> Cutout:
    """Return a cut-out with another shape and colour.

    Args:
        rng: Source of randomness.
        cutout: The cut-out; not changed.
        other: A cut-out of about the same size, to attach; None for no attachment.
        augmentation: The probability of each change.
    """
    if rng.random() < augmentation.damaged:
        cutout = damage(rng, cutout)
    if other is not None and rng.random() < augmentation.joined:
        cutout = join(rng, cutout, other)
    if rng.random() < augmentation.antennas:
        cutout = add_antennas(rng, cutout)
    return recolour(rng, cutout, dark=rng.random() < augmentation.dark)


def damage(rng: np.random.Generator, cutout: Cutout) -> Cutout:
    """Remove what lies beyond a random line, unless little would be left."""
    height, width = cutout.shape[:2]
    angle = rng.uniform(0, 2 * math.pi)
    across = np.cos(angle) * (np.arange(width) - width / 2)
    down = np.sin(angle) * (np.arange(height) - height / 2)
    limit = rng.uniform(0.05, 0.35) * max(height, width)
    kept = across[None] + down[:, None] < limit
    if cutout[..., 3][kept].sum(dtype=np.int64) < 0.4 * cutout[..., 3].sum(dtype=np.int64):
        return cutout
    return np.asarray(cutout * kept[..., None], np.uint8)


def join(rng: np.random.Generator, cutout: Cutout, other: Cutout) -> Cutout:
    """Attach another cut-out to a random point of this one, behind or in front of it."""
    scale = rng.uniform(0.3, 0.9)
    angle = rng.uniform(0, 360)
    height, width = other.shape[:2]
    reach = math.ceil(math.hypot(height, width) * scale / 2) + 1
    padded = cv2.copyMakeBorder(cutout, *(reach,) * 4, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    x, y = _point(rng, padded)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    turn[:, 2] += (x - width / 2, y - height / 2)
    size = (padded.shape[1], padded.shape[0])
    placed = np.asarray(cv2.warpAffine(other, turn, size, flags=cv2.INTER_LINEAR), np.uint8)
    both = (placed, padded) if rng.random() < 0.5 else (padded, placed)
    return alpha_over(*both)


def alpha_over(front: Cutout, back: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a cut-out alpha-composited over an image of the same size, with or without alpha."""
    channels = back.shape[2]
    through = 255 - front[..., 3:].astype(np.uint16)
    mixed = front[..., :channels] + (back * through + 127) // 255
    return np.minimum(mixed, 255).astype(np.uint8)


def add_antennas(rng: np.random.Generator, cutout: Cutout) -> Cutout:
    """Add up to three antennas or masts to a cut-out, some longer than it, or hardly visible."""
    height, width = cutout.shape[:2]
    side, count = max(height, width), int(rng.integers(1, RODS + 1))
    starts = np.array([_point(rng, cutout) for _ in range(count)])
    angle = rng.uniform(0, 2 * math.pi, count)
    reach = rod_lengths(rng, count) * side * [np.cos(angle), np.sin(angle)]
    ends = np.round(starts + reach.T).astype(int)
    thick = np.maximum(1, np.round(side * rod_widths(rng, count))).astype(int)
    left, top = np.maximum(0, -ends.min(0)) + thick.max()
    right, bottom = np.maximum(0, ends.max(0) - [width, height]) + thick.max()
    border = (top, bottom, left, right)
    padded = cv2.copyMakeBorder(cutout, *border, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    rods, shift = np.zeros_like(padded), np.array([left, top])
    for start, end, wide in zip(starts + shift, ends + shift, thick.tolist(), strict=True):
        alpha = rng.uniform(LEAST_OPAQUE, 1) * 255
        grey = rng.uniform(0.15, 0.9) * alpha
        colour = (grey, grey, grey, alpha)
        cv2.line(rods, start.tolist(), end.tolist(), colour, wide, cv2.LINE_AA)
    return alpha_over(padded, rods)


def rod_lengths(rng: np.random.Generator, shape: int | tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Draw the lengths of antennas, as shares of a spacecraft's longer side."""
    return _in_logarithm(rng, ROD_LENGTHS, shape)


def rod_widths(rng: np.random.Generator, shape: int | tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Draw the widths of antennas and masts, likewise."""
    return _in_logarithm(rng, ROD_WIDTHS, shape)


def _in_logarithm(
    rng: np.random.Generator, between: tuple[float, float], shape: int | tuple[int, ...]
) -> npt.NDArray[np.float64]:
    least, most = np.log(between)
    drawn: npt.NDArray[np.float64] = np.exp(rng.uniform(least, most, shape))
    return drawn


def recolour(rng: np.random.Generator, cutout: Cutout, *, dark: bool) -> Cutout:
    """Vary brightness, contrast, tint and saturation."""
    *gain, grey, lift = spacecraft_colours(rng, np.array([dark]))[0]
    mix = np.zeros((4, 4))
    mix[:3, :3] = np.array(gain)[:, None] * ((1 - grey) * np.eye(3) + grey / 3)
    mix[:3, 3] = lift / 255  # in proportion to alpha: where there is nothing, nothing is added
    mix[3, 3] = 1
    coloured = np.asarray(cv2.transform(cutout, mix.astype(np.float32)), np.uint8)
    np.minimum(coloured[..., :3], coloured[..., 3:], out=coloured[..., :3])
    return coloured


def proportions(rng: np.random.Generator, count: int, share: float) -> npt.NDArray[np.float64]:
    """Draw changes of proportions, (count, 2, 2): longer along a random direction, or none."""
    angle = rng.uniform(0, math.pi, count)
    factor = np.exp(rng.uniform(0, math.log(MOST_STRETCHED), count) / 2)
    factor = np.where(rng.random(count) < share, factor, 1.0)[:, None, None]
    along = np.stack([np.cos(angle), np.sin(angle)], -1)
    projection = along[:, :, None] * along[:, None]
    every: npt.NDArray[np.float64] = projection * factor + (np.eye(2) - projection) / factor
    return every


def _point(rng: np.random.Generator, cutout: Cutout) -> tuple[int, int]:
    """Sample a point of the spacecraft: x, y."""
    seen = np.flatnonzero(cutout[..., 3] > SEEN)
    if not len(seen):
        return cutout.shape[1] // 2, cutout.shape[0] // 2
    y, x = divmod(int(rng.choice(seen)), cutout.shape[1])
    return x, y
