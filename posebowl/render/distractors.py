"""Distractors in a photo: lens flare, smear, specks, streaks, dust on the lens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render import fractal_noise
from posebowl.render.earth import Picture
from posebowl.render.fractal_noise import Field
from posebowl.render.mesh import Array
from posebowl.render.parts import Rng, direction

SHARE: Final = 0.5
"""Share of photos with a distractor."""
FRAME: Final = np.array((IMAGE_WIDTH, IMAGE_HEIGHT))


@dataclass(frozen=True, kw_only=True)
class Distractor:
    """A kind of distractor: its weight in the draw, and what it does to light, in place."""

    weight: float
    add: Callable[[Rng, Picture], None]


def add_distractors(rng: Rng, light: Picture) -> list[str]:
    """Add distractors to the light of some photos, shape (IMAGE_HEIGHT, IMAGE_WIDTH, 3), in place.

    Returns:
        The names of what was added; empty for half of the photos.
    """
    taken = draw(rng)
    add(rng, light, taken)
    return taken


def draw(rng: Rng) -> list[str]:
    """Draw the names of a photo's distractors; none for half of the photos."""
    if rng.random() > SHARE:
        return []
    weights = np.array([kind.weight for kind in DISTRACTORS.values()])
    count = int(rng.choice((1, 1, 2)))
    names = list(DISTRACTORS)
    drawn = rng.choice(len(names), count, replace=False, p=weights / weights.sum())
    return [names[int(k)] for k in drawn]


def add(rng: Rng, light: Picture, names: list[str]) -> None:
    """Add distractors of these names to the light of a photo, in place."""
    for name in names:
        DISTRACTORS[name].add(rng, light)


def disc(light: Picture, middle: Array, radius: float, colour: Array, soft: float) -> None:
    """Add a disc, its rim as wide as `soft` of its radius, cut by the frame."""
    x0, y0 = np.maximum(np.floor(middle - radius - 1), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(middle + radius + 2), FRAME).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    away = np.hypot(np.arange(x0, x1) - middle[0], np.arange(y0, y1)[:, None] - middle[1]) / radius
    level = np.clip((1 - away) / max(soft, 1 / radius), 0, 1).astype(np.float32)
    light[y0:y1, x0:x1] += level[..., None] * np.asarray(colour, dtype=np.float32)


def flare(rng: Rng, light: Picture) -> None:
    """Add the sun, in the frame or just outside, with spikes, and ghosts across the middle."""
    sun = (0.5 + direction(rng)[:2] * rng.uniform(0.3, 0.9)) * FRAME
    tint = np.array((1.0, rng.uniform(0.85, 1), rng.uniform(0.65, 1)))
    disc(light, sun, rng.uniform(150, 500), tint * rng.uniform(0.1, 0.5), 1.0)
    disc(light, sun, rng.uniform(8, 40), tint * 3, 0.5)
    turn, strength = rng.uniform(0, np.pi), rng.uniform(0.2, 1.0)
    spikes = int(rng.choice((0, 2, 3, 4)))
    for k in range(spikes):
        angle = turn + k * np.pi / spikes
        for sign in (-1, 1):
            end = sun + sign * rng.uniform(80, 400) * np.array((np.cos(angle), np.sin(angle)))
            line(light, sun, end, tint * strength, fade=True)
    for place in rng.uniform(0.2, 2.2, int(rng.integers(0, 6))):
        middle = sun + (FRAME / 2 - sun) * place
        colour = rng.uniform(0, 1, 3) * rng.uniform(0.02, 0.12)
        disc(light, middle, rng.uniform(10, 120), colour, rng.choice((0.05, 0.4)))


