"""Ranks that can be told apart: a paired bootstrap over images, and ties that columns decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES: Final = 2_000
BEST: Final = 10
"""How many are shown each against each."""
_SEED: Final = 1901
_SURE: Final = 0.975
"""A submission is better if it is so in this share of the resamples: 95 %, in either direction."""
_EQUAL: Final = 1e-12
"""Means that differ by less are equal: sums in another order differ by as much."""
_MOST: Final = 300
"""How many submissions are compared with each other, the best."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The place of a submission on some of the images."""

    rank: int
    """Equal means share a rank, and the ranks after it are skipped."""
    rank_low: int | None
    """The best rank that these images do not rule out, with 95 % confidence for each pair."""
    rank_high: int | None
    """The worst one."""
    beats_next: float | None
    """The probability that it is better than the next; None for the last."""
    mean_iou: float
    median_iou: float
    beats: tuple[float, ...] = ()
    """The probability that it is better than each of the first BEST, if it is one of them."""
    moved: int | None = None
    """Places gained against the first subset; negative if lost."""


def probabilities(ious: Floats) -> Floats:
    """Return the probability that each submission is better than each other one.

    The images are drawn again, with replacement, RESAMPLES times, the same for all submissions:
    [a, b] is the share of the draws in which the mean of a is above that of b. A draw in which
    they are equal counts half. The seed is fixed.

    Args:
        ious: [submission, image].
    """
    count, images = ious.shape
    drawn = np.random.default_rng(_SEED).integers(images, size=(RESAMPLES, images))
    drawn += np.arange(RESAMPLES)[:, None] * images
    times = np.bincount(drawn.ravel(), minlength=RESAMPLES * images).reshape(RESAMPLES, images)
    means = np.ascontiguousarray((times @ ious.T / images).T)  # [submission, resample]
    found = np.empty((count, count))
    for index, own in enumerate(means):
        ahead = own - means
        above, below = (ahead > _EQUAL).mean(axis=1), (ahead < -_EQUAL).mean(axis=1)
        found[index] = (1 + above - below) / 2
    return found


def standings(ious: Floats) -> list[Standing]:
    """Return the place of each submission by its mean, in the order of the rows.

    Args:
        ious: [submission, image], at least one image.
    """
    if not len(ious):
        return []
    means = ious.mean(axis=1)
    medians = np.median(ious, axis=1)
    order = np.argsort(-means, kind="stable")
    best = order[:_MOST]
    chances = probabilities(ious[best])
    better = chances >= _SURE
    low, high = 1 + better.sum(axis=0), len(best) - better.sum(axis=1)
    found: dict[int, Standing] = {}
    rank = 1
    for place, index in enumerate(map(int, order)):
        if place and means[order[place - 1]] != means[index]:
            rank = place + 1
        # The worst rank of one that those left out may surpass is not known.
        known = place < len(best) and (high[place] < _MOST or len(order) == len(best))
        found[index] = Standing(
            rank=rank,
            rank_low=int(low[place]) if known else None,
            rank_high=int(high[place]) if known else None,
            beats_next=float(chances[place, place + 1]) if place + 1 < len(best) else None,
            beats=tuple(chances[place, :BEST].tolist()) if place < min(BEST, len(best)) else (),
            mean_iou=float(means[index]),
            median_iou=float(medians[index]),
        )
    return [found[index] for index in range(len(ious))]


def tied(
    names: Sequence[str], columns: Sequence[Mapping[str, float | None]]
) -> Iterator[tuple[str, ...]]:
    """Yield names from the best to the worst, those that share a rank together and sorted.

    Args:
        names: To rank.
        columns: Name -> value, of which more is better. Those after the first decide ties. One
            that does not know all of those that are tied decides nothing between them.
    """
    if not columns or len(names) == 1:
        yield tuple(sorted(names))
        return
    column, *others = columns
    values = {name: value for name in names if (value := column[name]) is not None}
    if len(values) < len(names):
        yield from tied(names, others)
        return
    for _, same in groupby(sorted(names, key=lambda n: -values[n]), key=values.__getitem__):
        yield from tied([*same], others)
