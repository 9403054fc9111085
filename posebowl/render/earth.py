"""The Earth from orbit, ray by ray: ground, sea, clouds, air, the night side and its cities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from posebowl.render import fractal_noise, mesh
from posebowl.render.fractal_noise import Field
from posebowl.render.mesh import Array
from posebowl.render.parts import Rng, direction

RADIUS_KM: Final = 6371.0
AIR_KM: Final = 60.0
"""Height up to which air can be seen at the limb."""

AURORA: Final = {
    100.0: (0.15, 1.0, 0.35),
    115.0: (0.15, 0.9, 0.35),
    135.0: (0.2, 0.6, 0.35),
    160.0: (0.3, 0.3, 0.3),
    200.0: (0.35, 0.1, 0.2),
    250.0: (0.3, 0.04, 0.1),
}
"""Light of the aurora, RGB, by height above ground in km."""

Picture = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """A camera above the Earth: its height and the ray of each pixel.

    Attributes:
        height: Above ground, km.
        rays: Directions of the pixels, camera straight above the origin's +z, shape (h, w, 3).
        sun: Direction to the sun in the same frame, shape (3,).
        place: Rotation from that frame to that of the globe, shape (3, 3).
        texel: Kilometres that a pixel in the middle covers.
        twilight: Sine of the sun's elevation below which ground fades; 0 for a hard edge.
    """

    height: float
    rays: Array
    sun: Array
    place: Array
    texel: float
    twilight: float = 0.0


Surface = Callable[[Rng, Orbit, Array, Array, Array], Picture]
"""Paints ground, sea and clouds from the points that are seen, their normals, and the sine of the
sun's elevation there: shapes (h, w, 3), (h, w, 3) and (h, w)."""


@cache
def globe_texture() -> Picture:
    """Read the globe that PyVista ships, linear 0 to 1, shape (h, w, 3), north up, from 180 W."""
    from importlib.util import find_spec  # noqa: PLC0415  found without importing PyVista

    spec = find_spec("pyvista")
    if spec is None or spec.origin is None:
        from posebowl.render.rasterizer import missing_pyvista  # noqa: PLC0415

        raise missing_pyvista()
    path = Path(spec.origin).parent / "examples" / "2k_earth_daymap.jpg"
    with Image.open(path) as image:
        return np.asarray(np.asarray(image.convert("RGB")) / np.float32(255), dtype=np.float32)


def sample_orbit(rng: Rng, size: tuple[int, int], *, limb: bool, night: bool, far: float) -> Orbit:
    """Sample an orbit and a view of the ground below it, or of the limb.

    Args:
        rng: Source of randomness.
        size: Of the picture, (width, height).
        limb: Whether the horizon is seen; otherwise the ground below.
        night: Whether the sun is below the horizon.
        far: Share of orbits from which continents are seen rather than their shores: 3,000 to
            30,000 km high.
    """
    heights = (3000, 30000) if rng.random() < far else (250, 1500)
    height = float(np.exp(rng.uniform(*np.log(heights))))
    horizon = np.arcsin(RADIUS_KM / (RADIUS_KM + height))
    view = np.radians(rng.uniform(12, 55))
    if limb:
        tilt = horizon + rng.normal() * 0.35 * view
    else:
        tilt = rng.uniform(0, max(0.05, horizon - 0.55 * view))
    turn, roll = rng.uniform(0, 2 * np.pi, 2)
    forward = np.array((np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), -np.cos(tilt)))
    step = 2 * np.tan(view / 2) / size[0]
    rays = _rays(forward, roll, step, size)
    elevation = rng.uniform(-0.6, -0.15) if night else rng.uniform(0.05, 1.0) ** 0.7
    side = rng.uniform(0, 2 * np.pi)
    flat = np.sqrt(1 - elevation**2)
    return Orbit(
        height=height,
        rays=rays,
        sun=np.array((flat * np.cos(side), flat * np.sin(side), elevation)),
        place=mesh.basis(direction(rng)),
        texel=height * step,
    )


def _rays(forward: Array, roll: float, step: float, size: tuple[int, int]) -> Array:
    """Return the directions of the pixels of a camera, shape (height, width, 3)."""
    frame = mesh.basis(forward)
    right = frame[:, 0] * np.cos(roll) + frame[:, 1] * np.sin(roll)
    down = np.cross(forward, right)
    x, y = ((np.arange(side) - side / 2 + 0.5) * step for side in size)
    rays = forward + x[None, :, None] * right + y[:, None, None] * down
    return np.asarray(rays / np.linalg.norm(rays, axis=2, keepdims=True))


