"""What is random about colours, drawn at once for any number of views.

Views that are made one by one and views that are made on a GPU vary by these same lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from posebowl.training.augment import Augmentation

Draws = npt.NDArray[np.float64]


def background_colours(rng: np.random.Generator, count: int) -> Draws:
    """Draw contrast, brightness, tint and saturation of backgrounds.

    Returns:
        Gamma, three gains and the share of grey, (count, 5).
    """
    gamma = np.exp(rng.normal(0, 0.35, (count, 1)))
    gain = np.exp(rng.normal(0, 0.3, (count, 1)) + rng.normal(0, 0.12, (count, 3)))
    return np.concatenate([gamma, gain, rng.random((count, 1)) ** 2], 1)


def spacecraft_colours(rng: np.random.Generator, dark: npt.NDArray[np.bool_]) -> Draws:
    """Draw brightness, tint, saturation and contrast of spacecraft, of which some lie in shadow.

    Returns:
        Three gains, the share of grey, and what is added to each byte, (count, 5).
    """
    count = len(dark)
    shadow, light = rng.uniform(0.08, 0.4, (count, 1)), np.exp(rng.normal(0, 0.3, (count, 1)))
    gain = np.where(dark[:, None], shadow, light) * np.exp(rng.normal(0, 0.08, (count, 3)))
    grey, lift = rng.random((count, 1)) ** 2, rng.normal(0, 12, (count, 1))
    return np.concatenate([gain, grey, lift], 1)


def photo_variation(rng: np.random.Generator, augmentation: Augmentation, count: int) -> Draws:
    """Draw how views vary as photos do.

    Returns:
        Gamma, three gains, offset, whether grey, and the standard deviations of blur in pixels and
        of noise in bytes, 0 for none, (count, 8).
    """
    tone, one, three = augmentation.tone, (count, 1), (count, 3)
    gamma = np.exp(tone * rng.normal(0, 0.2, one))
    gain = np.exp(tone * (rng.normal(0, 0.12, one) + rng.normal(0, 0.05, three)))
    offset = tone * rng.normal(0, 0.015, one)
    grey = rng.random(one) < augmentation.grey
    blur = rng.uniform(0.4, 1.2, one) * (rng.random(one) < augmentation.blur)
    noise = rng.uniform(1, 12, one) * (rng.random(one) < augmentation.noise)
    return np.concatenate([gamma, gain, offset, grey, blur, noise], 1)
