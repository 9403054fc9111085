"""Plans: what each of a batch of training views shows, drawn at once for all of them.

The views are those of `augment` and `copy_paste`, with the same shares and ranges, but for mosaics;
`device_views` makes them where the network is trained. Arrays begin with the number of views.
Matrices have shape (..., 2, 3) and take (x, y, 1), with pixel corners at whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from posebowl import challenge
from posebowl.training.augment import (
    CLOSE_FILL,
    LEAST_LEFT,
    MOST_ENLARGED,
    NEAREST,
    WANDER,
    WIDE,
    Augmentation,
)
from posebowl.training.colours import background_colours, photo_variation
from posebowl.training.copy_paste import MIN_CLOSE_WIDTH, MIN_CROP_WIDTH, CopyPaste
from posebowl.training.dataset import LEVEL_HEIGHT, LEVEL_WIDTH, WHOLE_SCALE, close_corner
from posebowl.training.paste_plans import (
    Array,
    Numbers,
    Pasted,
    Paster,
    Shapes,
    Truths,
    inverted,
)
from posebowl.training.pool import Pool

_PHOTO: Final = np.array([challenge.IMAGE_WIDTH, challenge.IMAGE_HEIGHT], np.float64)
_LEVEL: Final = np.array([LEVEL_WIDTH, LEVEL_HEIGHT], np.float64)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a batch of views shows."""

    image: Numbers
    """Of the atlas: whole photos, then backgrounds, then close parts."""
    matrix: Array
    """From the view to the image."""
    softness: Array
    """View pixels for one of a background that is enlarged, at least 1."""
    box: Array
    """Corners in pixels of the view, clipped to it."""
    labelled: Truths
    measured: Truths
    """Whether the box is no more than a limit: the visible pixels say how far it reaches."""
    toned: Array
    """Of the image, before anything is pasted: gamma, three gains, share of grey; (views, 5)."""
    jitter: Array
    """Of the view: gamma, three gains, offset, share of grey, blur, noise; (views, 8)."""
    with_spacecraft: Truths
    """Whether the spacecraft is pasted."""
    pasted: Pasted


@dataclass(frozen=True, kw_only=True)
class _Sources:
    """Images to take views from, and what is known of each."""

    image: Numbers
    matrix: Array
    box: Array
    labelled: Truths