def paint(rng: Rng, orbit: Orbit, surface: Surface | None = None) -> Picture:
    """Paint the Earth as an orbit sees it, 0 to about 1, shape (h, w, 3).

    Args:
        rng: Source of randomness.
        orbit: The camera.
        surface: Paints what the air covers; by default `painted_surface`.
    """
    camera = np.array((0.0, 0.0, RADIUS_KM + orbit.height))
    along = orbit.rays[..., 2] * camera[2]
    nearest2 = camera[2] ** 2 - along**2
    hit = (nearest2 < RADIUS_KM**2) & (along < 0)
    distance = -along - np.sqrt(np.maximum(RADIUS_KM**2 - nearest2, 0))
    ground = camera + orbit.rays * distance[..., None]
    up = ground / RADIUS_KM
    sunny = up @ orbit.sun
    colour = (surface or painted_surface)(rng, orbit, ground, up, sunny)
    slant = np.clip(-(orbit.rays * up).sum(-1), 0.03, 1)
    haze = np.clip(rng.uniform(0.04, 0.14) / slant, 0, 0.85).astype(np.float32)
    day = np.clip(sunny * 2.5 + 0.25, 0, 1).astype(np.float32)
    air = np.array((0.35, 0.55, 0.95), dtype=np.float32) * rng.uniform(0.6, 1.0)
    colour = colour * (1 - haze[..., None]) + (haze * day)[..., None] * air
    colour[~hit] = 0
    glow = limb_glow(rng, orbit, along, nearest2)
    glow[hit] = 0
    return np.asarray(colour + glow, dtype=np.float32)


def limb_glow(rng: Rng, orbit: Orbit, along: Array, nearest2: Array) -> Picture:
    """Paint the air above the limb: bright and whitish below, blue above, none at AIR_KM."""
    above = np.sqrt(np.maximum(nearest2, 0)) - RADIUS_KM
    thick = float(rng.uniform(0.6, 1.6)) * AIR_KM
    camera = np.array((0.0, 0.0, RADIUS_KM + orbit.height))
    tangent = camera + orbit.rays * -along[..., None]
    lit = np.clip((tangent @ orbit.sun) / RADIUS_KM * 3 + 0.45, 0, 1)
    strength = np.exp(-np.maximum(above, 0) / (thick / 4)) * lit * (along < 0)
    white, blue = np.array((0.75, 0.85, 1.0)), np.array((0.25, 0.5, 1.0))
    low = np.exp(-np.maximum(above, 0) / (thick / 12))[..., None]
    return np.asarray(strength[..., None] * (white * low + blue * (1 - low)), dtype=np.float32)


def aurora(rng: Rng, orbit: Orbit) -> Picture:
    """Paint curtains of polar light as an orbit sees them, green below and red above."""
    camera = np.array((0.0, 0.0, RADIUS_KM + orbit.height))
    along = orbit.rays[..., 2] * camera[2]
    picture = np.zeros(orbit.rays.shape, dtype=np.float32)
    scale = 1.0 / max(4.0, orbit.texel * rng.uniform(1, 4))
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0, fractal_noise.TILE, 2)
    bend, strength = rng.uniform(2, 8), rng.uniform(0.05, 0.35)
    for height, tint in AURORA.items():
        shell = RADIUS_KM + height
        if shell >= camera[2]:
            continue
        half2 = shell**2 - (camera[2] ** 2 - along**2)
        seen = (half2 > 0) & (along < 0)
        away = -along - np.sqrt(np.maximum(half2, 0))
        x, y = (orbit.rays[..., k] * away for k in (0, 1))
        a = (np.cos(angle) * x - np.sin(angle) * y) * scale + shift[0]
        b = (np.sin(angle) * x + np.cos(angle) * y) * scale + shift[1]
        folds = fractal_noise.sample(
            fractal_noise.field(2.2, 4), a.astype(np.float32), b.astype(np.float32)
        )
        curtain = np.exp(-np.abs(folds) * bend) * seen * strength
        picture += curtain[..., None].astype(np.float32) * np.array(tint, dtype=np.float32)
    return picture


def painted_surface(rng: Rng, orbit: Orbit, ground: Array, up: Array, sunny: Array) -> Picture:
    """Paint ground, sea, clouds and cities in their light, without air."""
    x, y = (ground[..., k].astype(np.float32) for k in (0, 1))
    land = sample_globe(up @ orbit.place.T)
    grey = land.mean(axis=2, keepdims=True)
    land = grey + (land - grey) * np.float32(rng.uniform(0.35, 1.0))
    wide = fractal_noise.sample(
        fractal_noise.field(1.7), *place_noise(rng, x, y, 1.0 / max(4.0, orbit.texel))
    )
    land = land * np.clip(1 + 0.16 * wide, 0.4, 1.8)[..., None]
    light = np.clip(sunny, 0, 1).astype(np.float32)
    clouds, relief = cloud_cover(rng, orbit, x, y)
    shade = np.clip(0.68 + 0.12 * wide + 0.2 * clouds + relief, 0.25, 1.15)
    colour = land * (0.15 + 0.85 * light)[..., None] * float(rng.uniform(0.7, 1.2))
    day = (light > 0).astype(np.float32)
    if orbit.twilight:
        day = np.clip(sunny / orbit.twilight, 0, 1).astype(np.float32)
    colour *= day[..., None]
    water = np.clip((land[..., 2] - land[..., 0]) * 6, 0, 1)
    mirror = orbit.rays - 2 * (orbit.rays * up).sum(-1)[..., None] * up
    glint = np.clip(mirror @ orbit.sun, 0, 1) ** rng.uniform(8, 60) * rng.uniform(0.2, 1)
    colour += (glint * water * light)[..., None].astype(np.float32)
    white = (shade * (0.1 + 0.9 * np.sqrt(light)) * day)[..., None]
    white = white * np.array((1.0, 0.99, 0.97), dtype=np.float32)
    colour = colour * (1 - clouds[..., None]) + white * clouds[..., None]
    dark = np.clip(-sunny * 8, 0, 1).astype(np.float32)
    if dark.any():
        colour += cities(rng, x, y, orbit) * (dark * (1 - clouds) * (1 - water))[..., None]
        colour += (dark * (0.01 + 0.03 * clouds))[..., None]
    return np.asarray(colour, dtype=np.float32)


