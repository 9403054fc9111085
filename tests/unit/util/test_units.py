"""Durations and sizes as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from posebowl.errors import UsageError
from posebowl.util.units import clock, seconds, size


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90), ("90s", 90), ("10m", 600), ("10min", 600), ("1.5h", 5400), (" 2 H ", 7200)],
)
def test_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("10b", 10),
        ("512m", 512 << 20),
        ("512MB", 512 << 20),
        ("4g", 4 << 30),
        ("4GiB", 4 << 30),
        ("1.5k", 1536),
        ("2 TIB", 2 << 40),
    ],
)
def test_size(text: str, value: int) -> None:
    assert size(text) == value


BAD = [
    "",
    " ",
    "0",
    "0.0",
    "-1",
    "+1",
    "1e3",
    "nan",
    "inf",
    ".5",
    "1.",
    "1,5",
    "1 2",
    "m",
    "5x",
    "٣",
]


@pytest.mark.parametrize("text", [*BAD, "5ms", "5d", "9" * 400, "1mm"])
def test_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no duration\.") as caught:
        seconds(text)
    assert caught.value.fix.startswith("Write it as")


@pytest.mark.parametrize(
    "text", [*BAD, "5ib", "5kk", "5bb", "0.4", "0.001b", "9" * 400, "99999999t"]
)
def test_no_size(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no size\.") as caught:
        size(text)
    assert caught.value.fix == "Write it as 512m or 4g."


@given(st.text(max_size=12))
def test_any_text_is_a_positive_quantity_or_refused(text: str) -> None:
    for read in (seconds, size):
        try:
            value = read(text)
        except UsageError:
            continue
        assert 0 < value < float("inf")


@given(st.integers(1, 10**6), st.sampled_from([("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)]))
def test_sizes_round_trip(number: int, unit: tuple[str, int]) -> None:
    assert size(f"{number}{unit[0]}") == number * unit[1]


@given(st.integers(1, 10**6), st.sampled_from([("s", 1), ("m", 60), ("h", 3600)]))
def test_durations_round_trip(number: int, unit: tuple[str, int]) -> None:
    assert seconds(f"{number}{unit[0]}") == number * unit[1]


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1:00"),
        (185, "3:05"),
        (3599.6, "1:00:00"),
        (6300, "1:45:00"),
        (360_000, "100:00:00"),
    ],
)
def test_clock(duration_s: float, text: str) -> None:
    assert clock(duration_s) == text


@given(st.integers(10, 10**6))
def test_clock_tells_whole_seconds_exactly(whole: int) -> None:
    parts = [int(part) for part in clock(whole).removesuffix(" s").split(":")]
    assert sum(part * 60**power for power, part in enumerate(reversed(parts))) == whole
    assert all(part < 60 for part in parts[1:])