class Planner:
    """Draws plans; the same seed draws the same ones."""

    def __init__(
        self,
        pool: Pool,
        shapes: Shapes,
        size: tuple[int, int],
        *,
        augmentation: Augmentation,
        paste: CopyPaste,
        rng: np.random.Generator,
    ) -> None:
        self.pool, self.size, self.augmentation, self.paste = pool, size, augmentation, paste
        self.rng, self.paster = rng, Paster(shapes, size, paste, rng)
        self.photos, self.behind = len(pool.wholes), len(pool.backgrounds)
        corners = [close_corner(box) for box in pool.boxes.astype(int).tolist()]
        self.corners = np.array(corners, np.float64)
        at = pool.decoys[:, 0]
        groups = (pool.decoys[at < self.photos], pool.decoys[at >= self.photos])
        self.decoys = [group for group in groups if len(group)]

    def draw(self, views: int) -> Plan:
        """Draw a plan."""
        rng, paste = self.rng, self.paste
        composite = rng.random(views) < paste.share
        close = rng.random(views) < np.where(composite, paste.close, self.augmentation.close)
        empty = composite & (rng.random(views) < paste.empty)
        decoy = empty & close & bool(self.decoys)
        flat, pasted = composite & ~decoy, composite & ~empty
        shown = self._photos(views, close, decoy)
        image, matrix = self._backgrounds(views, close)
        image = np.where(flat, image, shown.image)
        matrix = np.where(flat[:, None, None], matrix, shown.matrix)
        stretch = np.abs(matrix[:, :, :2]).sum(2).mean(1)
        softness = np.where(flat, np.maximum(1.0, 1 / stretch), 1.0)
        put = self.paster.draw(stretch, softness, close)
        limit = np.tile(np.array(self.size[::-1], np.float64), 2)
        inside = np.clip(put.box, 0, limit)
        visible = (inside[:, 2:] - inside[:, :2]).min(1) >= 1
        tight = put.whole & np.isclose(inside, put.box).all(1)
        return Plan(
            image=image,
            matrix=matrix,
            softness=softness,
            box=np.where(pasted[:, None], inside, shown.box),
            labelled=np.where(pasted, visible, shown.labelled & ~flat),
            measured=pasted & ~tight,
            toned=self._toned(composite & (rng.random(views) < paste.toned)),
            jitter=photo_variation(rng, self.augmentation, views),
            with_spacecraft=pasted,
            pasted=put,
        )

    def _photos(self, views: int, close: Truths, decoy: Truths) -> _Sources:
        """Draw views of labelled photos, or close views of decoys in photos and backgrounds."""
        photo = self.rng.integers(0, self.photos, views)
        chosen, around = photo, self.pool.boxes[photo]
        if self.decoys:
            every = np.stack([self._some(group, views) for group in self.decoys])
            drawn = every[self.rng.integers(0, len(every), views), np.arange(views)]
            chosen = np.where(decoy, drawn[:, 0].astype(np.int64), photo)
            around = np.where(decoy[:, None], drawn[:, 1:], around)
        elsewhere = chosen >= self.photos
        photo = np.where(elsewhere, 0, chosen)
        matrix, crop = self._crops(around, close)
        image, to_image = self._sources(photo, matrix, crop)
        box, labelled = self._boxes(self.pool.boxes[photo], matrix)
        return _Sources(
            image=np.where(elsewhere, chosen, image),
            matrix=np.where(elsewhere[:, None, None], matrix * WHOLE_SCALE, to_image),
            box=box,
            labelled=labelled & ~elsewhere,
        )

    def _some(self, rows: Array, count: int) -> Array:
        return np.asarray(rows[self.rng.integers(0, len(rows), count)])

    def _crops(self, box: Array, close: Truths) -> tuple[Array, Array]:
        """Draw crops of photos, close or wide ones.

        Returns:
            From view to photo, (views, 2, 3), and the crops' corners, (views, 4).
        """
        rng, views = self.rng, len(box)
        turned = rng.random(views) < self.augmentation.quarter_turns
        size = np.where(turned[:, None], self.size, self.size[::-1]).astype(np.float64)
        length = box[:, 2:] - box[:, :2]
        least, most = np.log(CLOSE_FILL)
        fill = np.exp(rng.uniform(least, most, views))
        near = np.maximum((length / size).max(1) / fill, 1 / MOST_ENLARGED)
        near = np.minimum(near, (_PHOTO / size).max(1))
        whole = (_PHOTO / size).min(1)
        nearest = np.minimum(whole, np.maximum(WIDE[0] * whole, NEAREST))
        far = np.exp(rng.uniform(np.log(nearest), np.log(WIDE[1] * whole)))
        unit = np.where(close, near, far)[:, None]
        extent = unit * size
        wander = rng.normal(0, WANDER, (views, 2)) * np.maximum(length, 0.3 * extent)
        around = (box[:, :2] + box[:, 2:] - extent) / 2 + wander
        middle = (_PHOTO - extent) / 2
        fits = extent <= _PHOTO
        around = np.where(fits, np.clip(around, 0, np.maximum(_PHOTO - extent, 0)), middle)
        low, high = np.minimum(0, _PHOTO - extent), np.maximum(0, _PHOTO - extent)
        kept = (rng.random((views, 2)) < self.augmentation.whole_box) & (length < extent)
        low = np.where(kept, np.maximum(low, box[:, 2:] - extent), low)
        high = np.where(kept, np.minimum(high, box[:, :2]), high)
        anywhere = low + rng.random((views, 2)) * np.maximum(high - low, 0)
        corner = np.where(close[:, None], around, anywhere)
        matrix = self._turn(turned, unit[:, 0], corner)
        return matrix, np.concatenate([corner, corner + extent], 1)

    def _turn(self, turned: Truths, unit: Array, corner: Array) -> Array:
        """Return matrices of crops, flipped at random and turned by 90 degrees where asked."""
        flipped = self.rng.random((len(unit), 2)) < 0.5
        sign = np.where(flipped, -1.0, 1.0) * unit[:, None]
        start = np.where(flipped, self.size[::-1], 0) * unit[:, None]
        matrix = np.zeros((len(unit), 2, 3))
        straight = ~turned
        matrix[straight, 0, 0], matrix[straight, 1, 1] = sign[straight].T
        matrix[turned, 0, 1], matrix[turned, 1, 0] = sign[turned][:, ::-1].T
        matrix[..., 2] = corner + np.where(turned[:, None], start[:, ::-1], start)
        return matrix

    def _sources(self, photo: Numbers, matrix: Array, crop: Array) -> tuple[Numbers, Array]:
        """Return the image of each photo that holds its crop, and the matrix to it."""
        corner = self.corners[photo]
        ends = corner + _LEVEL
        inside = np.concatenate([crop[:, :2] >= corner, crop[:, 2:] <= ends], 1)
        close: Truths = np.asarray(inside.all(1)) & bool(len(self.pool.closes))
        moved = matrix.copy()
        moved[..., 2] -= corner
        image = np.where(close, self.photos + self.behind + photo, photo)
        return image, np.where(close[:, None, None], moved, matrix * WHOLE_SCALE)

    def _boxes(self, truth: Array, matrix: Array) -> tuple[Array, Truths]:
        """Return the labels on views of photos, and whether enough of each is left."""
        inverse = inverted(matrix)
        ends = np.stack([_apply(inverse, truth[:, :2]), _apply(inverse, truth[:, 2:])], 1)
        box = np.concatenate([ends.min(1), ends.max(1)], 1)
        limits = np.tile(np.array(self.size[::-1], np.float64), 2)
        seen = np.clip(box, 0, limits)
        sides, left = box[:, 2:] - box[:, :2], seen[:, 2:] - seen[:, :2]
        enough = (left.prod(1) >= LEAST_LEFT * sides.prod(1)) & (left.min(1) >= 1)
        return seen, enough

    def _backgrounds(self, views: int, close: Truths) -> tuple[Numbers, Array]:
        """Draw what spacecraft are pasted over: crops of backgrounds, or of photos' empty parts."""
        rng, (high, wide) = self.rng, self.size
        aspect = high / wide
        photo = rng.integers(0, self.photos, views)
        room, fits = _free(self.pool.boxes[photo] * WHOLE_SCALE, rng)
        own = fits & (rng.random(views) < self.paste.photos)
        room = np.where(own[:, None], room, [0, 0, LEVEL_WIDTH, LEVEL_HEIGHT])
        turned = rng.random(views) < self.paste.turned
        extent = room[:, 2:] - room[:, :2]
        extent = np.where(turned[:, None], extent[:, ::-1], extent)
        most = np.minimum(extent[:, 0], extent[:, 1] / aspect)
        usual = np.maximum(MIN_CROP_WIDTH, np.minimum(most, np.maximum(0.42 * most, wide)))
        least = np.minimum(most, np.where(close, MIN_CLOSE_WIDTH, usual))
        width = np.exp(rng.uniform(np.log(least), np.log(most)))
        side = np.stack([width, width * aspect], 1)
        taken = np.where(turned[:, None], side[:, ::-1], side)
        spare = np.maximum(room[:, 2:] - room[:, :2] - taken, 0)
        corner = room[:, :2] + rng.random((views, 2)) * spare
        chosen = self.photos + rng.integers(0, self.behind, views)
        return np.where(own, photo, chosen), self._turn(turned, width / wide, corner)

    def _toned(self, varied: Truths) -> Array:
        """Draw contrast and colours of backgrounds."""
        toned = background_colours(self.rng, len(varied))
        return np.where(varied[:, None], toned, [1, 1, 1, 1, 0])


