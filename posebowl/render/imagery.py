"""Real imagery of the Earth, the Moon and planets, where packages that contain it were unpacked.

Maps are equirectangular, north up, from 180 W. Each is found by its file name, whatever folder it
lies in; docs/renderer.md lists the packages and their licences.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from posebowl.errors import UsageError
from posebowl.render.earth import RADIUS_KM, Picture
from posebowl.render.fractal_noise import Field, enlarge

Pixels = npt.NDArray[np.uint8]

KINDS: Final = {
    "day": ("bmng.jpg", "earth-blue-marble.jpg", "earth.jpg"),
    "night": ("earth-night.jpg", "night.jpg"),
    "clouds": ("clouds.png",),
    "heights": ("earth-topology.png",),
    "moon": ("moon_4k.jpg", "moon.png"),
    "planets": ("jupiter.png", "mars.png", "venus.png", "mercury.png", "saturn.png"),
    "shores": ("gshhs_f.dat", "gshhs_h.dat", "gshhs_i.dat"),
    "rivers": ("rivers_f.dat", "rivers_h.dat", "rivers_i.dat"),
}
"""File names by what they show, the finest first."""
FINEST_KM: Final = (0.6, 2.0)
"""Kilometres in a pixel up to which the first and the second file of outlines are used."""


@dataclass(frozen=True, kw_only=True)
class Imagery:
    """The files of a folder of imagery, by what they show; any may be missing but those of day."""

    day: tuple[Path, ...]
    night: tuple[Path, ...] = ()
    clouds: tuple[Path, ...] = ()
    heights: tuple[Path, ...] = ()
    moon: tuple[Path, ...] = ()
    planets: tuple[Path, ...] = ()
    shores: tuple[Path, ...] = ()
    rivers: tuple[Path, ...] = ()
    longitudes: tuple[float, float] | None = None
    """Degrees eastwards between which pictures lie; None for all round the globe."""

    def files(self) -> tuple[Path, ...]:
        """Return all files, by what they show."""
        return tuple(file for kind in KINDS for file in getattr(self, kind))


@cache
def find_imagery(folder: Path) -> Imagery:
    """Return the imagery in a folder and its subfolders.

    Raises:
        UsageError: There is no picture of the Earth by day.
    """
    known = {name for names in KINDS.values() for name in names}
    there = {path.name: path for path in sorted(folder.rglob("*")) if path.name in known}
    found: dict[str, Any] = {
        kind: [there[name] for name in names if name in there] for kind, names in KINDS.items()
    }
    if not found["day"]:
        raise UsageError(
            f"{folder} has no imagery of the Earth.",
            why=f"None of its files is named {' or '.join(KINDS['day'])}.",
            fix="Unpack the packages that docs/renderer.md lists into it.",
        )
    return Imagery(**{kind: tuple(files) for kind, files in found.items()})


@lru_cache(maxsize=24)
def read_map(path: Path, halvings: int = 0) -> Pixels:
    """Read a map, reduced by half some times, shape (h, w, 3); of clouds, how opaque they are.

    Raises:
        UsageError: It cannot be read.
    """
    if halvings:
        larger = Image.fromarray(read_map(path, halvings - 1))
        return np.asarray(larger.reduce(2))
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(path) as image:
            if path.name in KINDS["clouds"]:
                opaque = np.asarray(image.convert("RGBA").getchannel("A"))
                return np.repeat(opaque[..., None], 3, axis=2)
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}.", why=str(error), fix="Unpack its package again."
        ) from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@lru_cache(maxsize=4)
def land_and_sea(path: Path) -> tuple[Pixels, Pixels]:
    """Read a day map as two: the land continued into the sea, and the sea into the land.

    With these, a shore that is known better than the map shows it has neither fringe.
    """
    pixels, small = read_map(path), read_map(path, 1)
    return _continued(pixels, small, sea=False), _continued(pixels, small, sea=True)


def _wet(pixels: Pixels) -> npt.NDArray[np.bool_]:
    red, green, blue = (pixels[..., k].astype(np.int16) for k in range(3))
    return (blue > red + 12) & (blue >= green - 2) & (red < 70)


def _continued(pixels: Pixels, small: Pixels, *, sea: bool) -> Pixels:
    """Fill the land or the sea of a map with a smooth mean of what is nearest on the other side."""
    known = (_wet(small) == sea).astype(np.float32)[..., None]
    levels = [np.concatenate((small * known, known), axis=2)]
    while min(levels[-1].shape[:2]) > 16:
        last = levels[-1]
        height, width = (side // 2 for side in last.shape[:2])
        blocks = last[: height * 2, : width * 2].reshape(height, 2, width, 2, 4)
        levels.append(blocks.mean(axis=(1, 3)))
    filled = np.tile(
        levels[-1][..., :3].sum((0, 1)) / max(levels[-1][..., 3].sum(), 1e-3), (1, 1, 1)
    )
    for level in reversed(levels):
        share = np.minimum(level[..., 3:] * 2, 1)
        wide = enlarge(filled, (level.shape[1], level.shape[0]))
        filled = wide + share * (level[..., :3] / np.maximum(level[..., 3:], 1e-3) - wide)
    whole = np.clip(enlarge(filled, (pixels.shape[1], pixels.shape[0])), 0, 255).astype(np.uint8)
    return np.where((_wet(pixels) == sea)[..., None], pixels, whole)


def outlines_for(files: tuple[Path, ...], texel: float) -> Path:
    """Return the coarsest file of shores or rivers that is fine enough for a picture."""
    finer = sum(texel > km for km in FINEST_KM)
    return files[min(finer, len(files) - 1)]


def map_km(path: Path) -> float:
    """Return the kilometres that a pixel of a map covers at the equator."""
    with Image.open(path) as image:
        return 2 * np.pi * RADIUS_KM / image.width


def sample(pixels: Pixels, longitude: Field, latitude: Field) -> Picture:
    """Read a map at places in degrees, bilinear, 0 to 1, shape (..., 3)."""
    rows, columns = pixels.shape[:2]
    x = ((longitude + 180) / 360 * columns - 0.5).astype(np.float32)
    y = np.clip((90 - latitude) / 180 * rows - 0.5, 0, rows - 1.001).astype(np.float32)
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    i0, j0 = x0.astype(np.int32) % columns, y0.astype(np.int32)
    i1, j1 = (i0 + 1) % columns, np.minimum(j0 + 1, rows - 1)
    flat = pixels.reshape(-1, 3)
    near = flat[j0 * columns + i0] * (1 - fx) + flat[j0 * columns + i1] * fx
    far = flat[j1 * columns + i0] * (1 - fx) + flat[j1 * columns + i1] * fx
    return np.asarray((near * (1 - fy) + far * fy) / np.float32(255), dtype=np.float32)
