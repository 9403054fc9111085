"""Where a spacecraft is in the frame: attitude, size and position, as in the real labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render.mesh import Array
from posebowl.render.parts import Rng

FRAME: Final = np.array((IMAGE_WIDTH, IMAGE_HEIGHT))
WIDTHS: Final = {
    0.0: 14.0,
    0.05: 25.0,
    0.068: 30.0,
    0.25: 59.0,
    0.5: 112.0,
    0.75: 236.0,
    0.81: 300.0,
    0.95: 719.0,
    1.0: 1250.0,
}
"""Quantiles of the width of a box in the real labels, in pixels: share -> width."""
ELONGATIONS: Final = {0.0: 1.0, 0.5: 1.6, 0.75: 3.2, 0.9: 9.0, 1.0: 15.0}
"""Quantiles of longer by shorter side to choose attitudes for; many spacecraft reach less."""
ATTITUDES: Final = 150
"""Number of random attitudes from which the best is chosen."""
CROPPED: Final = 0.7
"""Share that the frame crops, of those that it would crop with centres anywhere in it."""
MAX_HIDDEN: Final = 0.6
"""Share of a side that the frame may hide."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A spacecraft placed in front of the camera.

    Attributes:
        rotation: From the spacecraft's frame to the camera's, shape (3, 3).
        centre: Of the spacecraft, in its own frame, shape (3,).
        radius: Of the sphere about the centre that holds it.
        distance: From the camera to the centre.
        focal: Focal length in pixels.
        principal: Where the optical axis meets the photo, in pixels (x, y).
        box: Of the projected vertices, in pixels (left, top, right, bottom), not clipped.
    """

    rotation: Array
    centre: Array
    radius: float
    distance: float
    focal: float
    principal: tuple[float, float]
    box: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class _View:
    """A spacecraft projected at focal length 1, before it is placed in the frame."""

    rotation: Array
    centre: Array
    radius: float
    distance: float
    low: Array
    high: Array

    @classmethod
    def of(cls, rng: Rng, points: Array, rotation: Array) -> _View:
        """Return the view of points at an attitude, from a sampled distance."""
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        radius = float(np.linalg.norm(points - centre, axis=1).max())
        distance = radius * float(rng.uniform(2.0, 12.0))
        seen = (points - centre) @ rotation.T - (0, 0, distance)
        plane = seen[:, :2] / -seen[:, 2:]
        return cls(
            rotation=rotation,
            centre=centre,
            radius=radius,
            distance=distance,
            low=plane.min(axis=0),
            high=plane.max(axis=0),
        )

    def placed(self, focal: float, corner: Array) -> Pose:
        """Return the pose whose box has this top left corner, in pixels."""
        size = focal * (self.high - self.low)
        left, top, right, bottom = (float(value) for value in (*corner, *(corner + size)))
        return Pose(
            rotation=self.rotation,
            centre=self.centre,
            radius=self.radius,
            distance=self.distance,
            focal=focal,
            principal=(left - focal * float(self.low[0]), top + focal * float(self.high[1])),
            box=(left, top, right, bottom),
        )


def sample_pose(rng: Rng, points: Array, *, side: float | None = None) -> Pose:
    """Sample a pose whose box is sized, shaped and placed as in the real labels.

    Args:
        rng: Source of randomness.
        points: All vertices, shape (n, 3).
        side: The longer side of the box in pixels, for a spacecraft that is not cropped; by
            default sampled.
    """
    view = _View.of(rng, points, _elongated_rotation(rng, points))
    size = view.high - view.low
    if side is not None:
        return _whole(rng, view, side / float(size.max()))
    width = _quantile(rng, WIDTHS)
    # The probability that the frame cuts a spacecraft whose centre is anywhere in it.
    near = 1 - np.prod(1 - np.minimum(width * np.array((1, size[1] / size[0])) / FRAME, 1))
    if rng.random() > CROPPED * near:
        return _whole(rng, view, width / float(size[0]))
    hidden = rng.uniform(0, MAX_HIDDEN, 2) * ((1, 0), (0, 1), (1, 1))[int(rng.integers(3))]
    focal = width / float(size[0] * (1 - hidden[0]))
    size = focal * size
    inside = rng.uniform(0, 1, 2) * np.maximum(FRAME - size - 2, 0) + 1
    border = np.where(rng.random(2) < 0.5, -hidden * size, FRAME - size + hidden * size)
    return view.placed(focal, np.where(hidden > 0, border, inside))


def _whole(rng: Rng, view: _View, focal: float) -> Pose:
    """Return a pose with the box inside the frame, reduced until it fits."""
    size = view.high - view.low
    focal *= min(1.0, float((0.985 * FRAME / (focal * size)).min()))
    corner = rng.uniform(0, 1, 2) * np.maximum(FRAME - focal * size - 2, 0) + 1
    return view.placed(focal, corner)


def _quantile(rng: Rng, table: dict[float, float]) -> float:
    """Sample a positive quantity, log-linearly between its quantiles."""
    return float(np.exp(np.interp(rng.random(), list(table), np.log(list(table.values())))))


def sample_plain_pose(rng: Rng, points: Array) -> Pose:
    """Sample a pose as in the demo set: any attitude, few cropped by the frame."""
    view = _View.of(rng, points, random_rotations(rng, 1)[0])
    size = view.high - view.low
    drawn = float(np.clip(rng.lognormal(np.log(130.0), 0.8), 14.0, 1500.0))
    focal = drawn / float(size.max())
    focal *= min(1.0, float((0.985 * FRAME / (focal * size)).min()))
    size = focal * size
    corner = rng.uniform(0, 1, 2) * np.maximum(FRAME - size - 2, 0) + 1
    if rng.random() < 0.03:
        axis = int(rng.integers(2))
        hidden = rng.uniform(0.05, 0.5) * size[axis]
        corner[axis] = -hidden if rng.random() < 0.5 else FRAME[axis] - size[axis] + hidden
    return view.placed(focal, corner)


def _elongated_rotation(rng: Rng, points: Array) -> Array:
    """Return the random attitude whose box is closest to a sampled elongation."""
    some = points[:: 1 + len(points) // 250]
    rotations = random_rotations(rng, ATTITUDES)
    width, height = np.ptp(some @ rotations[:, :2].transpose(0, 2, 1), axis=1).T
    wanted = np.log(_quantile(rng, ELONGATIONS))
    chosen = np.abs(np.abs(np.log(width / height)) - wanted).argmin()
    return np.asarray(rotations[chosen])


def random_rotations(rng: Rng, count: int) -> Array:
    """Sample rotations, shape (count, 3, 3), uniform over all attitudes.

    By QR decomposition of Gaussian matrices.
    """
    q, r = np.linalg.qr(rng.normal(size=(count, 3, 3)))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    q[np.linalg.det(q) < 0, :, 0] *= -1
    return np.asarray(q)
