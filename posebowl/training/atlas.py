"""Images on the training device, sampled at any place and reduction, many views at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_AT_A_TIME = 256
"""Images that are reduced at once: as floats they take five times the memory."""


class Atlas:
    """Images of one size and their reductions by half, as one array of RGBA pixels."""

    def __init__(
        self, images: Sequence[npt.NDArray[np.uint8]], *, levels: int, device: Any
    ) -> None:
        """Copy images to a device.

        Args:
            images: Arrays of shape (n, height, width, 3 or 4), numbered one after the other, with
                sides that can be halved `levels - 1` times; without alpha they are opaque.
            levels: How many sizes there are, the images' own included.
            device: Where they are kept.
        """
        self.height, self.width = images[0].shape[1:3]
        self.levels = levels
        count = sum(map(len, images))
        sizes = [(self.height >> level) * (self.width >> level) for level in range(levels)]
        starts = np.cumsum([0, *(count * size for size in sizes)])
        self.starts = torch.from_numpy(starts[:-1]).to(device)
        # One array, filled in parts: there is no room for two on most devices.
        self.pixels = torch.empty(int(starts[-1]), dtype=torch.int32, device=device)
        filled = 0
        for some in images:
            for at in range(0, len(some), _AT_A_TIME):
                part = torch.from_numpy(some[at : at + _AT_A_TIME]).to(device)
                if part.shape[3] == 3:
                    part = torch.cat([part, torch.full_like(part[..., :1], 255)], 3)
                number = len(part)
                for start, size in zip(starts.tolist(), sizes, strict=False):
                    flat = part.reshape(-1, 4).view(torch.int32).reshape(-1)
                    self.pixels[start + filled * size :][: number * size] = flat
                    part = _halved(part)
                filled += number

    def sample(
        self,
        image: torch.Tensor,
        level: torch.Tensor,
        x: torch.Tensor,
        y: torch.Tensor,
        outside: int,
    ) -> torch.Tensor:
        """Sample one image for each view, bilinearly.

        Args:
            image: The images' numbers, shape (views,).
            level: How often each is halved, shape (views,).
            x: Places in pixels of the whole image, shape (views, height, width); corners of pixels
                are whole numbers.
            y: The same.
            outside: The value of all channels beyond the image.

        Returns:
            Shape (views, height, width, 4), 0 to 255.
        """
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        level = level[:, None, None]
        wide, high = self.width >> level, self.height >> level
        start = self.starts[level] + image[:, None, None] * (wide * high)
        scale = torch.exp2(-level.float())
        left, right, across = _neighbours(x * scale, wide)
        top, bottom, down = _neighbours(y * scale, high)
        above, below = start + top * wide, start + bottom * wide
        upper = torch.lerp(self._at(above + left), self._at(above + right), across)
        lower = torch.lerp(self._at(below + left), self._at(below + right), across)
        return torch.where(inside[..., None], torch.lerp(upper, lower, down), float(outside))

    def _at(self, index: torch.Tensor) -> torch.Tensor:
        """Return pixels as floats, shape (..., 4)."""
        found = self.pixels[index]
        return found.view(torch.uint8).reshape(*index.shape, 4).float()


def _halved(images: torch.Tensor) -> torch.Tensor:
    """Return images at half their size, shape (n, height / 2, width / 2, 4)."""
    planes = images.permute(0, 3, 1, 2).float()
    smaller = torch.nn.functional.avg_pool2d(planes, 2).round().to(torch.uint8)
    return smaller.permute(0, 2, 3, 1).contiguous()


def _neighbours(
    place: torch.Tensor, length: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the pixels before and after places along an axis, and how near the latter is."""
    centred = torch.minimum((place - 0.5).clamp(min=0), length - 1.0)
    before = centred.floor()
    share = (centred - before)[..., None]
    first = before.long()
    return first, torch.minimum(first + 1, length - 1), share
