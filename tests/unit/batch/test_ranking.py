"""Ranks that can be told apart, and ties that columns decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from posebowl.batch import ranking


def noisy(means: list[float], images: int, spread: float) -> ranking.Floats:
    """Return IoUs that share what is hard in each image, and differ by a little noise."""
    drawn = np.random.default_rng(7)
    hard = drawn.normal(0, 0.1, images)
    return np.array([mean + hard + drawn.normal(0, spread, images) for mean in means])


def test_the_bootstrap_agrees_with_theory() -> None:
    one, two = noisy([0.5, 0.501], 1_700, 0.02)
    ahead = two - one
    z = ahead.mean() / (ahead.std() / math.sqrt(len(ahead)))
    expected = 0.5 * (1 + math.erf(z / math.sqrt(2)))

    found = ranking.probabilities(np.array([two, one]))

    assert found[0, 1] == pytest.approx(expected, abs=0.02)
    assert found[0, 1] + found[1, 0] == pytest.approx(1.0)
    assert found[0, 0] == 0.5


def test_pairs_tell_apart_what_their_intervals_do_not() -> None:
    """The images differ far more than the submissions, which is the same for all of them."""
    ious = noisy([0.80, 0.79], 400, 0.02)
    error = ious.std(axis=1) / math.sqrt(400)
    assert ious[0].mean() - error[0] < ious[1].mean() + error[1]

    first, second = ranking.standings(ious)

    assert (first.rank_low, first.rank_high) == (1, 1)
    assert (second.rank_low, second.rank_high) == (2, 2)
    assert first.beats_next is not None
    assert first.beats_next > 0.975
    assert second.beats_next is None


def test_those_that_images_do_not_tell_apart_share_ranks() -> None:
    close = noisy([0.8, 0.8, 0.8], 50, 0.05)
    far = noisy([0.2], 50, 0.05)

    found = ranking.standings(np.vstack([far, close]))

    assert (found[0].rank, found[0].rank_low, found[0].rank_high) == (4, 4, 4)
    assert [(place.rank_low, place.rank_high) for place in found[1:]] == [(1, 3)] * 3
    assert sorted(place.rank for place in found[1:]) == [1, 2, 3]


def test_equal_ones_share_a_rank_and_neither_is_better() -> None:
    same = noisy([0.7], 30, 0.1)[0]

    one, two, three = ranking.standings(np.array([same, same, same - 0.1]))

    assert (one.rank, two.rank, three.rank) == (1, 1, 3)
    assert one.beats_next == 0.5
    assert (one.rank_low, one.rank_high) == (1, 2)


def test_the_same_images_give_the_same_ranks() -> None:
    ious = noisy([0.5, 0.51, 0.52], 100, 0.1)

    assert ranking.standings(ious) == ranking.standings(ious)


def test_what_more_submissions_could_surpass_has_no_worst_rank(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranking, "_MOST", 3)

    found = ranking.standings(noisy([0.9, 0.5, 0.5, 0.49], 200, 0.05))

    assert (found[0].rank_low, found[0].rank_high) == (1, 1)
    assert [place.rank_high for place in found[1:]] == [None] * 3
    assert ranking.standings(np.empty((0, 5))) == []


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([], [("a", "b", "c", "d")]),
        ([{"a": 1, "b": 2, "c": 1, "d": 1}], [("b",), ("a", "c", "d")]),
        (
            [{"a": 1, "b": 2, "c": 1, "d": 1}, {"a": 1, "b": 9, "c": 3, "d": 1}],
            [("b",), ("c",), ("a", "d")],
        ),
        # One of those that are tied is unknown, so the column after it decides.
        (
            [
                {"a": 1, "b": 2, "c": 1, "d": 1},
                {"a": 1, "b": 9, "c": 3, "d": None},
                {"a": 3, "b": 0, "c": 2, "d": 1},
            ],
            [("b",), ("a",), ("c",), ("d",)],
        ),
    ],
)
def test_columns_decide_ties_in_their_order(
    columns: list[dict[str, float | None]], expected: list[tuple[str, ...]]
) -> None:
    assert [*ranking.tied("dcba", columns)] == expected


def test_the_first_ten_are_shown_each_against_each() -> None:
    ious = noisy([0.5 + at / 50 for at in range(12)], 100, 0.1)

    found = sorted(ranking.standings(ious), key=lambda place: place.rank)

    assert [len(place.beats) for place in found] == [10] * 10 + [0] * 2
    for at, place in enumerate(found[:9]):
        assert place.beats[at] == 0.5
        assert place.beats[at + 1] == place.beats_next
        assert place.beats[at + 1] + found[at + 1].beats[at] == pytest.approx(1.0)
