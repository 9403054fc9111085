"""A folder of small imagery, as the packages' is laid out, with one island of known place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

ISLAND = (20.0, 10.0, 40.0, 25.0)
"""West, south, east, north of the only land, in degrees."""
LAKE = (28.0, 15.0, 32.0, 19.0)
LAND, SEA, LIGHT = (120, 150, 60), (5, 20, 70), (250, 220, 150)


def rectangle(west, south, east, north):
    return np.array(
        ((west, south), (east, south), (east, north), (west, north), (west, south)), "<f4"
    )


def outlines(folder: Path, name: str, pieces) -> Path:
    """Write outlines, (level, points) each, and the table beside them."""
    path, offset, lines = folder / f"{name}_i.dat", 0, []
    for number, (level, points) in enumerate(pieces):
        south, north = points[:, 1].min(), points[:, 1].max()
        size = points.nbytes
        lines.append(f"{level} 1.0 {len(points)} {south} {north} {offset} {size} {number}")
        offset += size
    path.write_bytes(b"".join(points.tobytes() for _, points in pieces))
    path.with_name(f"{name}meta_i.dat").write_text("\n".join(lines) + "\n")
    return path


def painted(size, ground, mark, colour):
    """Return a world map of one colour, with a rectangle in degrees of another."""
    pixels = np.full((size[1], size[0], 3), ground, np.uint8)
    west, south, east, north = mark
    x0, x1 = (int((edge + 180) / 360 * size[0]) for edge in (west, east))
    y0, y1 = (int((90 - edge) / 180 * size[1]) for edge in (north, south))
    pixels[y0:y1, x0:x1] = colour
    return Image.fromarray(pixels)


def write_imagery(folder: Path) -> Path:
    """Write every kind of map that the renderer knows, into several folders."""
    for name in ("day", "night", "sky"):
        (folder / name).mkdir(parents=True)
    day = painted((720, 360), SEA, ISLAND, LAND)
    day.save(folder / "day" / "bmng.jpg", quality=98, subsampling=0)
    lights = painted((720, 360), (0, 2, 6), (25, 12, 35, 20), LIGHT)
    lights.save(folder / "night" / "earth-night.jpg", quality=98, subsampling=0)
    clouds = np.zeros((90, 180, 4), np.uint8)
    clouds[30:60, :, 3] = 255
    Image.fromarray(clouds).save(folder / "sky" / "clouds.png")
    heights = painted((180, 90), (0, 0, 0), ISLAND, (90, 90, 90)).convert("L")
    heights.save(folder / "day" / "earth-topology.png")
    for name, colour in (("moon_4k.jpg", (150, 150, 150)), ("mars.png", (180, 90, 40))):
        painted((180, 90), colour, (0, 0, 60, 60), (60, 60, 60)).save(folder / "sky" / name)
    outlines(folder / "day", "gshhs", [(1, rectangle(*ISLAND)), (2, rectangle(*LAKE))])
    outlines(folder / "day", "rivers", [(-1, np.array(((21, 24), (21, 11)), "<f4"))])
    return folder
