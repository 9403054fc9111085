"""One labelled image, determined by the seed of its set and its index.

A photo, or one of the halves that copy-paste augmentation puts together: a cut-out (the spacecraft
alone) or a background (a photo without one).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np

from posebowl.render import backgrounds, distractors, materials, scene, sensor
from posebowl.render.mesh_files import NO_MESHES
from posebowl.render.options import Only
from posebowl.render.pose import sample_plain_pose, sample_pose
from posebowl.render.scene import Sprite
from posebowl.render.sensor import Photo, Sensor
from posebowl.render.spacecraft import build, own_materials

if TYPE_CHECKING:
    from posebowl.render.rasterizer import Rasterizer

MIN_SIDE: Final = 5
"""In pixels; a spacecraft whose box has a shorter side is sampled again."""
ATTEMPTS: Final = 20
GOLDEN: Final = (5**0.5 - 1) / 2
BRIGHT: Final = 0.7
"""Earthshine from which a background is bright enough for a silhouette."""
SILHOUETTES: Final = 0.06
"""Share of the spacecraft before bright backgrounds that are all but black."""
OVEREXPOSED: Final = 0.06
CUTOUT_SIDES: Final = (250.0, 700.0)
"""Shortest and longest that the longer side of a cut-out may be, in pixels."""


@dataclass(frozen=True, kw_only=True)
class LabelledImage:
    """A photo, a cut-out or a background, with its label and metadata.

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
    """Return the id of a photo: 32 hexadecimal digits."""
    return hashlib.blake2b(f"{seed}/{index}".encode(), digest_size=16).hexdigest()


def render(
    rasterizer: Rasterizer,
    *,
    seed: int,
    index: int,
    families: Sequence[str],
    meshes: Mapping[str, Path] = NO_MESHES,
    only: Only = Only.PHOTOS,
    compact: bool = False,
) -> LabelledImage:
    """Render image `index` of the set `seed`."""
    match only:
        case Only.PHOTOS:
            return render_photo(
                rasterizer,
                seed=seed,
                index=index,
                families=families,
                meshes=meshes,
                compact=compact,
            )
        case Only.CUTOUTS:
            return render_cutout(
                rasterizer, seed=seed, index=index, families=families, meshes=meshes
            )
        case Only.BACKGROUNDS:
            return render_background(seed=seed, index=index, families=families, compact=compact)
        case _:
            assert_never(only)


def render_photo(
    rasterizer: Rasterizer,
    *,
    seed: int,
    index: int,
    families: Sequence[str],
    meshes: Mapping[str, Path],
    compact: bool,
) -> LabelledImage:
    """Render a spacecraft in front of a background, through a camera."""
    rng = np.random.default_rng([seed, index])
    family, kind = choose_kinds(families, seed=seed, index=index, varied=not compact)
    background = backgrounds.BACKGROUNDS[kind]
    sprite = _render_visible_sprite(
        rasterizer,
        rng,
        family,
        families,
        meshes=meshes,
        earthshine=background.earthshine,
        varied=not compact,
    )
    light = background.paint(rng)
    height, width = sprite.coverage.shape
    here = light[sprite.top : sprite.top + height, sprite.left : sprite.left + width]
    # The sun lights white paint and clouds alike; VTK's white leaves room for glints.
    here *= 1 - sprite.coverage[..., None]
    gain = rng.uniform(1.0, 1.5)
    silhouette = not compact and background.earthshine >= BRIGHT and rng.random() < SILHOUETTES
    if silhouette:
        gain = rng.uniform(0.02, 0.15)
    elif not compact and rng.random() < OVEREXPOSED:
        gain = rng.uniform(2.0, 5.0)
    colour = sprite.colour * np.float32(gain)
    here += colour
    if not compact:
        distractors.add_distractors(rng, light)
    camera = sensor.sample_sensor(rng, compact=compact)
    brightest = float(np.quantile(colour[sprite.mask].max(axis=1), 0.9))
    if not silhouette:
        camera = sensor.brighten_to_show(camera, brightest)
    return LabelledImage(
        image_id=image_id(seed, index),
        pixels=sensor.capture(rng, light, camera),
        box=scene.box_of(sprite.mask, sprite.left, sprite.top),
        family=family,
        background=kind,
    )


