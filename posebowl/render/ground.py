"""The Earth from imagery: true shores and colours, with fractal detail below their resolution.

`earth.paint` takes its surface from here where there is imagery. Maps show 4 to 10 km in a pixel,
an orbit sees 0.2 to 20. What lies between is made by noise that bends where the maps are read, and
by relief, fields, dunes, ice, clouds with shadows, and streets, whose strength the maps set.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from posebowl.render import fractal_noise, imagery, mesh, shores
from posebowl.render.earth import RADIUS_KM, Orbit, Picture, cloud_cover, place_noise
from posebowl.render.fractal_noise import Field
from posebowl.render.imagery import Imagery
from posebowl.render.mesh import Array
from posebowl.render.parts import Rng, direction

KM_PER_DEGREE: Final = 111.2
CHARTED_KM: Final = 12.0
"""Kilometres in a pixel up to which shores are drawn: the day map shows them as well beyond."""
CHARTED_LATITUDE: Final = 80.0
CHART_SIDE: Final = 1800
"""Most pixels of a chart along a side."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the pixels of a picture show: all fields have its shape.

    Attributes:
        longitude: Degrees, continuous across 180.
        latitude: Degrees.
        x: Kilometres along the plane below the camera.
        y: Kilometres across it.
        sunny: Sine of the sun's elevation.
        sun: Direction to the sun along that plane, x and y.
        texel: Kilometres that a pixel in the middle covers.
        seen: Whether the pixel shows the Earth.
    """

    longitude: Field
    latitude: Field
    x: Field
    y: Field
    sunny: Field
    sun: Array
    texel: float
    seen: Array

    def noise(self, rng: Rng, exponent: float, km: float, number: int = 0) -> Field:
        """Return noise over the ground whose finest detail is `km` kilometres wide."""
        places = place_noise(rng, self.x, self.y, 1 / max(km, self.texel, 0.05))
        return fractal_noise.sample(fractal_noise.field(exponent, number), *places)

    def read(self, rng: Rng, path: Path, *, ragged: float = 0.6) -> Picture:
        """Read a map, its pixels broken up by noise; `ragged` is in pixels of the map."""
        return imagery.sample(*self.bent(rng, path, ragged))

    def bent(self, rng: Rng, path: Path, ragged: float) -> tuple[imagery.Pixels, Field, Field]:
        """Return a map at the resolution of the picture, and the bent places to read it at."""
        km = imagery.map_km(path)
        halvings = int(np.clip(np.log2(self.texel / km), 0, 4))
        return imagery.read_map(path, halvings), *self.bend(rng, ragged * km)

    def bend(self, rng: Rng, km: float) -> tuple[Field, Field]:
        """Return longitude and latitude, moved by noise of this deviation in kilometres."""
        degrees = np.float32(km / KM_PER_DEGREE)
        east, north = (self.noise(rng, 1.35, 0, number) * degrees for number in (0, 1))
        across = np.maximum(np.cos(np.radians(self.latitude)), np.float32(0.1))
        moved = (self.longitude + east / across, self.latitude + north)
        return moved[0].astype(np.float32), moved[1].astype(np.float32)


def look_at(rng: Rng, orbit: Orbit, maps: Imagery) -> Array:
    """Sample where the camera is above the globe: a rotation, shape (3, 3).

    Most pictures have a shore in their middle, or by night a city.
    """
    target = _of_interest(rng, maps, night=bool(orbit.sun[2] < 0))
    if maps.longitudes is not None:
        for _ in range(40):
            if _within(target, *maps.longitudes):
                break
            target = _of_interest(rng, maps, night=bool(orbit.sun[2] < 0))
        else:
            target = _between(rng, *maps.longitudes)
    rays = orbit.rays[orbit.rays.shape[0] // 2, orbit.rays.shape[1] // 2]
    height = RADIUS_KM + orbit.height
    along = rays[2] * height
    away = -along - np.sqrt(max(RADIUS_KM**2 - height**2 + along**2, 0))
    middle = mesh.normalized(np.array((0, 0, height)) + rays * away)
    turn = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    roll = np.array(((c, -s, 0), (s, c, 0), (0, 0, 1)))
    return np.asarray(mesh.basis(target) @ roll @ mesh.basis(middle).T)


def _within(target: Array, west: float, east: float) -> bool:
    """Return whether a direction from the globe's centre lies between two longitudes."""
    degrees = float(np.degrees(np.arctan2(target[1], target[0])))
    return (degrees - west) % 360 < (east - west) % 360


