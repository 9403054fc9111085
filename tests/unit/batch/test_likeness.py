"""Whole matrices at once: the same numbers as pair by pair."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
from hypothesis import given, strategies as st

from posebowl.batch import likeness
from posebowl.batch.repeats import overlaps
from posebowl.challenge import BOX_COLUMNS, ID_COLUMN


@given(
    st.lists(st.sets(st.integers(0, 40)), max_size=7),
    st.lists(st.integers(1, 1 << 40), min_size=41, max_size=41),
)
def test_shared_parts_are_those_of_each_two(parts: list[set[int]], weights: list[int]) -> None:
    arrays = [np.array(sorted(one), np.int64) for one in parts]
    counted = likeness.shared(arrays)
    weighed = likeness.shared(arrays, np.array(weights, float))
    for a, b in itertools.permutations(range(len(parts)), 2):
        both = parts[a] & parts[b]
        assert counted[a, b] == len(both)
        assert weighed[a, b] == sum(weights[part] for part in both)


def test_parts_of_more_sets_of_owners_than_fit_at_once_are_all_counted() -> None:
    drawn = np.random.default_rng(3)
    parts = [np.flatnonzero(drawn.random(9000) < 0.3) for _ in range(20)]
    found = likeness.shared(parts)
    assert all(
        found[a, b] == len(np.intersect1d(parts[a], parts[b]))
        for a, b in itertools.permutations(range(20), 2)
    )


def test_boxes_overlap_as_those_of_two_tables_do() -> None:
    """Random ones, equal ones, and some without area or at the far edge."""
    drawn = np.random.default_rng(4)
    low = drawn.integers(0, [1280, 1024], (70, 50, 2))
    high = np.minimum(low + drawn.integers(0, 600, (70, 50, 2)), [1280, 1024])
    boxes = np.concatenate([low, high], axis=2)
    boxes[1] = boxes[0]
    boxes[2:5, :10, 2:] = boxes[2:5, :10, :2]
    boxes[3, :5] = boxes[2, :5]
    found = likeness.overlap(list(boxes))
    tables = [
        pl.DataFrame({ID_COLUMN: range(50)} | dict(zip(BOX_COLUMNS, table.T, strict=True)))
        for table in boxes
    ]
    for a, b in itertools.permutations([0, 1, 2, 3, 4, 63, 64, 65, 69], 2):
        expected = overlaps(tables[a], tables[b]).mean()
        assert abs(found[a, b] - float(expected)) < 1e-6  # type: ignore[arg-type]


@given(st.permutations(range(9)))
def test_groups_stand_together(names: list[int]) -> None:
    """Whatever the order in which three groups of three are given."""
    group = np.array(names) // 3
    alike = np.where(np.equal.outer(group, group), 0.9, 0.3).astype(np.float32)
    order = likeness.neighbours(alike)
    assert sorted(order) == [*range(9)]
    assert len([*itertools.groupby(group[order])]) == 3


def test_an_order_has_also_those_that_cannot_be_compared() -> None:
    assert sorted(likeness.neighbours(np.full((4, 4), np.nan, np.float32))) == [0, 1, 2, 3]
    assert likeness.neighbours(np.zeros((0, 0), np.float32)) == []


def test_the_best_pairs_have_the_highest_sums_and_ties_keep_their_order() -> None:
    one = np.array([[0, 1, 0.5], [1, 0, np.nan], [0.5, np.nan, 0]], np.float32)
    two = np.array([[0, 0, 0.5], [0, 0, 0.2], [0.5, 0.2, 0]], np.float32)
    assert likeness.best_pairs([one, two], 2) == [(0, 1), (0, 2)]
    assert likeness.best_pairs([one, two], 0) == [(0, 1), (0, 2), (1, 2)]
