"""One labelled image, determined by the seed of its set and its index.

It is a photo, or one of the halves that copy-paste augmentation combines: a cut-out (the spacecraft
alone) or a background (a photo without one).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np
import numpy.typing as npt

from posebowl.errors import UsageError
from posebowl.render import backdrops, cuts, distractors, lookalikes, materials, scene, sensor
from posebowl.render.backgrounds import BACKGROUNDS, Background
from posebowl.render.earth import Picture
from posebowl.render.imagery import Imagery, find_imagery
from posebowl.render.options import Only
from posebowl.render.parts import Rng
from posebowl.render.pose import sample_plain_pose, sample_pose
from posebowl.render.scene import Sprite
from posebowl.render.sensor import Photo, Sensor
from posebowl.render.spacecraft import USUAL, Changes, build, own_materials

if TYPE_CHECKING:
    from posebowl.render.rasterizer import Rasterizer

MIN_SIDE: Final = 5
"""In pixels; a spacecraft whose box has a shorter side is sampled again."""
ATTEMPTS: Final = 20
GOLDEN: Final = (5**0.5 - 1) / 2
BRIGHT: Final = 0.7
"""Earthshine from which a background is bright enough for a silhouette."""
SILHOUETTES: Final = 0.06
"""Share of the spacecraft in front of bright backgrounds that are almost black."""
OVEREXPOSED: Final = 0.06
CUTOUT_SIDES: Final = (250.0, 700.0)
"""Limits of the longer side of a cut-out, in pixels."""


@dataclass(frozen=True, kw_only=True)
class LabelledImage:
    """A photo, a cut-out or a background, with its label.

    Attributes:
        pixels: RGB, shape (IMAGE_HEIGHT, IMAGE_WIDTH, 3); of a cut-out RGBA, shape (h, w, 4).
        box: (xmin, ymin, xmax, ymax); the last two are one past the last pixel. For a cut-out,
            the whole image; zeros where there is no spacecraft.
        family: The spacecraft's; empty where there is none.
        background: The one behind it; for a cut-out, the one whose light falls on it.
    """

    pixels: Photo
    box: tuple[int, int, int, int]
    family: str
    background: str


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """Everything that determines the pixels of an image: number `index` of the set `seed`."""

    seed: int
    index: int
    families: Sequence[str]
    meshes: Mapping[str, Path] = field(default_factory=dict)
    imagery: Path | None = None
    longitudes: tuple[float, float] | None = None
    backdrops: Path | None = None
    only: Only = Only.PHOTOS
    compact: bool = False
    changes: Changes = USUAL

    @property
    def image_id(self) -> str:
        """Return the name of the image: 32 hexadecimal digits."""
        name = f"{self.seed}/{self.index}".encode()
        return hashlib.blake2b(name, digest_size=16).hexdigest()

    @property
    def varied(self) -> bool:
        """Return whether there may be damage, decoration, rarer skies and distractors."""
        return not self.compact or self.only is Only.CUTOUTS

    @property
    def maps(self) -> Imagery | None:
        """Return the imagery that backgrounds are painted from, if any."""
        if self.imagery is None:
            return None
        return replace(find_imagery(self.imagery), longitudes=self.longitudes)

    def start(self) -> tuple[Rng, str, str, Background]:
        """Return the source of randomness, the family, and the background with its name."""
        family, kind = choose_kinds(
            self.families,
            seed=self.seed,
            index=self.index,
            varied=self.varied,
            real=self.imagery is not None,
        )
        rng = np.random.default_rng([self.seed, self.index])
        if self.backdrops is None:
            return rng, family, kind, BACKGROUNDS[kind]
        path = backdrops.choose(self.backdrops, seed=self.seed, index=self.index)
        return rng, family, backdrops.kind_of(path), backdrops.as_background(path)


def render(rasterizer: Rasterizer, spec: ImageSpec) -> LabelledImage:
    """Render an image."""
    match spec.only:
        case Only.PHOTOS:
            return render_photo(rasterizer, spec)
        case Only.CUTOUTS:
            return render_cutout(rasterizer, spec)
        case Only.BACKGROUNDS:
            return render_background(spec)
        case Only.CUTS:
            return render_cut(spec)
        case _:
            assert_never(spec.only)


def render_photo(rasterizer: Rasterizer, spec: ImageSpec) -> LabelledImage:
    """Render a spacecraft in front of a background, through a camera."""
    rng, family, kind, background = spec.start()
    sprite = _render_visible_sprite(rasterizer, rng, spec, family, background.earthshine)
    light = background.picture(rng, spec.maps)
    height, width = sprite.coverage.shape
    here = light[sprite.top : sprite.top + height, sprite.left : sprite.left + width]
    # The sun lights white paint and clouds alike; VTK's white leaves room for glints.
    here *= 1 - sprite.coverage[..., None]
    gain, silhouette = _sample_gain(rng, background.earthshine, varied=spec.varied)
    colour = sprite.colour * np.float32(gain)
    here += colour
    add_others(rng, spec, light)
    camera = sensor.sample_sensor(rng, compact=spec.compact)
    if not silhouette:
        camera = sensor.brighten_to_show(camera, _brightness(colour, sprite.mask))
    return LabelledImage(
        pixels=sensor.capture(rng, light, camera),
        box=scene.box_of(sprite.mask, sprite.left, sprite.top),
        family=family,
        background=kind,
    )


def _sample_gain(rng: Rng, earthshine: float, *, varied: bool) -> tuple[float, bool]:
    """Sample the factor on a spacecraft's light, and whether that makes it a silhouette."""
    gain = rng.uniform(1.0, 1.5)
    if varied and earthshine >= BRIGHT and rng.random() < SILHOUETTES:
        return rng.uniform(0.02, 0.15), True
    if varied and rng.random() < OVEREXPOSED:
        gain = rng.uniform(2.0, 5.0)
    return gain, False


