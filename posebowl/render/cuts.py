"""Backgrounds cut straight from imagery: part of a map, seen at an angle, under light and cloud.

The painter of `backgrounds.py` takes half a second for a scene, a cut a fifth of that: there can be
thousands. They have half the size of a photo, at which training reads backgrounds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render import distractors, fractal_noise, lookalikes, sensor
from posebowl.render.earth import Picture
from posebowl.render.fractal_noise import Field
from posebowl.render.imagery import Imagery, Pixels, read_map
from posebowl.render.parts import Rng

SIZE: Final = (IMAGE_WIDTH // 2, IMAGE_HEIGHT // 2)
SPANS: Final = (0.006, 0.25)
"""Limits of a cut's width, as a share of the map's, evenly in the logarithm."""
PLAIN: Final = 0.025
"""Deviation of light under which a cut shows nothing, and another is taken instead."""
CLOUDY: Final = 0.5
LIMBS: Final = 0.22
MIXED: Final = 0.08
"""Share of cuts that are a mixture of two."""


def paint_cut(rng: Rng, maps: Imagery) -> tuple[Picture, str]:
    """Return a background, 0 to about 1, shape (h, w, 3), and the name of its kind."""
    name = str(rng.choice(list(CUTS), p=list(CUTS.values())))
    light = _PAINTERS[name](rng, maps)
    if rng.random() < MIXED:
        light = np.maximum(light, _day(rng, maps) * np.float32(rng.uniform(0.2, 0.8)))
    if rng.random() < LIMBS:
        _add_limb(rng, light, air=name in {"day", "relief"})
    lookalikes.add_lookalikes(rng, light, maps)
    return _with_distractors(rng, light), f"cut-{name}"


def _with_distractors(rng: Rng, light: Picture) -> Picture:
    """Add distractors to some, at the size of a photo, since theirs are in its pixels."""
    names = distractors.draw(rng)
    if not names:
        return light
    height, width = light.shape[:2]
    photo = light.repeat(2, axis=0).repeat(2, axis=1)
    distractors.add(rng, photo, names)
    halved: Picture = photo.reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    return halved


def capture(rng: Rng, light: Picture) -> Pixels:
    """Return the eight-bit picture of a background's light."""
    camera = sensor.sample_sensor(rng, compact=True)
    return sensor.to_uint8(sensor.tone(light, camera))


def piece(rng: Rng, path: Path, maps: Imagery) -> Picture:
    """Cut a quadrilateral from a map, turned at random; one that is not plain, if there is any."""
    pixels = _within(read_map(path), maps.longitudes)
    for _ in range(4):
        found = _quad(rng, pixels)
        if float(found[::8, ::8].std(axis=(0, 1)).max()) > PLAIN:
            break
    return found


def _within(pixels: Pixels, longitudes: tuple[float, float] | None) -> Pixels:
    """Return the part of a map between two longitudes, eastwards from the first."""
    if longitudes is None:
        return pixels
    columns = pixels.shape[1]
    first, last = (round((east + 180) / 360 * columns) for east in longitudes)
    if first < last:
        return pixels[:, first:last]
    return np.concatenate((pixels[:, first:], pixels[:, :last]), axis=1)


def _quad(rng: Rng, pixels: Pixels) -> Picture:
    rows, columns = pixels.shape[:2]
    # Of the whole globe's width: a part of the map has the same scale.
    span = float(np.exp(rng.uniform(*np.log(SPANS)))) * 2 * rows
    half = span / 2 * np.array((1, SIZE[1] / SIZE[0]))
    corners = np.array(((-1, -1), (-1, 1), (1, 1), (1, -1))) * half
    corners *= 1 + rng.uniform(-0.4, 0.25, (4, 1)) * rng.random()
    turn = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    corners = corners @ np.array(((c, s), (-s, c)))
    reach = np.abs(corners).max(axis=0)
    limit = np.array((columns, rows * 0.92))
    room = np.maximum(limit / 2 - reach, 0)
    middle = np.array((columns, rows)) / 2 + rng.uniform(-1, 1, 2) * room
    around = np.array((columns, rows)) / 2
    corners = np.clip(middle + corners, around - limit / 2, around + limit / 2)
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 2, 0)
    high = np.ceil(corners.max(axis=0)).astype(int) + 3
    part = Image.fromarray(np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]]))
    ends = tuple(float(v) for v in (corners - low).reshape(-1))
    seen = part.transform(SIZE, Image.Transform.QUAD, ends, Image.Resampling.BICUBIC)
    return np.asarray(seen, dtype=np.float32) / np.float32(255)


def _noise(rng: Rng, exponent: float, zoom: tuple[float, float]) -> Field:
    tile = fractal_noise.field(exponent, int(rng.integers(3)))
    return fractal_noise.cut(tile, rng, SIZE, float(np.exp(rng.uniform(*np.log(zoom)))))


def _day(rng: Rng, maps: Imagery) -> Picture:
    """Cut ground or sea by day, with other colours, finer detail, shade and clouds."""
    light = piece(rng, maps.day[int(rng.integers(len(maps.day)))], maps)
    grey = light.mean(axis=2, keepdims=True)
    light = grey + (light - grey) * np.float32(rng.uniform(0.2, 1.5))
    light = np.clip(light, 0, 1) ** np.float32(rng.uniform(0.6, 1.4)) * np.float32(
        np.exp(rng.normal(0.25, 0.35))
    )
    if rng.random() < 0.7:
        light *= np.clip(1 + _noise(rng, 1.2, (1, 3)) * rng.uniform(0, 0.25), 0.3, 2)[..., None]
    light *= _shade(rng)[..., None]
    if rng.random() < CLOUDY:
        _add_clouds(rng, light, maps)
    return np.asarray(light, dtype=np.float32)


