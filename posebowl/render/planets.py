"""The Moon and planets: lit balls, from small discs to landscapes, over stars or nothing."""

from __future__ import annotations

import numpy as np
from PIL import Image

from posebowl.render import fractal_noise, mesh, sky
from posebowl.render.earth import Picture
from posebowl.render.fractal_noise import Field
from posebowl.render.imagery import Imagery, Pixels, read_map, sample
from posebowl.render.mesh import Array
from posebowl.render.parts import Rng, direction
from posebowl.render.sky import FULL, HALF


def sample_disc(rng: Rng) -> tuple[Array, float]:
    """Sample the centre, (x, y), and the radius of a disc in pixels; large ones cross the frame."""
    radius = float(np.exp(rng.uniform(np.log(20), np.log(3000))))
    middle = rng.uniform(0, 1, 2) * FULL
    if radius > 400:
        middle = np.array(FULL) / 2 + direction(rng)[:2] * radius
    return middle, radius


def project_ball(middle: Array, radius: float) -> tuple[Field, Field, Field, Field]:
    """Project a ball onto the frame at half resolution: each map has shape HALF, rows first.

    Returns:
        Right, down and towards the camera on a ball of radius 1, and the share that it covers.
    """
    x = (np.arange(HALF[0], dtype=np.float32) * 2 - middle[0]) / radius
    y = (np.arange(HALF[1], dtype=np.float32) * 2 - middle[1]) / radius
    inside2 = x[None, :] ** 2 + y[:, None] ** 2
    z = np.sqrt(np.maximum(1 - inside2, 0))
    u, v = np.broadcast_arrays(x[None, :], y[:, None])
    return u, v, z, np.clip((1 - np.sqrt(inside2)) * radius / 2, 0, 1)


def moon(rng: Rng) -> Picture:
    """Paint the Moon, from a small disc to a landscape, over stars or nothing."""
    image = sky.stars(rng) if rng.random() < 0.4 else sky.black(rng)
    middle, radius = sample_disc(rng)
    u, v, z, edge = project_ball(middle, radius)
    scale = min(radius, 900) * 0.7
    shift = rng.uniform(0, fractal_noise.TILE, 2).astype(np.float32)
    a, b = (u / (0.4 + z) * scale + shift[0]), (v / (0.4 + z) * scale + shift[1])
    slopes = [fractal_noise.sample(slope, a, b) for slope in craters()]
    rough = rng.uniform(0.15, 0.5)
    sun = mesh.normalized(direction(rng) * (1, 1, 0.6) + (0, 0, 0.5))
    light = (u + rough * slopes[0]) * sun[0] + (v + rough * slopes[1]) * sun[1] + z * sun[2]
    light = np.clip(light, 0, 1.3) * np.clip(
        0.6 + 0.1 * fractal_noise.sample(fractal_noise.field(1.8), a, b), 0.2, 1
    )
    lit = fractal_noise.enlarge(np.asarray(light * edge, dtype=np.float32), FULL)
    cover = fractal_noise.enlarge(np.asarray(edge, dtype=np.float32), FULL)[..., None]
    tint = np.array((1.0, rng.uniform(0.94, 1), rng.uniform(0.86, 1)), dtype=np.float32)
    mixed = image * (1 - cover) + lit[..., None] * tint * rng.uniform(0.5, 1.3)
    return np.asarray(np.maximum(mixed, 0), dtype=np.float32)


_CRATERS: list[fractal_noise.Field] = []


def craters() -> list[fractal_noise.Field]:
    """Build the slopes of a tileable cratered plain along x and y, each (TILE, TILE)."""
    if not _CRATERS:
        rng = np.random.default_rng(5)
        height = fractal_noise.field(1.7, 5) * 4
        for _ in range(500):
            radius = float(np.clip(rng.pareto(1.5) * 5 + 3, 3, 90))
            reach = int(radius * 1.6)
            span = np.arange(-reach, reach + 1)
            r = np.hypot(span[:, None], span[None, :]) / radius
            bowl = np.where(r < 1, (r**2 - 1) * 0.5 + 0.15, 0.15 * np.clip(1 - (r - 1) / 0.6, 0, 1))
            rows, columns = (
                (span + rng.integers(fractal_noise.TILE)) % fractal_noise.TILE for _ in range(2)
            )
            height[rows[:, None], columns[None, :]] += (bowl * radius).astype(np.float32)
        for axis in (1, 0):
            slope = (np.roll(height, 1, axis) - np.roll(height, -1, axis)) / 2
            _CRATERS.append(np.asarray(slope, dtype=np.float32))
    return _CRATERS


