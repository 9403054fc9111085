"""How far a run got: its pace, and where its memory was heading."""

from __future__ import annotations

import pytest

from posebowl.engines.base import Sample
from posebowl.results.reach import Reach, how_far, steady_pace, whole_s, words

MIB = 1 << 20
GIB = 1 << 30


def working(count: int = 21, *, per_second: float = 10, grows: int = 0) -> list[Sample]:
    """Return samples of a run that reads images at an even pace after two seconds."""
    return [
        Sample(
            elapsed_s=0.5 * i,
            memory_bytes=100 * MIB + i * grows,
            cpu_s=i,
            images=max(0, int((0.5 * i - 2) * per_second)),
        )
        for i in range(1, count + 1)
    ]


def test_the_steady_pace_leaves_out_start_and_end() -> None:
    ended = [
        *working(),
        *(Sample(elapsed_s=20 + i, memory_bytes=1, cpu_s=9, images=85) for i in range(5)),
    ]
    assert steady_pace(ended) == (2.5, pytest.approx(10))


def test_a_burst_tells_no_steady_pace() -> None:
    assert steady_pace(working(7)) is None
    assert steady_pace(working(per_second=0)) is None


@pytest.mark.parametrize(
    ("samples", "of", "seconds"),
    [
        (working(), 1085, pytest.approx(110.5)),
        (working(6), 20, pytest.approx(6)),
        (working(), 85, None),
        (working(per_second=0), 85, None),
        ([Sample(elapsed_s=1, memory_bytes=0, cpu_s=0, images=3)], 100, None),
        ([], 100, None),
    ],
)
def test_what_the_whole_would_take(samples: list[Sample], of: int, seconds: float | None) -> None:
    assert whole_s(samples, of) == seconds


def test_memory_that_grows_has_a_slope() -> None:
    found = how_far(working(grows=MIB), of=1000, last_image="b", memory_bytes=GIB)
    assert found.memory_growth == pytest.approx(120 * MIB)
    assert found.memory_full_s == pytest.approx(0.5 * (1024 - 100))
    assert (found.images, found.of, found.last_image) == (85, 1000, "b")


@pytest.mark.parametrize("grows", [0, 100, -MIB])
def test_memory_that_does_not_grow_has_none(grows: int) -> None:
    found = how_far(working(grows=grows), of=1000, last_image="", memory_bytes=GIB)
    assert found.memory_growth is None
    assert found.memory_full_s is None


def test_memory_that_goes_up_and_down_has_no_slope() -> None:
    wave = [
        Sample(elapsed_s=i, memory_bytes=(100 + 90 * (i % 2)) * MIB + i * 60_000, cpu_s=0)
        for i in range(60)
    ]
    assert how_far(wave, of=9, last_image="", memory_bytes=GIB).memory_growth is None


def test_a_run_without_samples_got_nowhere() -> None:
    found = how_far([], of=24, last_image="", memory_bytes=GIB)
    assert found == Reach(images=0, of=24)
    assert words(found, limit_s=60, memory_bytes=GIB) == ()


def test_in_words() -> None:
    found = Reach(
        images=912,
        of=1700,
        last_image="a\nb",
        whole_s=11760,
        memory_growth=85 * MIB,
        memory_full_s=2460,
    )
    assert words(found, limit_s=6300, memory_bytes=4 * GIB) == (
        (
            "It got through 912 of 1,700 images; at this pace all of them would take 3 h 16 min, "
            "1.9 times the limit."
        ),
        "The image that it read last is a\\nb.",
        (
            "Memory grew by 85.0 MiB a minute and would have met its limit of 4.0 GiB 41 min "
            "after the start."
        ),
    )
    assert words(found, limit_s=None, memory_bytes=None)[2] == "Memory grew by 85.0 MiB a minute."
    assert words(Reach(images=1, of=1), limit_s=9, memory_bytes=9) == ("It had read all 1 image.",)