def _between(rng: Rng, west: float, east: float) -> Array:
    """Sample a direction between two longitudes."""
    degrees = west + rng.random() * ((east - west) % 360)
    sine = rng.uniform(-1, 1)
    flat = np.sqrt(1 - sine**2)
    turn = np.radians(degrees)
    return np.array((flat * np.cos(turn), flat * np.sin(turn), sine))


def _of_interest(rng: Rng, maps: Imagery, *, night: bool) -> Array:
    """Sample a direction from the globe's centre: to a city, a shore, or anywhere."""
    if night and maps.night and rng.random() < 0.75:
        lights = imagery.read_map(maps.night[0], 2)[..., 0]
        bright = np.flatnonzero(lights > np.quantile(lights, 0.99))
        row, column = divmod(int(rng.choice(bright)), lights.shape[1])
        latitude = 90 - (row + rng.random()) * 180 / lights.shape[0]
        longitude = (column + rng.random()) * 360 / lights.shape[1] - 180
    elif maps.shores and rng.random() < 0.6:
        points = shores.read_outlines(maps.shores[-1]).points
        longitude, latitude = points[int(rng.integers(len(points)))]
    else:
        return direction(rng)
    east, north = np.radians((longitude, latitude))
    flat = np.cos(north)
    return np.array((flat * np.cos(east), flat * np.sin(east), np.sin(north)))


def scene_of(orbit: Orbit, ground: Array, up: Array, sunny: Array) -> Scene:
    """Return the places that the pixels of an orbit's picture show."""
    hit = (ground**2).sum(axis=2) < (RADIUS_KM * 1.0001) ** 2
    globe = up @ orbit.place.T
    latitude = np.degrees(np.arcsin(np.clip(globe[..., 2], -1, 1)))
    longitude = np.degrees(np.arctan2(globe[..., 1], globe[..., 0]))
    if hit.any():
        middle = longitude[hit][0]
        longitude = (longitude - middle + 180) % 360 - 180 + middle
    x, y = (ground[..., k].astype(np.float32) for k in (0, 1))
    flat = orbit.sun[:2] / max(float(np.linalg.norm(orbit.sun[:2])), 1e-6)
    return Scene(
        longitude=longitude.astype(np.float32),
        latitude=latitude.astype(np.float32),
        x=x,
        y=y,
        sunny=sunny.astype(np.float32),
        sun=flat,
        texel=orbit.texel,
        seen=hit,
    )


def surface(
    rng: Rng, orbit: Orbit, ground: Array, up: Array, sunny: Array, *, maps: Imagery
) -> Picture:
    """Paint ground, sea, clouds and cities from imagery in their light; see `earth.Surface`."""
    scene = scene_of(orbit, ground, up, sunny)
    chosen = maps.day[int(rng.integers(len(maps.day)))]
    light = np.clip(scene.sunny, 0, 1).astype(np.float32)
    day = light > 0
    if orbit.twilight:
        day = np.clip(scene.sunny / orbit.twilight, 0, 1)
    land, water, dry = _colours(rng, scene, maps, chosen)
    colour = _with_relief(rng, scene, maps, land, dry) * dry[..., None]
    colour += _sea(rng, scene, water) * (1 - dry[..., None])
    colour = _frozen(rng, scene, colour, dry)
    cover, slopes, shadow = _clouds(rng, orbit, scene, maps)
    colour *= ((0.12 + 0.88 * light) * day * shadow)[..., None] * float(rng.uniform(0.9, 2.0))
    ripples = 1 + 0.5 * np.clip(scene.noise(rng, 1.6, 0, 3), -1.5, 2)
    mirror = orbit.rays - 2 * (orbit.rays * up).sum(-1)[..., None] * up
    glint = (
        np.clip(mirror @ orbit.sun, 0, 1) ** rng.uniform(8, 80) * rng.uniform(0.2, 1.6) * ripples
    )
    colour += (glint * (1 - dry) * light * shadow)[..., None]
    white = np.clip(0.8 + 0.2 * cover + slopes, 0.2, 1.15) * (0.1 + 0.9 * np.sqrt(light)) * day
    colour += cover[..., None] * (white[..., None] * (1.0, 0.99, 0.97) - colour)
    dark = np.clip(-scene.sunny * 8, 0, 1)
    if dark.any():
        colour += dark[..., None] * _night(rng, scene, maps, cover)
    return np.asarray(np.maximum(colour, 0), dtype=np.float32)