def _brightness(colour: Picture, mask: npt.NDArray[np.bool_], share: float = 0.9) -> float:
    """Return the light that a share of a spacecraft's pixels stays below."""
    return float(np.quantile(colour[mask].max(axis=1), share))


def render_cutout(rasterizer: Rasterizer, spec: ImageSpec) -> LabelledImage:
    """Render a spacecraft alone, whole and large, for pasting over any background.

    Alpha is the share of a pixel that is covered, and above 0 wherever any of it is; colour is not
    multiplied by it. It is exposed as in a photo, but neither blurred nor noisy.
    """
    rng, family, kind, background = spec.start()
    side = float(np.exp(rng.uniform(*np.log(CUTOUT_SIDES))))
    sprite = _render_visible_sprite(rasterizer, rng, spec, family, background.earthshine, side=side)
    left, top, right, bottom = scene.box_of(sprite.mask)
    inside = slice(top, bottom), slice(left, right)
    coverage = sprite.coverage[inside][..., None]
    colour = np.asarray(sprite.colour[inside] / np.maximum(coverage, 1e-6), dtype=np.float32)
    colour *= np.float32(rng.uniform(1.0, 1.5))
    drawn = sensor.sample_sensor(rng, compact=False)
    plain = Sensor(exposure=drawn.exposure, gamma=drawn.gamma)
    camera = sensor.brighten_to_show(plain, _brightness(colour, sprite.mask[inside]))
    pixels = np.concatenate((sensor.tone(colour, camera), coverage), axis=2)
    return LabelledImage(
        pixels=sensor.to_uint8(pixels),
        box=(0, 0, right - left, bottom - top),
        family=family,
        background=kind,
    )


def render_background(spec: ImageSpec) -> LabelledImage:
    """Render a background without a spacecraft, through a camera."""
    rng, _, kind, background = spec.start()
    light = background.picture(rng, spec.maps)
    add_others(rng, spec, light)
    return LabelledImage(
        pixels=sensor.capture(rng, light, sensor.sample_sensor(rng, compact=spec.compact)),
        box=(0, 0, 0, 0),
        family="",
        background=kind,
    )


def render_cut(spec: ImageSpec) -> LabelledImage:
    """Render a background that is cut from imagery."""
    if spec.maps is None:
        raise UsageError("Cuts need imagery.", fix="Add --imagery with a folder of maps.")
    rng = np.random.default_rng([spec.seed, spec.index])
    light, kind = cuts.paint_cut(rng, spec.maps)
    pixels = cuts.capture(rng, light)
    return LabelledImage(pixels=pixels, box=(0, 0, 0, 0), family="", background=kind)


def add_others(rng: Rng, spec: ImageSpec, light: Picture) -> None:
    """Add to some pictures what lenses and sensors add, and what resembles a spacecraft."""
    if spec.varied:
        distractors.add_distractors(rng, light)
    if spec.varied and spec.maps is not None:
        lookalikes.add_lookalikes(rng, light, spec.maps)


def choose_kinds(
    families: Sequence[str], *, seed: int, index: int, varied: bool = True, real: bool = False
) -> tuple[str, str]:
    """Return family and background, well mixed in sets of any length.

    Families come in shuffled rounds; backgrounds by their weights along a golden-ratio sequence,
    which fills the unit interval more evenly than random numbers do. Sets that are not varied
    have plain backgrounds only; with imagery there is more ground and less empty sky.
    """
    turn, place = divmod(index, len(families))
    order = np.random.default_rng([seed, turn, 1]).permutation(len(families))
    kinds = [kind for kind, it in BACKGROUNDS.items() if varied or it.plain]
    found = [BACKGROUNDS[kind] for kind in kinds]
    weights = np.cumsum([one.real_weight if real else one.weight for one in found])
    start = np.random.default_rng([seed, 0, 2]).random()
    point = (start + index * GOLDEN) % 1 * weights[-1]
    return families[int(order[place])], kinds[int(np.searchsorted(weights, point, side="right"))]


def _render_visible_sprite(
    rasterizer: Rasterizer,
    rng: Rng,
    spec: ImageSpec,
    family: str,
    earthshine: float,
    *,
    side: float | None = None,
) -> Sprite:
    varied, changes = spec.varied, spec.changes
    for _ in range(ATTEMPTS):
        craft = build(
            rng, family, spec.families, meshes=spec.meshes, varied=varied, changes=changes
        )
        points = scene.vertices(craft)
        pose = sample_pose(rng, points, side=side) if varied else sample_plain_pose(rng, points)
        light = scene.sample_light(rng, earthshine=earthshine)
        palette = materials.palette(rng, varied=varied)
        palette |= own_materials(rng, craft, repainted=changes.repainted)
        widths = scene.MIN_WIRE_WIDTH, scene.PLAIN_WIRE_WIDTH
        width = rng.uniform(*widths) if varied else widths[1]
        sprite = scene.render_sprite(
            rasterizer, rng, craft, palette=palette, pose=pose, light=light, wire_width=width
        )
        if is_visible(sprite):
            return sprite
    return sprite


def is_visible(sprite: Sprite) -> bool:
    """Return whether the spacecraft is large and bright enough to be detected."""
    if not sprite.mask.any():
        return False
    left, top, right, bottom = scene.box_of(sprite.mask)
    bright, faint = (_brightness(sprite.colour, sprite.mask, share) for share in (0.9, 0.2))
    return min(right - left, bottom - top) >= MIN_SIDE and bright > 0.1 and faint > 0.012
