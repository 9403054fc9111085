"""One labelled photo: everything about it follows from the seed of the set and its number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from posebowl.render import backgrounds, materials, scene, sensor
from posebowl.render.families import FAMILIES
from posebowl.render.scene import Sprite
from posebowl.render.sensor import Photo

if TYPE_CHECKING:
    from posebowl.render.window import Window

LEAST_SIDE: Final = 5
"""A box with a shorter side, in pixels, is drawn again."""
ATTEMPTS: Final = 20
GOLDEN: Final = (5**0.5 - 1) / 2


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A photo and what is known about it.

    Attributes:
        image_id: 32 hexadecimal digits.
        pixels: RGB, shape (IMAGE_HEIGHT, IMAGE_WIDTH, 3).
        box: (xmin, ymin, xmax, ymax); the last two are one past the last pixel.
        family: Of the spacecraft.
        background: Behind it.
    """

    image_id: str
    pixels: Photo
    box: tuple[int, int, int, int]
    family: str
    background: str


def image_id(seed: int, index: int) -> str:
    """Name a photo with 32 hexadecimal digits."""
    return hashlib.blake2b(f"{seed}/{index}".encode(), digest_size=16).hexdigest()


def render(
    window: Window, *, seed: int, index: int, families: Sequence[str], compact: bool
) -> Labelled:
    """Render photo `index` of the set `seed`."""
    rng = np.random.default_rng([seed, index])
    family, kind = choose(families, seed=seed, index=index)
    background = backgrounds.BACKGROUNDS[kind]
    sprite = _sprite(window, rng, family, background.earthshine)
    light = background.paint(rng)
    height, width = sprite.coverage.shape
    here = light[sprite.top : sprite.top + height, sprite.left : sprite.left + width]
    # The sun lights white paint and clouds alike; VTK's white leaves room for glints.
    here *= 1 - sprite.coverage[..., None]
    colour = sprite.colour * np.float32(rng.uniform(1.0, 1.5))
    here += colour
    camera = sensor.draw(rng, compact=compact)
    brightest = float(np.quantile(colour[sprite.mask].max(axis=1), 0.9))
    camera = sensor.reach(camera, brightest)
    return Labelled(
        image_id=image_id(seed, index),
        pixels=sensor.expose(rng, light, camera),
        box=scene.box_of(sprite.mask, sprite.left, sprite.top),
        family=family,
        background=kind,
    )


def choose(families: Sequence[str], *, seed: int, index: int) -> tuple[str, str]:
    """Choose family and background so that both are well mixed in sets of any length.

    Families come in shuffled rounds; backgrounds by their weights along a golden-ratio sequence,
    which fills the unit interval more evenly than random numbers do.
    """
    turn, place = divmod(index, len(families))
    order = np.random.default_rng([seed, turn, 1]).permutation(len(families))
    kinds = list(backgrounds.BACKGROUNDS)
    weights = np.cumsum([backgrounds.BACKGROUNDS[kind].weight for kind in kinds])
    start = np.random.default_rng([seed, 0, 2]).random()
    point = (start + index * GOLDEN) % 1 * weights[-1]
    return families[int(order[place])], kinds[int(np.searchsorted(weights, point, side="right"))]


def _sprite(window: Window, rng: np.random.Generator, family: str, earthshine: float) -> Sprite:
    for _ in range(ATTEMPTS):
        craft = FAMILIES[family](rng)
        pose = scene.draw_pose(rng, scene.vertices(craft))
        light = scene.draw_light(rng, earthshine=earthshine)
        palette = materials.palette(rng)
        sprite = scene.take(window, rng, craft, palette=palette, pose=pose, light=light)
        if visible(sprite):
            return sprite
    return sprite


def visible(sprite: Sprite) -> bool:
    """Say whether there is something to find: large enough, and lit somewhere."""
    if not sprite.mask.any():
        return False
    left, top, right, bottom = scene.box_of(sprite.mask)
    covered = sprite.colour[sprite.mask].max(axis=1)
    bright = float(np.quantile(covered, 0.9))
    faint = float(np.quantile(covered, 0.2))
    return min(right - left, bottom - top) >= LEAST_SIDE and bright > 0.1 and faint > 0.012