def _free(box: Array, rng: np.random.Generator) -> tuple[Array, Truths]:
    """Choose an empty part of each half-size photo; return also whether there is any."""
    margin = 4
    x0, y0 = (np.floor(box[:, :2]) - margin).clip(0).T
    x1, y1 = (np.ceil(box[:, 2:]) + margin).T
    zero, wide, high = (
        np.zeros_like(x0),
        np.full_like(x0, LEVEL_WIDTH),
        np.full_like(x0, LEVEL_HEIGHT),
    )
    rooms = np.stack(
        [
            np.stack([zero, zero, x0, high], 1),
            np.stack([x1, zero, wide, high], 1),
            np.stack([zero, zero, wide, y0], 1),
            np.stack([zero, y1, wide, high], 1),
        ],
        1,
    )
    extent = rooms[..., 2:] - rooms[..., :2]
    fits = (
        np.minimum(extent[..., 0], extent[..., 1] / (LEVEL_HEIGHT / LEVEL_WIDTH)) >= MIN_CROP_WIDTH
    )
    chosen = np.where(fits, rng.random(fits.shape), -1).argmax(1)
    return rooms[np.arange(len(box)), chosen], fits.any(1)


def _apply(matrix: Array, points: Array) -> Array:
    moved: Array = np.einsum("vij,vj->vi", matrix[..., :2], points) + matrix[..., 2]
    return moved