def _colours(rng: Rng, scene: Scene, maps: Imagery, path: Path) -> tuple[Picture, Picture, Field]:
    """Return the colours of land and of sea, and the share of land in each pixel."""
    chart = _chart(rng, scene, maps)
    pixels, longitude, latitude = scene.bent(rng, path, 0.7)
    if chart is None:
        seen = imagery.sample(pixels, longitude, latitude)
        dry = 1 - np.clip((seen[..., 2] - seen[..., 0]) * 8 - 0.3, 0, 1)
        return _toned(rng, seen), seen, dry
    land, sea = imagery.land_and_sea(path)
    colour, water = (
        imagery.sample(land, longitude, latitude),
        imagery.sample(sea, longitude, latitude),
    )
    shore = scene.bend(rng, rng.uniform(0, 0.6) * max(scene.texel, 0.3))
    return _toned(rng, colour), water, chart.sample(*shore)


def _toned(rng: Rng, colour: Picture) -> Picture:
    """Vary saturation and hue: seasons, years and cameras differ."""
    grey = colour.mean(axis=2, keepdims=True)
    varied = grey + (colour - grey) * rng.uniform(0.3, 1.2)
    tint = rng.uniform(0.9, 1.1, 3)
    return np.asarray(np.maximum(varied, 0) * tint, dtype=np.float32)


def _chart(rng: Rng, scene: Scene, maps: Imagery) -> shores.Chart | None:
    """Draw shores and rivers around what is seen; None where the maps are as good."""
    if not maps.shores or scene.texel > CHARTED_KM or not scene.seen.any():
        return None
    longitude, latitude = scene.longitude[scene.seen], scene.latitude[scene.seen]
    west, east = float(longitude.min()), float(longitude.max())
    south, north = float(latitude.min()), float(latitude.max())
    if max(abs(south), abs(north)) > CHARTED_LATITUDE or east - west > 140:
        return None
    margin = 0.1 + scene.texel / 20
    west, east, south, north = west - margin, east + margin, south - margin, north + margin
    across = np.cos(np.radians((south + north) / 2))
    per_degree = KM_PER_DEGREE / scene.texel
    width = int(np.clip((east - west) * per_degree * across, 32, CHART_SIDE))
    height = int(np.clip((north - south) * per_degree, 32, CHART_SIDE))
    with_rivers = maps.rivers and scene.texel < 2.5 and rng.random() < 0.8
    return shores.draw_chart(
        imagery.outlines_for(maps.shores, scene.texel),
        imagery.outlines_for(maps.rivers, scene.texel) if with_rivers else None,
        west=west,
        east=east,
        south=south,
        north=north,
        size=(width, height),
        river_width=int(rng.integers(1, 4)),
    )