def _relief(rng: Rng, maps: Imagery) -> Picture:
    """Cut a map of heights, lit from one side, in a colour of its own."""
    if not maps.heights:
        return _rough(rng, maps)
    heights = piece(rng, maps.heights[0], maps)[..., 0]
    slope = np.roll(heights, int(rng.choice((-3, 3))), axis=int(rng.integers(2))) - heights
    level = rng.uniform(0.1, 0.7) + heights * rng.uniform(-0.5, 0.8) + slope * rng.uniform(2, 12)
    tint = np.array((1, rng.uniform(0.6, 1), rng.uniform(0.4, 1.1)))
    light = np.clip(level, 0, 1.2)[..., None] * tint * _shade(rng)[..., None]
    return np.asarray(light, dtype=np.float32)


def _rough(rng: Rng, _maps: Imagery) -> Picture:
    """Cut noise in two colours: what no map shows."""
    level = np.clip(0.5 + _noise(rng, rng.choice((0.9, 1.4, 1.9)), (1, 6)) * 0.3, 0, 1)[..., None]
    ends = rng.uniform(0, 0.9, (2, 1)) + rng.normal(0, 0.08, (2, 3))
    light = (ends[0] * level + ends[1] * (1 - level)) * _shade(rng)[..., None]
    return np.asarray(np.maximum(light, 0), dtype=np.float32)


def _night(rng: Rng, maps: Imagery) -> Picture:
    """Cut city lights, sometimes with a little moonlight on the ground."""
    if not maps.night:
        return np.zeros((*SIZE[::-1], 3), dtype=np.float32)
    light = piece(rng, maps.night[0], maps)
    light = np.clip(light - np.float32(rng.uniform(0, 0.15)), 0, 1) * np.float32(
        rng.uniform(0.6, 3)
    )
    if rng.random() < 0.4:
        light += piece(rng, maps.day[0], maps) * np.float32(rng.uniform(0.02, 0.2))
    if rng.random() < 0.3:
        _add_clouds(rng, light, maps, brightness=rng.uniform(0.03, 0.25))
    return np.asarray(light, dtype=np.float32)


def _ball(paths: tuple[Path, ...], rng: Rng, maps: Imagery) -> Picture:
    if not paths:
        return _rough(rng, maps)
    light = piece(rng, paths[int(rng.integers(len(paths)))], maps)
    light = np.clip(light * np.float32(rng.uniform(0.6, 1.8)), 0, 1.3)
    return np.asarray(light * _shade(rng)[..., None], dtype=np.float32)


def _shade(rng: Rng) -> Field:
    """Return sunlight that falls off across the picture, for some pictures into the night."""
    turn = rng.uniform(0, 2 * np.pi)
    x = np.linspace(-1, 1, SIZE[0]) * np.cos(turn)
    y = np.linspace(-1, 1, SIZE[1])[:, None] * np.sin(turn)
    dusk = rng.random() < 0.18
    steep = rng.uniform(0.4, 2.5) if dusk else rng.uniform(0, 0.5)
    middle = rng.uniform(-0.3, 0.5) if dusk else rng.uniform(0.5, 1.2)
    return np.asarray(np.clip(middle + (x + y) * steep, 0, 1.3), dtype=np.float32)


def _add_clouds(rng: Rng, light: Picture, maps: Imagery, brightness: float = 1.0) -> None:
    """Add clouds, true or of noise, in place."""
    if maps.clouds and rng.random() < 0.6:
        cover = piece(rng, maps.clouds[0], maps)[..., 0] * 1.6 - rng.uniform(0, 0.6)
    else:
        cover = (_noise(rng, 1.6, (1, 5)) + rng.uniform(-1.2, 0.6)) * rng.uniform(0.4, 1.6)
    cover = np.clip(cover, 0, 1)[..., None]
    white = brightness * rng.uniform(0.7, 1.1) * _shade(rng)[..., None]
    light *= 1 - cover
    light += cover * white


def _add_limb(rng: Rng, light: Picture, *, air: bool) -> None:
    """Leave of a picture what is inside a large circle, in place; with air around it, or sharp."""
    radius = float(np.exp(rng.uniform(*np.log((180, 4000)))))
    turn = rng.uniform(0, 2 * np.pi)
    away = radius + rng.uniform(-200, 220)
    x = np.arange(SIZE[0]) - SIZE[0] / 2 - away * np.cos(turn)
    y = np.arange(SIZE[1])[:, None] - SIZE[1] / 2 - away * np.sin(turn)
    above = np.hypot(x, y) - radius
    day = float(np.clip(light.mean() * 2, 0, 1))
    light *= np.clip(0.5 - above, 0, 1)[..., None]
    if air:
        glow = np.exp(-np.maximum(above, 0) / rng.uniform(2, 25)) * (above > 0)
        light += (glow * rng.uniform(0.2, 1) * day)[..., None] * np.array((0.4, 0.65, 1.0))


_PAINTERS: Final[dict[str, Callable[[Rng, Imagery], Picture]]] = {
    "day": _day,
    "night": _night,
    "moon": lambda rng, maps: _ball(maps.moon, rng, maps),
    "planet": lambda rng, maps: _ball(maps.planets, rng, maps),
    "relief": _relief,
    "rough": _rough,
}
CUTS: Final = dict(zip(_PAINTERS, (0.58, 0.12, 0.12, 0.05, 0.06, 0.07), strict=True))
"""Kinds of cuts, and how often each is taken."""
