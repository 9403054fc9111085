"""Training views made on the training device, a batch at a time: as fast as a GPU trains on them.

Two cores make 60 views a second out of JPEG files; an H100 made and trained on 1,800. All pictures
lie in its memory, and what is random about a view comes from `plans`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from itertools import cycle
from typing import Any, Final

import numpy as np
import torch

from posebowl.training.atlas import Atlas
from posebowl.training.augment import PADDING, Augmentation
from posebowl.training.copy_paste import CopyPaste
from posebowl.training.cutouts import SEEN
from posebowl.training.paste_plans import find_shapes
from posebowl.training.plans import Plan, Planner
from posebowl.training.pool import Pool

FINE: Final = 2
"""Samples of a background for a pixel, along each axis: with one, reducing would leave steps."""
_LEVELS: Final = 4
_AT_A_TIME: Final = 4_000_000
"""Pixels that are made at once: an array of their samples has 256 MB, and there are a few."""
Arrays = dict[str, torch.Tensor]
"""A plan's arrays by their names, those of what is pasted with "pasted." before them."""
_GREY: Final = (0.299, 0.587, 0.114)


def device_batches(
    pool: Pool,
    *,
    size: tuple[int, int],
    batch: int,
    seed: int,
    augmentation: Augmentation,
    device: Any,
    large: tuple[int, int] | None = None,
    paste: CopyPaste | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield batches forever, as `batches.batches` does, but made on a device.

    The same seed gives the same batches on the same device. With `large`, every other batch has
    views of that size, as many as make no more pixels than `batch` of the others.
    """
    torch.manual_seed(seed)
    maker = Maker(pool, device)
    counts = {size: batch}
    if large:
        counts[large] = max(1, batch * size[0] * size[1] // (large[0] * large[1]))
    shapes = find_shapes(pool.cutouts, np.random.default_rng(seed))
    planners = {
        one: Planner(
            pool,
            shapes,
            one,
            augmentation=augmentation,
            paste=paste or CopyPaste(),
            rng=np.random.default_rng([seed, i]),
        )
        for i, one in enumerate(counts)
    }
    plans: queue.Queue[tuple[tuple[int, int], Plan] | BaseException] = queue.Queue(maxsize=4)

    def draw() -> None:
        try:
            for one, count in cycle(counts.items()):
                plans.put((one, planners[one].draw(count)))
        except BaseException as error:  # noqa: BLE001  (handed to the thread that trains)
            plans.put(error)

    threading.Thread(target=draw, daemon=True).start()
    while True:
        item = plans.get()
        if isinstance(item, BaseException):
            raise item
        yield maker.make(item[1], item[0])


class Maker:
    """Makes views of a pool's pictures, which it keeps on a device."""

    def __init__(self, pool: Pool, device: Any) -> None:
        self.device = device
        images = [part for part in (pool.wholes, pool.backgrounds, pool.closes) if len(part)]
        self.images = Atlas(images, levels=_LEVELS, device=device)
        self.cutouts = Atlas([pool.cutouts], levels=_LEVELS + 1, device=device)

    def make(self, plan: Plan, size: tuple[int, int]) -> dict[str, Any]:
        """Make a batch in the form that ultralytics' losses take; see `batches.batches`.

        Args:
            plan: What the views show.
            size: Their height and width.
        """
        views, high, wide = len(plan.image), *size
        part, moved = max(1, _AT_A_TIME // (high * wide)), self._moved(plan)
        starts = [torch.arange(at, min(at + part, views)) for at in range(0, views, part)]
        made = [self._views(_of(moved, some.to(self.device)), size) for some in starts]
        image, box, labelled = (torch.cat(parts) for parts in zip(*made, strict=True))
        low, high_ends = box[:, :2], box[:, 2:]
        extent = torch.tensor([wide, high], device=self.device)
        centred = torch.cat([(low + high_ends) / 2 / extent, (high_ends - low) / extent], 1)
        owners = labelled.nonzero()[:, 0]
        return {
            "img": image,
            "cls": torch.zeros(len(owners), 1, device=self.device),
            "bboxes": centred[owners],
            "batch_idx": owners.float(),
        }

    def _moved(self, plan: Plan) -> Arrays:
        """Return a plan's arrays on the device."""
        arrays = {f"pasted.{name}": one for name, one in vars(plan.pasted).items()}
        arrays |= {name: one for name, one in vars(plan).items() if name != "pasted"}
        found = {name: torch.from_numpy(one) for name, one in arrays.items()}
        return {
            name: (one.float() if one.is_floating_point() else one).to(self.device)
            for name, one in found.items()
        }

    def _views(self, plan: Arrays, size: tuple[int, int]) -> tuple[torch.Tensor, ...]:
        """Return views (n, height, width, 3) uint8, boxes (n, 4), and which are labelled."""
        image = self._backgrounds(plan, size)
        box, labelled = plan["box"].clone(), plan["labelled"].clone()
        alpha = torch.zeros_like(image[..., :1])
        which = plan["with_spacecraft"].nonzero()[:, 0]
        if len(which):
            few = _of(plan, which)
            front = self._spacecraft(few, size)
            alpha[which] = front[..., 3:]
            image[which] = front[..., :3] + image[which] * (1 - front[..., 3:])
            seen, visible = _extents(front[..., 3] > SEEN / 255, few["box"])
            box[which] = torch.where(few["measured"][:, None], seen, few["box"])
            labelled[which] &= ~few["measured"] | visible
        return _finished(image, alpha, plan), box, labelled

    def _backgrounds(self, plan: Arrays, size: tuple[int, int]) -> torch.Tensor:
        """Return photos or backgrounds with their contrast, (n, height, width, 3), 0 to 1."""
        matrix = plan["matrix"]
        step = matrix[..., :2].abs().sum(2).mean(1) / FINE
        level = step.clamp(min=1).log2().floor().clamp(max=self.images.levels - 1).long()
        x, y = self._samples(size, FINE)
        fine = self.images.sample(plan["image"], level, *_placed(matrix, x, y), PADDING)
        shape = (len(fine), size[0], FINE, size[1], FINE, 4)
        return _toned(fine.reshape(shape).mean((2, 4))[..., :3] / 255, plan["toned"])

    def _samples(self, size: tuple[int, int], fine: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the places of samples: x of shape (1, 1, width), y of (1, height, 1)."""
        y, x = ((torch.arange(fine * side, device=self.device) + 0.5) / fine for side in size)
        return x[None, None], y[None, :, None]

    def _spacecraft(self, plan: Arrays, size: tuple[int, int]) -> torch.Tensor:
        """Return spacecraft with what is joined to them, (n, height, width, 4), 0 to 1.

        Colours are multiplied by alpha.
        """
        x, y = self._samples(size)
        front = self._layer(plan, 0, x, y)
        which = (plan["pasted.cutout"][:, 1] >= 0).nonzero()[:, 0]
        if len(which):
            joined = _of(plan, which)
            pair = front[which], self._layer(joined, 1, x, y)
            behind = joined["pasted.behind"][:, None, None, None]
            over, under = torch.where(behind, *pair), torch.where(behind, *pair[::-1])
            front[which] = over + under * (1 - over[..., 3:])
        for rods in plan["pasted.rods"].unbind(1):
            which = (rods[:, 4] > 0).nonzero()[:, 0]
            if len(which):
                drawn = _rods(rods[which], plan["softness"][which], x, y)
                front[which] = drawn + front[which] * (1 - drawn[..., 3:])
        return _coloured(front, plan["pasted.coloured"], plan["pasted.shade"], x, y)

    def _layer(self, plan: Arrays, number: int, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return one of the cut-outs as the view shows it, (n, height, width, 4), 0 to 1.

        As in `cutouts.level_for`, a pixel of the background is 1.2 to 2.4 of the cut-out's, so
        that a spacecraft is never sharper than what is behind it.
        """
        matrix = plan["pasted.placed"][:, number]
        a, b, _, c, d, _ = matrix.flatten(1).unbind(1)
        step = (a * d - b * c).abs().sqrt() * plan["softness"] / 1.2
        level = (step.clamp(min=1).log2() + plan["pasted.blurred"]).floor()
        level = level.clamp(max=self.cutouts.levels - 1).long()
        across, down = _placed(matrix, x, y)
        cutout = plan["pasted.cutout"][:, number]
        layer = self.cutouts.sample(cutout, level, across, down, 0) / 255
        if number > 0:
            return layer
        n_x, n_y, limit = plan["pasted.cut"][:, :, None, None].unbind(1)
        return layer * (n_x * across + n_y * down < limit)[..., None]


def _of(plan: Arrays, which: torch.Tensor) -> Arrays:
    """Return the part of a plan for some views."""
    return {name: one[which] for name, one in plan.items()}


def _coloured(
    front: torch.Tensor, colour: torch.Tensor, shade: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Return spacecraft in other colours and light; see `Pasted`."""
    parts = (slice(3), slice(3, 4), slice(4, 5))
    tint, grey, lift = (colour[:, None, None, part] for part in parts)
    colours, alpha = front[..., :3], front[..., 3:]
    colours = tint * torch.lerp(colours, colours.mean(3, keepdim=True), grey)
    across, down, level = shade[:, :, None, None].unbind(1)
    light = (across * x + down * y + level).clamp(0.2, 1)[..., None]
    colours = ((colours + lift / 255 * alpha) * light).clamp(min=0)
    return torch.cat([torch.minimum(colours, alpha), alpha], 3)


def _finished(image: torch.Tensor, alpha: torch.Tensor, plan: Arrays) -> torch.Tensor:
    """Return views (n, height, width, 3), uint8, varied as photos vary."""
    jitter = plan["jitter"]
    own = plan["pasted.coloured"][:, 5, None, None, None] / 255 * alpha
    image = (image + torch.randn_like(image) * own).clamp(0, 1)
    tone = torch.cat([jitter[:, :4], jitter[:, 5:6]], 1)
    image = _blurred(_toned(image, tone, jitter[:, 4]), jitter[:, 6])
    image = image + torch.randn_like(image) * (jitter[:, 7, None, None, None] / 255)
    return (image.clamp(0, 1) * 255).to(torch.uint8)


def _placed(
    matrix: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where matrices (n, 2, 3) take places; shapes (n, height, width)."""
    first, second = matrix[:, :, :, None, None].unbind(1)
    return (
        first[:, 0] * x + first[:, 1] * y + first[:, 2],
        second[:, 0] * x + second[:, 1] * y + second[:, 2],
    )


def _toned(
    image: torch.Tensor, tone: torch.Tensor, offset: torch.Tensor | None = None
) -> torch.Tensor:
    """Return images with gamma, three gains and a share of grey, tone of shape (n, 5)."""
    tone = tone[:, None, None]
    image = image.clamp(min=1e-6) ** tone[..., :1] * tone[..., 1:4]
    if offset is not None:
        image = image + offset[:, None, None, None]
    image = image.clamp(0, 1)
    grey = (image * image.new_tensor(_GREY)).sum(3, keepdim=True)
    return torch.lerp(image, grey, tone[..., 4:])


def _rods(
    rods: torch.Tensor, softness: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Return an antenna for each view, (n, height, width, 4), colours multiplied by alpha."""
    x0, y0, x1, y1, width, grey, opacity = rods[:, :, None, None].unbind(1)
    along_x, along_y = x1 - x0, y1 - y0
    length = (along_x.square() + along_y.square()).clamp(min=1e-6)
    share = (((x - x0) * along_x + (y - y0) * along_y) / length).clamp(0, 1)
    far = torch.hypot(x - x0 - share * along_x, y - y0 - share * along_y)
    there = ((width / 2 - far) / softness[:, None, None] + 0.5).clamp(0, 1)
    alpha = (there * opacity)[..., None]
    return torch.cat([(alpha * grey[..., None] / 255).expand(-1, -1, -1, 3), alpha], 3)


def _extents(shown: torch.Tensor, limit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the boxes around what is shown, within limits, and whether there is a pixel."""

    def ends(line: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count = line.shape[1]
        first = line.float().argmax(1)
        last = count - line.flip(1).float().argmax(1)
        return first.float(), last.float()

    (x0, x1), (y0, y1) = ends(shown.any(1)), ends(shown.any(2))
    low = torch.maximum(torch.stack([x0, y0], 1), limit[:, :2])
    high = torch.minimum(torch.stack([x1, y1], 1), limit[:, 2:])
    visible = shown.any(2).any(1) & ((high - low).amin(1) >= 1)
    return torch.cat([low, high], 1), visible


def _blurred(image: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Return images blurred with a Gaussian of their own, 0 for none, (n, height, width, 3)."""
    which = (sigma > 0).nonzero()[:, 0]
    if not len(which):
        return image
    offsets = torch.arange(-3, 4, device=image.device)
    weights = torch.exp(-(offsets**2) / (2 * sigma[which, None] ** 2))
    weights = (weights / weights.sum(1, keepdim=True)).permute(1, 0)[..., None, None, None]
    some = image[which]
    for axis in (1, 2):
        edge = [0, 0, *((0, 0) if axis == 1 else (3, 3)), *((3, 3) if axis == 1 else (0, 0))]
        wide = torch.nn.functional.pad(some[None], edge, mode="replicate")[0]
        some = sum(weights[i] * wide.narrow(axis, i, some.shape[axis]) for i in range(7))
    blurred = image.clone()
    blurred[which] = some
    return blurred