def render_cutout(
    rasterizer: Rasterizer,
    *,
    seed: int,
    index: int,
    families: Sequence[str],
    meshes: Mapping[str, Path],
) -> LabelledImage:
    """Render a spacecraft alone, whole and large, to be pasted over any background.

    Alpha is the share of a pixel that is covered, and more than 0 wherever any of it is; colour
    is not multiplied by it. Exposed as in a photo, but neither blurred nor noisy.
    """
    rng = np.random.default_rng([seed, index])
    family, kind = choose_kinds(families, seed=seed, index=index)
    earthshine = backgrounds.BACKGROUNDS[kind].earthshine
    side = float(np.exp(rng.uniform(*np.log(CUTOUT_SIDES))))
    sprite = _render_visible_sprite(
        rasterizer, rng, family, families, meshes=meshes, earthshine=earthshine, side=side
    )
    left, top, right, bottom = scene.box_of(sprite.mask)
    inside = slice(top, bottom), slice(left, right)
    coverage = sprite.coverage[inside][..., None]
    colour = np.asarray(sprite.colour[inside] / np.maximum(coverage, 1e-6), dtype=np.float32)
    colour *= np.float32(rng.uniform(1.0, 1.5))
    drawn = sensor.sample_sensor(rng, compact=False)
    brightest = float(np.quantile(colour[sprite.mask[inside]].max(axis=1), 0.9))
    camera = sensor.brighten_to_show(Sensor(exposure=drawn.exposure, gamma=drawn.gamma), brightest)
    pixels = np.concatenate((sensor.tone(colour, camera), coverage), axis=2)
    return LabelledImage(
        image_id=image_id(seed, index),
        pixels=sensor.to_uint8(pixels),
        box=(0, 0, right - left, bottom - top),
        family=family,
        background=kind,
    )


def render_background(
    *, seed: int, index: int, families: Sequence[str], compact: bool
) -> LabelledImage:
    """Paint a background and photograph it without a spacecraft."""
    rng = np.random.default_rng([seed, index])
    _, kind = choose_kinds(families, seed=seed, index=index, varied=not compact)
    light = backgrounds.BACKGROUNDS[kind].paint(rng)
    if not compact:
        distractors.add_distractors(rng, light)
    return LabelledImage(
        image_id=image_id(seed, index),
        pixels=sensor.capture(rng, light, sensor.sample_sensor(rng, compact=compact)),
        box=(0, 0, 0, 0),
        family="",
        background=kind,
    )


def choose_kinds(
    families: Sequence[str], *, seed: int, index: int, varied: bool = True
) -> tuple[str, str]:
    """Return family and background, well mixed in sets of any length.

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


def _render_visible_sprite(
    rasterizer: Rasterizer,
    rng: np.random.Generator,
    family: str,
    families: Sequence[str],
    *,
    meshes: Mapping[str, Path],
    earthshine: float,
    varied: bool = True,
    side: float | None = None,
) -> Sprite:
    for _ in range(ATTEMPTS):
        craft = build(rng, family, families, meshes=meshes, varied=varied)
        points = scene.vertices(craft)
        pose = sample_pose(rng, points, side=side) if varied else sample_plain_pose(rng, points)
        light = scene.sample_light(rng, earthshine=earthshine)
        palette = materials.palette(rng, varied=varied) | own_materials(rng, craft)
        sprite = scene.render_sprite(
            rasterizer,
            rng,
            craft,
            palette=palette,
            pose=pose,
            light=light,
            wire_width=rng.uniform(scene.MIN_WIRE_WIDTH, scene.PLAIN_WIRE_WIDTH)
            if varied
            else scene.PLAIN_WIRE_WIDTH,
        )
        if is_visible(sprite):
            return sprite
    return sprite


def is_visible(sprite: Sprite) -> bool:
    """Return whether the spacecraft can be found: large enough, and lit somewhere."""
    if not sprite.mask.any():
        return False
    left, top, right, bottom = scene.box_of(sprite.mask)
    covered = sprite.colour[sprite.mask].max(axis=1)
    bright = float(np.quantile(covered, 0.9))
    faint = float(np.quantile(covered, 0.2))
    return min(right - left, bottom - top) >= MIN_SIDE and bright > 0.1 and faint > 0.012