def line(light: Picture, start: Array, end: Array, colour: Array, *, fade: bool) -> None:
    """Add a thin line; it may fade towards its end."""
    steps = np.linspace(0, 1, max(2, int(np.abs(end - start).max())))
    places = start + (end - start) * steps[:, None]
    inside = ((places >= 0) & (places < FRAME - 1)).all(axis=1)
    columns, rows = places[inside].astype(int).T
    level = (1 - steps[inside]) if fade else np.ones(int(inside.sum()))
    for dx in (0, 1):
        np.add.at(light, (rows, columns + dx), level[:, None] * colour * (1 - 0.5 * dx))


def smear(rng: Rng, light: Picture) -> None:
    """Add the columns that a sensor without a shutter draws through the brightest light."""
    over = np.clip(light.max(axis=2) - 0.7, 0, 1).mean(axis=0)
    light += (over * rng.uniform(0.3, 1.5))[None, :, None].astype(np.float32)


def specks(rng: Rng, light: Picture) -> None:
    """Add flakes and droplets that drift by, sharp or out of focus."""
    focus = rng.uniform(1, 12)
    for _ in range(int(rng.integers(2, 50))):
        radius = focus * rng.uniform(0.5, 1.5)
        level = min(0.9, rng.uniform(0.2, 3) / radius)
        disc(light, rng.uniform(0, 1, 2) * FRAME, radius, rng.uniform(0.7, 1, 3) * level, 0.5)


def streaks(rng: Rng, light: Picture) -> None:
    """Add the tracks of satellites, stars and cosmic rays that cross the exposure."""
    way = direction(rng)[:2]
    alike = rng.random() < 0.4
    for _ in range(int(rng.integers(1, 12))):
        start = rng.uniform(0, 1, 2) * FRAME
        along = way if alike else direction(rng)[:2]
        colour = rng.uniform(0.7, 1, 3) * rng.uniform(0.1, 0.8)
        line(light, start, start + along * rng.lognormal(3, 0.8), colour, fade=False)


def dust(rng: Rng, light: Picture) -> None:
    """Add dust on the lens: dark spots far out of focus."""
    mask = np.zeros((IMAGE_HEIGHT, IMAGE_WIDTH, 3), dtype=np.float32)
    for _ in range(int(rng.integers(1, 8))):
        shade = np.full(3, rng.uniform(0.1, 0.5))
        disc(mask, rng.uniform(0, 1, 2) * FRAME, rng.uniform(15, 90), shade, rng.uniform(0.2, 1))
    light *= 1 - np.minimum(mask, 0.6)


def banding(rng: Rng, light: Picture) -> None:
    """Add faint stripes, as of a sensor read row by row under a lamp."""
    rows = np.arange(IMAGE_HEIGHT) * rng.uniform(0.02, 1.5)
    wave: Field = (np.sin(rows) * rng.uniform(0.005, 0.03)).astype(np.float32)
    light += np.maximum(wave + 0.01, 0)[:, None, None]


def hot_pixels(rng: Rng, light: Picture) -> None:
    """Add single pixels that always glow."""
    count = int(rng.integers(5, 300))
    rows, columns = rng.integers(0, IMAGE_HEIGHT, count), rng.integers(0, IMAGE_WIDTH, count)
    light[rows, columns, rng.integers(0, 3, count)] += rng.uniform(0.1, 1, count)


def reflection(rng: Rng, light: Picture) -> None:
    """Add a faint, blurred, mirrored second picture, as a window reflects it."""
    small = Image.fromarray((np.clip(light[::4, ::4], 0, 1) * 255).astype(np.uint8))
    small = small.filter(ImageFilter.GaussianBlur(float(rng.uniform(3, 20))))
    twin = small.transpose(Image.Transpose.ROTATE_180).resize((IMAGE_WIDTH, IMAGE_HEIGHT))
    light += np.asarray(twin, dtype=np.float32) * np.float32(rng.uniform(0.05, 0.2) / 255)


