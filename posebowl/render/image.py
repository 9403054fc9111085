"""One labelled photo, or one half of it: all follows from the seed of the set and its number.

Photos are made whole, or as their halves for whoever pastes them together: cut-outs are
spacecraft alone, backgrounds are photos without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np

from posebowl.render import backgrounds, distractors, materials, scene, sensor
from posebowl.render.scene import Sprite
from posebowl.render.sensor import Photo, Sensor
from posebowl.render.spacecraft import build

if TYPE_CHECKING:
    from posebowl.render.rasterizer import Window

LEAST_SIDE: Final = 5
"""A box with a shorter side, in pixels, is drawn again."""
ATTEMPTS: Final = 20
GOLDEN: Final = (5**0.5 - 1) / 2
CUTOUT_SIDES: Final = (250.0, 700.0)
"""Shortest and longest that the longer side of a cut-out may be, in pixels."""


class Only(StrEnum):
    """What a set is made of."""

    PHOTOS = "photos"
    CUTOUTS = "cutouts"
    BACKGROUNDS = "backgrounds"


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A photo, a cut-out or a background, and what is known about it.

    Attributes:
        image_id: 32 hexadecimal digits.
        pixels: RGB, shape (IMAGE_HEIGHT, IMAGE_WIDTH, 3); of a cut-out RGBA, shape (h, w, 4).
        box: (xmin, ymin, xmax, ymax); the last two are one past the last pixel. All of a
            cut-out; zeros where there is no spacecraft.
        family: Of the spacecraft; empty where there is none.
        background: Behind it; of a cut-out, the one whose light falls on it.
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
    window: Window,
    *,
    seed: int,
    index: int,
    families: Sequence[str],
    only: Only = Only.PHOTOS,
    compact: bool = False,
) -> Labelled:
    """Render image `index` of the set `seed`."""
    match only:
        case Only.PHOTOS:
            return whole(window, seed=seed, index=index, families=families, compact=compact)
        case Only.CUTOUTS:
            return cutout(window, seed=seed, index=index, families=families)
        case Only.BACKGROUNDS:
            return empty(seed=seed, index=index, families=families, compact=compact)
        case _:
            assert_never(only)


def whole(
    window: Window, *, seed: int, index: int, families: Sequence[str], compact: bool
) -> Labelled:
    """Render a spacecraft in front of a background, through a camera."""
    rng = np.random.default_rng([seed, index])
    family, kind = choose(families, seed=seed, index=index, varied=not compact)
    background = backgrounds.BACKGROUNDS[kind]
    sprite = _sprite(
        window, rng, family, families, earthshine=background.earthshine, varied=not compact
    )
    light = background.paint(rng)
    height, width = sprite.coverage.shape
    here = light[sprite.top : sprite.top + height, sprite.left : sprite.left + width]
    # The sun lights white paint and clouds alike; VTK's white leaves room for glints.
    here *= 1 - sprite.coverage[..., None]
    colour = sprite.colour * np.float32(rng.uniform(1.0, 1.5))
    here += colour
    if not compact:
        distractors.disturb(rng, light)
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


def cutout(window: Window, *, seed: int, index: int, families: Sequence[str]) -> Labelled:
    """Render a spacecraft alone, whole and large, to be pasted over any background.

    Alpha is the share of a pixel that is covered, and more than 0 wherever any of it is; colour
    is not multiplied by it. Exposed as in a photo, but neither blurred nor noisy.
    """
    rng = np.random.default_rng([seed, index])
    family, kind = choose(families, seed=seed, index=index)
    earthshine = backgrounds.BACKGROUNDS[kind].earthshine
    side = float(np.exp(rng.uniform(*np.log(CUTOUT_SIDES))))
    sprite = _sprite(window, rng, family, families, earthshine=earthshine, side=side)
    left, top, right, bottom = scene.box_of(sprite.mask)
    inside = slice(top, bottom), slice(left, right)
    coverage = sprite.coverage[inside][..., None]
    colour = np.asarray(sprite.colour[inside] / np.maximum(coverage, 1e-6), dtype=np.float32)
    colour *= np.float32(rng.uniform(1.0, 1.5))
    drawn = sensor.draw(rng, compact=False)
    brightest = float(np.quantile(colour[sprite.mask[inside]].max(axis=1), 0.9))
    camera = sensor.reach(Sensor(exposure=drawn.exposure, gamma=drawn.gamma), brightest)
    pixels = np.concatenate((sensor.tone(colour, camera), coverage), axis=2)
    return Labelled(
        image_id=image_id(seed, index),
        pixels=sensor.eight_bits(pixels),
        box=(0, 0, right - left, bottom - top),
        family=family,
        background=kind,
    )


def empty(*, seed: int, index: int, families: Sequence[str], compact: bool) -> Labelled:
    """Paint a background and photograph it without a spacecraft."""
    rng = np.random.default_rng([seed, index])
    _, kind = choose(families, seed=seed, index=index, varied=not compact)
    light = backgrounds.BACKGROUNDS[kind].paint(rng)
    if not compact:
        distractors.disturb(rng, light)
    return Labelled(
        image_id=image_id(seed, index),
        pixels=sensor.expose(rng, light, sensor.draw(rng, compact=compact)),
        box=(0, 0, 0, 0),
        family="",
        background=kind,
    )


def choose(
    families: Sequence[str], *, seed: int, index: int, varied: bool = True
) -> tuple[str, str]:
    """Choose family and background so that both are well mixed in sets of any length.

    Families come in shuffled rounds; backgrounds by their weights along a golden-ratio sequence,
    which fills the unit interval more evenly than random numbers do. Sets that are not varied
    have plain backgrounds only.
    """
    turn, place = divmod(index, len(families))
    order = np.random.default_rng([seed, turn, 1]).permutation(len(families))
    kinds = [kind for kind, it in backgrounds.BACKGROUNDS.items() if varied or it.plain]
    weights = np.cumsum([backgrounds.BACKGROUNDS[kind].weight for kind in kinds])
    start = np.random.default_rng([seed, 0, 2]).random()
    point = (start + index * GOLDEN) % 1 * weights[-1]
    return families[int(order[place])], kinds[int(np.searchsorted(weights, point, side="right"))]


def _sprite(
    window: Window,
    rng: np.random.Generator,
    family: str,
    families: Sequence[str],
    *,
    earthshine: float,
    varied: bool = True,
    side: float | None = None,
) -> Sprite:
    for _ in range(ATTEMPTS):
        craft = build(rng, family, families, varied=varied)
        pose = scene.draw_pose(rng, scene.vertices(craft), side=side)
        light = scene.draw_light(rng, earthshine=earthshine)
        palette = materials.palette(rng, varied=varied)
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
