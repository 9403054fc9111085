"""Training views made on the training device, a batch at a time: as fast as a GPU trains on them.

Two cores make 60 views a second out of JPEG files; a GPU trains on thousands. Here all pictures lie
in its memory, and what is random about a view comes from `plans`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
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
"""Samples of a pixel along each axis: reducing without them would leave steps on every edge."""
_LEVELS: Final = 4
_AT_A_TIME: Final = 8_000_000
"""Samples that are made at once: an array of their colours has 128 MB, and there are a dozen."""
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
    plans: queue.Queue[tuple[tuple[int, int], Plan]] = queue.Queue(maxsize=4)

    def draw() -> None:
        while True:
            for one, count in counts.items():
                plans.put((one, planners[one].draw(count)))

    threading.Thread(target=draw, daemon=True).start()
    while True:
        one, plan = plans.get()
        yield maker.make(plan, one)


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
        part = max(1, _AT_A_TIME // (FINE * FINE * high * wide))
        made = [
            self._views(
                {name: one[at : at + part] for name, one in self._moved(plan).items()}, size
            )
            for at in range(0, views, part)
        ]
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

    def _moved(self, plan: Plan) -> dict[str, torch.Tensor]:
        """Return a plan's arrays on the device."""
        arrays = {f"pasted.{name}": one for name, one in vars(plan.pasted).items()}
        arrays |= {name: one for name, one in vars(plan).items() if name != "pasted"}
        found = {name: torch.from_numpy(one) for name, one in arrays.items()}
        return {
            name: (one.float() if one.is_floating_point() else one).to(self.device)
            for name, one in found.items()
        }

    def _views(
        self, plan: dict[str, torch.Tensor], size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return views (n, height, width, 3) uint8, boxes (n, 4), and which are labelled."""
        x, y = self._samples(size)
        back = self._backgrounds(plan, x, y)
        box, labelled = plan["box"], plan["labelled"]
        which = plan["with_spacecraft"].nonzero()[:, 0]
        alpha = torch.zeros(len(back), *size, device=self.device)
        if len(which):
            few = {name: one[which] for name, one in plan.items()}
            front = self._spacecraft(few, x, y)
            shown = front[..., 3] > SEEN / 255
            back[which] = front[..., :3] + back[which] * (1 - front[..., 3:])
            alpha[which] = _pooled(front[..., 3:])[..., 0]
            seen, visible = _extents(shown, few["box"])
            box, labelled = box.clone(), labelled.clone()
            box[which] = torch.where(few["measured"][:, None], seen, few["box"])
            labelled[which] &= ~few["measured"] | visible
        return self._finished(_pooled(back), alpha, plan), box, labelled

    def _samples(self, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the places of all samples, x of shape (1, 1, width), y of (1, height, 1)."""
        y, x = ((torch.arange(FINE * side, device=self.device) + 0.5) / FINE for side in size)
        return x[None, None], y[None, :, None]

    def _backgrounds(
        self, plan: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        """Return photos or backgrounds with their contrast, (n, height, width, 3), 0 to 1."""
        matrix = plan["matrix"]
        step = matrix[..., :2].abs().sum(2).mean(1) / FINE
        level = step.clamp(min=1).log2().floor().clamp(max=self.images.levels - 1).long()
        image = self.images.sample(plan["image"], level, *_placed(matrix, x, y), PADDING)
        return _toned(image[..., :3] / 255, plan["toned"])

    def _spacecraft(
        self, plan: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        """Return spacecraft with what is joined to them, (n, height, width, 4), 0 to 1.

        Colours are multiplied by alpha.
        """
        layers = [self._layer(plan, number, x, y) for number in range(2)]
        behind = plan["pasted.behind"][:, None, None, None]
        over, under = (torch.where(behind, a, b) for a, b in (layers, layers[::-1]))
        front = over + under * (1 - over[..., 3:])
        for number in range(plan["pasted.rods"].shape[1]):
            front = _with_rod(front, plan["pasted.rods"][:, number], plan["softness"], x, y)
        tint, grey, lift = (
            plan["pasted.coloured"][:, None, None, part]
            for part in (slice(3), slice(3, 4), slice(4, 5))
        )
        colours, alpha = front[..., :3], front[..., 3:]
        colours = tint * torch.lerp(colours, colours.mean(3, keepdim=True), grey)
        across, down, level = plan["pasted.shade"][:, :, None, None].unbind(1)
        light = (across * x + down * y + level).clamp(0.2, 1)[..., None]
        colours = ((colours + lift / 255 * alpha) * light).clamp(min=0)
        return torch.cat([torch.minimum(colours, alpha), alpha], 3)

    def _layer(
        self, plan: dict[str, torch.Tensor], number: int, x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        """Return a cut-out as the view shows it, (n, height, width, 4), 0 to 1.

        It is never sharper than what is behind it.
        """
        cutout, matrix = plan["pasted.cutout"][:, number], plan["pasted.placed"][:, number]
        a, b, _, c, d, _ = matrix.flatten(1).unbind(1)
        texels = (a * d - b * c).abs().sqrt()
        soft = plan["softness"]
        step = texels * torch.where(soft > 1, 0.8 * soft * 2**0.5, 1 / FINE)
        level = (step.clamp(min=1).log2() + plan["pasted.blurred"]).floor()
        level = level.clamp(max=self.cutouts.levels - 1).long()
        across, down = _placed(matrix, x, y)
        layer = self.cutouts.sample(cutout.clamp(min=0), level, across, down, 0) / 255
        kept = (cutout >= 0)[:, None, None].expand_as(across)
        if number == 0:
            n_x, n_y, limit = plan["pasted.cut"][:, :, None, None].unbind(1)
            kept = kept & (n_x * across + n_y * down < limit)
        return layer * kept[..., None]

    def _finished(
        self, image: torch.Tensor, alpha: torch.Tensor, plan: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Return views (n, height, width, 3), uint8, varied as photos vary."""
        jitter = plan["jitter"]
        own = plan["pasted.coloured"][:, 5, None, None] / 255 * alpha
        image = (image + torch.randn_like(image) * own[..., None]).clamp(0, 1)
        tone = torch.cat([jitter[:, :4], jitter[:, 5:6]], 1)
        image = _toned(image, tone, jitter[:, 4])
        image = _blurred(image, jitter[:, 6])
        noise = jitter[:, 7, None, None, None] / 255
        image = image + torch.randn_like(image) * noise
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


def _with_rod(
    front: torch.Tensor,
    rod: torch.Tensor,
    softness: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
) -> torch.Tensor:
    """Return spacecraft with an antenna each, in front; rods of shape (n, 6), width 0 for none."""
    if not bool((rod[:, 4] > 0).any()):
        return front
    x0, y0, x1, y1, width, grey = rod[:, :, None, None].unbind(1)
    along_x, along_y = x1 - x0, y1 - y0
    length = (along_x.square() + along_y.square()).clamp(min=1e-6)
    share = (((x - x0) * along_x + (y - y0) * along_y) / length).clamp(0, 1)
    far = torch.hypot(x - x0 - share * along_x, y - y0 - share * along_y)
    edge = softness[:, None, None] / FINE
    alpha = ((width / 2 - far) / edge + 0.5).clamp(0, 1) * (width > 0)
    colours = alpha[..., None] * grey[..., None] / 255
    laid = torch.cat([colours.expand(*alpha.shape, 3), alpha[..., None]], 3)
    return laid + front * (1 - alpha[..., None])


def _pooled(fine: torch.Tensor) -> torch.Tensor:
    """Return the means of the samples of each pixel, (n, height, width, channels)."""
    views, high, wide, channels = fine.shape
    return fine.reshape(views, high // FINE, FINE, wide // FINE, FINE, channels).mean((2, 4))


def _extents(shown: torch.Tensor, limit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the boxes around what is shown, within limits, and whether there is a pixel."""

    def ends(line: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count = line.shape[1]
        first = line.float().argmax(1)
        last = count - line.flip(1).float().argmax(1)
        return first / FINE, last / FINE

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