def _with_relief(rng: Rng, scene: Scene, maps: Imagery, land: Picture, dry: Field) -> Picture:
    """Return the land with mountains, mottled ground, fields and dunes."""
    rough = np.full(dry.shape, rng.uniform(0.02, 0.2), dtype=np.float32)
    if maps.heights:
        height = scene.read(rng, maps.heights[0])[..., 0]
        rough += np.clip(height * rng.uniform(0.5, 2.5), 0, 0.7)
    high, shade = _hills(rng, scene, rough)
    mottle = scene.noise(rng, 1.25, 0, 2) * rng.uniform(0.04, 0.16)
    patches = np.clip(scene.noise(rng, 1.7, 0, 4), -2, 2)[..., None]
    spread = rng.uniform(0, 0.14) * rng.uniform(-0.5, 1.5, 3)
    land = land * (1 + mottle + shade)[..., None] * np.clip(1 + patches * spread, 0.4, 1.7)
    flat = np.clip(1 - rough * 4, 0, 1)
    red, green, blue = (land[..., k] for k in range(3))
    if scene.texel < 2 and rng.random() < 0.5:
        tilled = np.clip((green - blue) * 12, 0, 1) * np.clip(1.6 - red * 3, 0, 1) * flat
        land *= 1 + (tilled * _fields(rng, scene))[..., None]
    if rng.random() < 0.5:
        sandy = np.clip((red - blue) * 6 - 0.8, 0, 1) * flat
        wave = np.sin(high * 3 + scene.x * np.float32(rng.uniform(0.1, 0.6) / scene.texel))
        land *= 1 + (sandy * wave * rng.uniform(0.02, 0.15))[..., None]
    return np.asarray(land, dtype=np.float32)


def _hills(rng: Rng, scene: Scene, rough: Field) -> tuple[Field, Field]:
    """Return heights, deviation 1, and the light that their slopes gain from the sun or lose."""
    km = scene.texel * rng.choice((1.0, 1.0, 2.0))
    x, y = place_noise(rng, scene.x, scene.y, 1 / max(km, 0.05), turned=False)
    tile = fractal_noise.field(float(rng.choice((1.5, 1.75, 2.0))), 5)
    towards = scene.sun.astype(np.float32)
    high = fractal_noise.sample(tile, x, y)
    rise = high - fractal_noise.sample(tile, x + towards[0], y + towards[1])
    steep = rng.uniform(1, 5) / np.maximum(0.25, np.abs(scene.sunny))
    return high, np.asarray(np.clip(rise * rough * steep, -0.6, 0.7), dtype=np.float32)


def _fields(rng: Rng, scene: Scene) -> Field:
    """Return the brightness of fields, relative to the mean: rectangles, or circles in them."""
    km = max(rng.uniform(0.8, 6), 3 * scene.texel)
    angle = rng.uniform(0, np.pi)
    bend = scene.noise(rng, 2.0, 0, 6) * km
    across = (np.cos(angle) * scene.x + np.sin(angle) * scene.y + bend) / km
    along = (np.cos(angle) * scene.y - np.sin(angle) * scene.x) / (km * rng.uniform(0.5, 2))
    i, j = np.floor(across).astype(np.int64), np.floor(along).astype(np.int64)
    shades = rng.normal(0, rng.uniform(0.1, 0.35), 1009)
    shade = shades[(i * 7919 + j * 104729) % 1009]
    if rng.random() < 0.3:
        shade = shade * (np.hypot(across - i - 0.5, along - j - 0.5) < 0.47)
    return np.asarray(np.clip(shade, -0.6, 0.9), dtype=np.float32)


def _sea(rng: Rng, scene: Scene, water: Picture) -> Picture:
    """Return the sea's own colour: the map's or a darker one, with slicks and plankton."""
    deep = rng.uniform(0.4, 1.3) * np.array((1.0, rng.uniform(0.9, 1.4), rng.uniform(0.8, 1.2)))
    veil = np.array((0.02, 0.05, 0.09)) * rng.uniform(0.3, 2.5)
    grey = water.mean(axis=2, keepdims=True)
    water = grey + (water - grey) * rng.uniform(0.3, 1)
    swirl = 1 + 0.2 * np.clip(scene.noise(rng, 1.8, 0, 7), -2, 2) * rng.uniform(0, 1)
    return np.asarray((water * deep + veil) * swirl[..., None], dtype=np.float32)


def _frozen(rng: Rng, scene: Scene, colour: Picture, dry: Field) -> Picture:
    """Return the ground with snow on land and drifting ice on the sea, where it is cold."""
    cold = rng.uniform(40, 75)
    noise = scene.noise(rng, 1.5, 0, 8)
    reach = np.abs(scene.latitude) - cold + noise * rng.uniform(2, 8)
    snow = np.clip(reach / 6, 0, 1) * dry * float(rng.random() < 0.35)
    cracks = np.clip(np.abs(scene.noise(rng, 1.4, 0, 9)) * 6 - rng.uniform(0.2, 2), 0, 1)
    ice = np.clip((reach - rng.uniform(5, 15)) / 2, 0, 1) * (1 - dry) * cracks
    white = np.clip(snow + ice, 0, 1)[..., None] * np.float32(rng.uniform(0.6, 1))
    return np.asarray(colour + white * (np.float32(0.85) - colour), dtype=np.float32)