def gas_giant(rng: Rng) -> Picture:
    """Paint a planet of gas: bands bent by whirls, spots, sometimes a ring."""
    u, v, z, edge, radius, middle = _rolled_ball(rng)
    detail = min(radius, 900) * 0.5
    shift = rng.uniform(0, fractal_noise.TILE, 2).astype(np.float32)
    a, b = u / (0.4 + z) * detail + shift[0], v / (0.4 + z) * detail + shift[1]
    whirl = fractal_noise.sample(fractal_noise.field(1.8), a * 0.5, b * 2) * np.float32(
        rng.uniform(0.002, 0.03)
    )
    latitude = np.clip((v + whirl + 1) / 2, 0, 1)
    colour = _belts(rng)[(latitude * 511).astype(np.int32)]
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(-0.6, 0.6, 2)
        wide = rng.uniform(0.03, 0.2)
        spot = np.exp(-(((u - x) / wide) ** 2 + ((v - y) / (wide * 0.5)) ** 2))
        tint = np.asarray(rng.uniform(0.3, 1, 3), dtype=np.float32)
        colour += (spot * 0.6)[..., None] * (tint - colour)
    picture = _over_sky(rng, colour * _sunlight(rng, u, v, z)[..., None], edge)
    if rng.random() < 0.3 and radius < 700:
        _ring(rng, picture, middle, radius)
    return picture


def _belts(rng: Rng) -> Picture:
    """Sample the colours of belts of gas from pole to pole, shape (512, 3)."""
    count = int(rng.integers(8, 40))
    base, spread = rng.uniform(0.4, 0.9, 3), rng.uniform(0.02, 0.2)
    base[2] *= rng.uniform(0.6, 1.1)
    bright = spread * rng.normal(size=(count, 1)) * (1, 1, 1.3)
    belts = base + bright + 0.02 * rng.normal(size=(count, 3))
    strip = Image.fromarray((np.clip(belts, 0.05, 1)[None] * 255).astype(np.uint8))
    smooth = strip.resize((512, 1), Image.Resampling.BICUBIC)
    return np.asarray(np.asarray(smooth)[0].astype(np.float32) / 255)


def rocky_planet(rng: Rng) -> Picture:
    """Paint a planet of rock or ice: plains, craters, polar caps, a thin haze."""
    u, v, z, edge, radius, _ = _rolled_ball(rng)
    detail = min(radius, 900) * 0.6
    shift = rng.uniform(0, fractal_noise.TILE, 2).astype(np.float32)
    a, b = u / (0.4 + z) * detail + shift[0], v / (0.4 + z) * detail + shift[1]
    land = fractal_noise.sample(fractal_noise.field(1.7), a, b) + 0.5 * fractal_noise.sample(
        fractal_noise.field(1.2, 1), a, b
    )
    high, low = ROCKS[int(rng.integers(len(ROCKS)))]
    mix = np.clip(0.5 + rng.uniform(0.1, 0.4) * land, 0, 1)[..., None]
    colour = mix * np.array(high, dtype=np.float32) + (1 - mix) * np.array(low, dtype=np.float32)
    cap = np.clip((np.abs(v) + 0.04 * land - rng.uniform(0.75, 1.1)) * 20, 0, 1)[..., None]
    colour = colour * (1 - cap) + 0.9 * cap
    rough = np.float32(rng.uniform(0.05, 0.4))
    bumps = [rough * fractal_noise.sample(slope, a, b) for slope in craters()]
    light = _sunlight(rng, u + bumps[0], v + bumps[1], z)[..., None]
    haze = np.clip(1 - z, 0, 1)[..., None] ** 4 * np.float32(rng.uniform(0, 0.4))
    return _over_sky(rng, (colour * (1 - haze) + haze) * light, edge)


def real_moon(rng: Rng, maps: Imagery) -> Picture:
    """Paint the Moon from imagery, with finer craters, at any phase, over stars or nothing."""
    if not maps.moon:
        return moon(rng)
    return _textured(rng, read_map(maps.moon[0]), rough=rng.uniform(0.02, 0.3))