def moon(rng: Rng, light: Picture) -> None:
    """Add a small Moon at any phase, thin crescents too, where the sky is dark."""
    radius = float(np.exp(rng.uniform(np.log(4), np.log(120))))
    middle, sun = rng.uniform(0, 1, 2) * FRAME, direction(rng)
    (x0, y0), (x1, y1) = _around(middle, radius)
    x, y = np.arange(x0, x1) - middle[0], np.arange(y0, y1)[:, None] - middle[1]
    inside = 1 - (x**2 + y**2) / radius**2
    height = np.sqrt(np.maximum(inside, 0))
    maria = fractal_noise.cut(fractal_noise.field(1.7), rng, (x1 - x0, y1 - y0), 1.0)
    shade = np.clip((x * sun[0] + y * sun[1]) / radius + height * sun[2], 0, 1)
    shade = shade**0.7 * np.clip(0.75 + 0.12 * maria, 0.3, 1) * np.clip(inside * radius / 2, 0, 1)
    here = light[y0:y1, x0:x1]
    dark = np.clip(1 - 6 * here.max(axis=2), 0, 1)
    here += (shade * dark * rng.uniform(0.5, 1.3))[..., None].astype(np.float32)


def patches(rng: Rng, light: Picture) -> None:
    """Add islands, lakes and scraps of cloud: ragged patches as bright as their surroundings."""
    for _ in range(int(rng.integers(1, 7))):
        radius = float(np.exp(rng.uniform(np.log(6), np.log(110))))
        middle = rng.uniform(0, 1, 2) * FRAME
        (x0, y0), (x1, y1) = _around(middle, radius)
        stretch = rng.uniform(0.3, 1.0)
        x, y = np.arange(x0, x1) - middle[0], np.arange(y0, y1)[:, None] - middle[1]
        ragged = fractal_noise.cut(fractal_noise.field(1.4, 1), rng, (x1 - x0, y1 - y0), 1.0)
        ragged = (ragged - ragged.mean()) / max(float(ragged.std()), 1e-6)
        turn = rng.uniform(0, np.pi)
        across, along = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
        away = np.hypot(across, along / stretch) / radius
        cover = np.clip((0.45 - away + 0.35 * ragged) * rng.uniform(2, 12), 0, 1)
        cover *= np.clip((1 - np.hypot(x, y) / radius) * 8, 0, 1)
        here = light[y0:y1, x0:x1]
        if here.mean() < 0.01:
            continue  # dark sky has no such patches
        ground = PATCHES[int(rng.integers(len(PATCHES)))] * rng.uniform(0.6, 1.3)
        level = float(here.mean()) * np.asarray(ground) + rng.uniform(0, 0.03)
        here += cover[..., None].astype(np.float32) * (level.astype(np.float32) - here)


def _around(middle: Array, radius: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the corners of the part of the frame within a radius of a point in it."""
    x0, y0 = (int(value) for value in np.clip(np.floor(middle - radius), 0, FRAME - 2))
    x1, y1 = (
        int(value) for value in np.clip(np.ceil(middle + radius) + 1, (x0 + 1, y0 + 1), FRAME)
    )
    return (x0, y0), (x1, y1)


PATCHES: Final = (
    np.array((2.5, 2.5, 2.5)),
    np.array((0.9, 1.3, 0.7)),
    np.array((1.6, 1.3, 0.9)),
    np.array((0.3, 0.45, 0.7)),
)
"""Colours relative to the surroundings: cloud, forest, sand, water."""
DISTRACTORS: Final[dict[str, Distractor]] = {
    "flare": Distractor(weight=5, add=flare),
    "smear": Distractor(weight=1, add=smear),
    "specks": Distractor(weight=3, add=specks),
    "streaks": Distractor(weight=2, add=streaks),
    "dust": Distractor(weight=1.5, add=dust),
    "banding": Distractor(weight=1, add=banding),
    "hot-pixels": Distractor(weight=2, add=hot_pixels),
    "moon": Distractor(weight=3, add=moon),
    "patches": Distractor(weight=6, add=patches),
    "reflection": Distractor(weight=1, add=reflection),
}