def _clouds(rng: Rng, orbit: Orbit, scene: Scene, maps: Imagery) -> tuple[Field, Field, Field]:
    """Return how much clouds hide, the light on their slopes, and the light that is left below."""
    cover, slopes = np.zeros_like(scene.x), np.zeros_like(scene.x)
    kind = rng.random()
    if kind > 0.2:
        cover, slopes = cloud_cover(rng, orbit, scene.x, scene.y)
        if maps.clouds and kind > 0.4:
            below = cover * rng.uniform(0, 0.6) * float(kind < 0.7)
            real, slopes = _real_clouds(rng, scene, maps.clouds[0])
            cover = np.maximum(below, real)
    steps = np.round(rng.uniform(2, 12) / scene.texel * scene.sun * (-1, -1))
    dx, dy = (int(step) for step in np.clip(steps * rng.uniform(0.3, 1), -20, 20))
    cast = np.roll(cover, (dy, dx), axis=(0, 1)) * (1 - cover)
    return cover, slopes, np.asarray(1 - rng.uniform(0.2, 0.6) * cast, dtype=np.float32)


def _real_clouds(rng: Rng, scene: Scene, path: Path) -> tuple[Field, Field]:
    """Return clouds of a map, moved to another longitude and torn by noise, and their slopes."""
    pixels, longitude, latitude = scene.bent(rng, path, rng.uniform(0.5, 2))
    sign = rng.choice((-1, 1))
    seen = imagery.sample(pixels, longitude + rng.uniform(0, 360), sign * latitude)[..., 0]
    billows = scene.noise(rng, float(rng.choice((1.5, 1.7, 2.0))), 0, 2)
    fine = scene.noise(rng, 1.25, 0, 1)
    torn = seen * rng.uniform(0.8, 1.3)
    torn = torn + (billows * rng.uniform(0.1, 0.4) + fine * rng.uniform(0.02, 0.15)) * (0.2 + seen)
    cover = np.clip((torn - rng.uniform(0.1, 0.5)) * rng.uniform(0.6, 2), 0, 1)
    high = torn * rng.uniform(0.5, 3) + fine * 0.2
    slopes = np.clip((high - np.roll(high, (1, 1), axis=(0, 1))) * rng.choice((-1, 1)), -0.4, 0.3)
    return np.asarray(cover * rng.uniform(0.7, 1), np.float32), np.asarray(slopes, np.float32)


def _night(rng: Rng, scene: Scene, maps: Imagery, cover: Field) -> Picture:
    """Return city lights, and ground and clouds in the light of the Moon."""
    moonlight = rng.choice((0.01, 0.03, 0.08, 0.15)) * rng.random() * np.array((0.7, 0.85, 1.0))
    picture = (0.3 + cover)[..., None] * moonlight
    if maps.night:
        seen = scene.read(rng, maps.night[int(rng.integers(len(maps.night)))], ragged=0.5)
        density = np.clip((seen[..., 0] - 0.55 * seen[..., 2] - 0.05) * 2, 0, 1)
        streets = np.exp(-np.abs(scene.noise(rng, 1.5, 0, 3)) * rng.uniform(4, 14))
        sparks = np.clip(scene.noise(rng, 0.4, 0, 1) - rng.uniform(-0.2, 0.8), 0, 3)
        grain = rng.uniform(0.2, 1.2) * streets + sparks * rng.uniform(0.5, 1.2)
        below = density**0.8 * grain + 0.7 * density**1.5
        tint = np.array((1.0, rng.uniform(0.65, 0.95), rng.uniform(0.3, 0.85)))
        picture = picture + (below * (1 - 0.85 * cover) * rng.uniform(0.8, 4))[..., None] * tint
    return np.asarray(picture, dtype=np.float32)
