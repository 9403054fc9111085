"""How alike many things are, each with each: shared parts by an index, boxes by whole arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from posebowl.util.host import usable_cores

Matrix = NDArray[np.float32]
"""A value from 0 to 1 for each pair; NaN where there is nothing to compare."""

_OWNER_BITS: Final = 22
_SETS: Final = 4096
"""Sets of owners that are multiplied at once."""
_TILE: Final = 64
"""Tables that are compared with one at once: what fits into the cache of a core."""


def shared(
    parts: Sequence[NDArray[np.int64]], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the weight of the parts that each two of many things share; 0 for each with itself.

    Parts are looked up, not compared: each is listed with its owners, and all parts with the same
    owners are counted at once, however many there are.

    Args:
        parts: The parts of each thing as numbers below 2**40, each once.
        weights: Of the parts, by number; None: each weighs 1.
    """
    count = len(parts)
    if not sum(map(len, parts)):
        return np.zeros((count, count))
    keys = np.concatenate([(one << _OWNER_BITS) | at for at, one in enumerate(parts)])
    keys.sort()
    part, owner = keys >> _OWNER_BITS, keys & ((1 << _OWNER_BITS) - 1)
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    sizes = np.diff(starts, append=len(part))
    # Sets of owners are told apart by sums of random numbers, 64 bits each.
    ids = np.random.default_rng(20240501).integers(0, 1 << 63, count, dtype=np.uint64)
    sets = np.add.reduceat(ids[owner], starts)[sizes > 1]
    starts, sizes = starts[sizes > 1], sizes[sizes > 1]
    _, example, group = np.unique(sets, return_index=True, return_inverse=True)
    total = np.bincount(group, None if weights is None else weights[part[starts]], len(example))
    # Sums of ones are exact in half the bytes.
    kind = np.float32 if weights is None else np.float64
    found = np.zeros((count, count))
    for low in range(0, len(example), _SETS):
        chosen = example[low : low + _SETS]
        has = np.zeros((count, len(chosen)), kind)
        for column, (start, size) in enumerate(zip(starts[chosen], sizes[chosen], strict=True)):
            has[owner[start : start + size], column] = 1.0
        found += (has * total[low : low + _SETS].astype(kind)) @ has.T
    return found


def overlap(tables: Sequence[NDArray[np.int64]]) -> Matrix:
    """Return the mean IoU of the boxes of each two tables; equal boxes overlap by 1.

    Args:
        tables: xmin, ymin, xmax, ymax of each box, in pixels: (images, 4), the same images.
    """
    count = len(tables)
    boxes = np.array(tables, np.int16).transpose(2, 0, 1).copy()  # (4, tables, images)
    width, height = (np.subtract(boxes[k + 2], boxes[k], dtype=np.float32) for k in (0, 1))
    area = width * height
    found = np.ones((count, count), np.float32)

    def compare(one: int) -> None:
        for low in range(one + 1, count, _TILE):
            rest = slice(low, low + _TILE)
            x, y = (
                np.minimum(boxes[k + 2, one], boxes[k + 2, rest])
                - np.maximum(boxes[k, one], boxes[k, rest])
                for k in (0, 1)
            )
            inter = np.multiply(np.maximum(x, 0), np.maximum(y, 0), dtype=np.float32)
            union = area[one] + area[rest] - inter
            empty = union == 0
            if empty.any():
                equal = (boxes[:, one, None] == boxes[:, rest]).all(axis=0)
                inter[empty], union[empty] = equal[empty], 1
            found[one, rest] = found[rest, one] = (inter / union).mean(axis=1)

    with ThreadPoolExecutor(usable_cores()) as pool:
        for _ in pool.map(compare, range(count)):
            pass
    return found


def neighbours(alike: Matrix) -> list[int]:
    """Return an order in which those that are alike stand together.

    It is that in which Prim's algorithm reaches them, as in VAT (Bezdek and Hathaway, 2002): each
    time the one that is most like any so far, so that a group is entered and left only once.
    """
    values = np.nan_to_num(alike, nan=-1.0)
    np.fill_diagonal(values, -1.0)
    best = np.full(len(values), -2.0)
    left = np.ones(len(values), dtype=bool)
    order: list[int] = []
    at = int(values.max(axis=1).argmax()) if len(values) else 0
    while left.any():
        order.append(at)
        left[at] = False
        best = np.maximum(best, values[at])
        at = int(np.where(left, best, -3.0).argmax())
    return order


def best_pairs(scores: Iterable[Matrix], most: int) -> list[tuple[int, int]]:
    """Return the pairs with the highest sums, the highest first; in all ties the earliest.

    Args:
        scores: What is summed; NaN counts as 0.
        most: How many pairs; 0: all.
    """
    total = np.nansum(np.array([*scores]), axis=0)
    one, two = np.triu_indices(len(total), 1)
    order = np.argsort(-total[one, two], kind="stable")[: most or None]
    return [(int(one[at]), int(two[at])) for at in order]