def real_planet(rng: Rng, maps: Imagery) -> Picture:
    """Paint a planet or a large moon from imagery, at any phase, over stars or nothing."""
    if not maps.planets:
        return rocky_planet(rng)
    path = maps.planets[int(rng.integers(len(maps.planets)))]
    return _textured(rng, read_map(path), rough=rng.uniform(0, 0.05))


def _textured(rng: Rng, pixels: Pixels, *, rough: float) -> Picture:
    u, v, z, edge, radius, _ = _rolled_ball(rng)
    globe = np.stack((u, v, z), axis=2) @ mesh.basis(direction(rng)).astype(np.float32)
    latitude = np.degrees(np.arcsin(np.clip(globe[..., 2], -1, 1)))
    longitude = np.degrees(np.arctan2(globe[..., 1], globe[..., 0]))
    shift = rng.uniform(0, fractal_noise.TILE, 2).astype(np.float32)
    detail = min(radius, 900) * 0.7
    a, b = u / (0.4 + z) * detail + shift[0], v / (0.4 + z) * detail + shift[1]
    bent = fractal_noise.sample(fractal_noise.field(1.4), a, b) * 60 / pixels.shape[1]
    colour = sample(pixels, longitude + bent, latitude - bent)
    bumps = [np.float32(rough) * fractal_noise.sample(slope, a, b) for slope in craters()]
    light = np.clip(_sunlight(rng, u + bumps[0], v + bumps[1], z), 0, 1.2)
    return _over_sky(rng, colour * light[..., None] * np.float32(rng.uniform(0.8, 1.8)), edge)


ROCKS = (
    ((0.8, 0.5, 0.3), (0.45, 0.24, 0.15)),
    ((0.65, 0.6, 0.55), (0.35, 0.33, 0.32)),
    ((0.95, 0.9, 0.75), (0.8, 0.7, 0.5)),
    ((0.85, 0.9, 0.95), (0.55, 0.5, 0.45)),
    ((0.8, 0.75, 0.3), (0.5, 0.35, 0.15)),
)
"""Colours of high and low ground: Mars, Mercury, Venus, an icy moon, a moon of sulphur."""


def _rolled_ball(rng: Rng) -> tuple[Field, Field, Field, Field, float, Array]:
    middle, radius = sample_disc(rng)
    u, v, z, edge = project_ball(middle, radius)
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * u + s * v, c * v - s * u, z, edge, radius, middle


def _sunlight(rng: Rng, u: Field, v: Field, z: Field) -> Field:
    sun = mesh.normalized(direction(rng) * (1, 1, 0.6) + (0, 0, 0.5)).astype(np.float32)
    return np.asarray(np.clip(u * sun[0] + v * sun[1] + z * sun[2], 0, 1.3) ** np.float32(0.8))


def _over_sky(rng: Rng, ball: Picture, edge: Field) -> Picture:
    image = sky.stars(rng) if rng.random() < 0.6 else sky.black(rng)
    cover = fractal_noise.enlarge(np.asarray(edge, dtype=np.float32), FULL)[..., None]
    lit = fractal_noise.enlarge(np.asarray(ball * edge[..., None], dtype=np.float32), FULL)
    mixed = image * (1 - cover) + lit * np.float32(rng.uniform(0.5, 1.2))
    return np.asarray(np.maximum(mixed, 0), dtype=np.float32)


def _ring(rng: Rng, picture: Picture, middle: Array, radius: float) -> None:
    """Paint a flat ring around a planet; its nearer half hides the disc."""
    flat, angle = rng.uniform(0.08, 0.5), rng.uniform(0, np.pi)
    x, y = np.arange(FULL[0]) - middle[0], np.arange(FULL[1])[:, None] - middle[1]
    across = (x * np.cos(angle) + y * np.sin(angle)) / radius
    along = (y * np.cos(angle) - x * np.sin(angle)) / radius
    away = np.hypot(across, along / flat)
    hidden = (along < 0) & (np.hypot(across, along) < 1)
    bands = 0.5 + 0.5 * np.sin(away * rng.uniform(10, 40) + rng.uniform(0, 6))
    cover = ((away > 1.2) & (away < rng.uniform(1.6, 2.4)) & ~hidden) * (0.3 + 0.6 * bands)
    tint = np.array((0.8, 0.75, 0.65)) * rng.uniform(0.4, 1)
    picture *= (1 - cover[..., None]).astype(np.float32)
    picture += (cover[..., None] * tint).astype(np.float32)