def sample_globe(up: Array) -> Picture:
    """Read the globe's texture at unit vectors, shape (h, w, 3)."""
    image = globe_texture()
    rows, columns = image.shape[:2]
    v = (np.arccos(np.clip(up[..., 2], -1, 1)) / np.pi * (rows - 1)).astype(np.float32)
    u = ((np.arctan2(up[..., 1], up[..., 0]) / (2 * np.pi) + 0.5) * columns).astype(np.float32)
    u0, v0 = np.floor(u), np.clip(np.floor(v), 0, rows - 2)
    fu, fv = (u - u0)[..., None], (v - v0)[..., None]
    i0, j0 = u0.astype(np.int32) % columns, v0.astype(np.int32)
    i1, j1 = (i0 + 1) % columns, j0 + 1
    top = image[j0, i0] * (1 - fu) + image[j0, i1] * fu
    bottom = image[j1, i0] * (1 - fu) + image[j1, i1] * fu
    return np.asarray(top * (1 - fv) + bottom * fv, dtype=np.float32)


def cloud_cover(rng: Rng, orbit: Orbit, x: Field, y: Field) -> tuple[Field, Field]:
    """Build maps of how much the clouds hide, 0 to 1, and of the light on their slopes.

    They are sums of noise at several scales, bent into streaks, or small heaps in between.
    """
    scale = 1.0 / max(orbit.texel * rng.uniform(0.4, 3.0), 0.05)
    a, b = place_noise(rng, x, y, scale * 0.12)
    bend = fractal_noise.sample(fractal_noise.field(2.2), a * 0.5, b * 0.5) * rng.uniform(0, 60)
    large = fractal_noise.sample(fractal_noise.field(2.0, 1), a + bend, b - bend)
    c, d = place_noise(rng, x, y, scale)
    stretch = rng.uniform(0.4, 1.0)
    fine = fractal_noise.sample(fractal_noise.field(1.3), c * stretch + bend, d + bend)
    billow = np.abs(fractal_noise.sample(fractal_noise.field(1.6, 2), d * 0.6, c * 0.6))
    weight = rng.uniform(0.2, 0.9)
    total = large * (1 - 0.5 * weight) + fine * weight + (0.8 - billow) * rng.uniform(0, 0.6)
    cover = np.clip((total + rng.uniform(-1.3, 1.1)) * rng.uniform(0.4, 1.8), 0, 1)
    if rng.random() < 0.4:
        heaps = np.clip((fine - billow - rng.uniform(0.3, 1.6)) * rng.uniform(1, 4), 0, 1)
        cover = np.maximum(cover, heaps * np.clip(large + rng.uniform(0, 1.5), 0, 1))
    slope = (total - np.roll(total, 2, axis=int(rng.integers(2)))) * rng.choice((-1, 1))
    relief = np.clip(slope * rng.uniform(0.05, 0.5), -0.35, 0.25)
    opaque = rng.uniform(0.75, 1.0)
    return np.asarray(cover * opaque, np.float32), np.asarray(relief, np.float32)


def cities(rng: Rng, x: Field, y: Field, orbit: Orbit) -> Picture:
    """Paint city lights: clustered sparks, shape (h, w, 3)."""
    scale = 1.0 / max(1.5, orbit.texel)
    where = fractal_noise.sample(fractal_noise.field(1.5, 3), *place_noise(rng, x, y, scale * 0.5))
    sparks = fractal_noise.sample(fractal_noise.field(0.3), *place_noise(rng, x, y, scale))
    light = np.clip(where + rng.uniform(-0.4, 0.6), 0, 2)
    light = light * np.clip(sparks - rng.uniform(0.9, 1.9), 0, 3)
    tint = np.array((1.0, rng.uniform(0.65, 0.9), rng.uniform(0.3, 0.7)), dtype=np.float32)
    return np.asarray(light[..., None] * tint * rng.uniform(0.6, 2.5), dtype=np.float32)


def place_noise(
    rng: Rng, x: Field, y: Field, scale: float, *, turned: bool = True
) -> tuple[Field, Field]:
    """Return where to read noise for places in kilometres: at a random angle and shift."""
    angle, (dx, dy) = rng.uniform(0, 2 * np.pi), rng.uniform(0, fractal_noise.TILE, 2)
    if not turned:
        angle = 0.0
    c, s = np.float32(np.cos(angle) * scale), np.float32(np.sin(angle) * scale)
    return c * x - s * y + np.float32(dx), s * x + c * y + np.float32(dy)
