"""Durations and sizes as people type and read them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from posebowl.errors import UsageError
from posebowl.util.units import duration, human_bytes, quantity, rate, seconds, size


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
    with pytest.raises(UsageError, match=r"is not a duration\.") as caught:
        seconds(text)
    assert caught.value.fix.startswith("Write it as")


@pytest.mark.parametrize(
    "text", [*BAD, "5ib", "5kk", "5bb", "0.4", "0.001b", "9" * 400, "99999999t"]
)
def test_no_size(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a size\.") as caught:
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
    ("seconds", "shown"),
    [
        (0.0, "0 s"),
        (0.118, "0.12 s"),
        (0.44, "0.44 s"),
        (3.04, "3.0 s"),
        (9.94, "9.9 s"),
        (9.97, "10 s"),
        (38.2, "38 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (725, "12 min 5 s"),
        (3599.6, "1 h"),
        (3605, "1 h 5 s"),
        (6300, "1 h 45 min"),
        (6301, "1 h 45 min 1 s"),
        (360_000, "100 h"),
        (7200, "2 h"),
        (float("nan"), "unknown"),
        (float("inf"), "unknown"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (90, "s", "1 min 30 s"),
        (4 << 30, "bytes", "4.0 GiB"),
        (2.38, "cores", "2.4 cores"),
        (3.0, "cores", "3 cores"),
        (0.356, "cores", "0.36 cores"),
        (128, "cores", "128 cores"),
        (7, "things", "7 things"),
        (float("nan"), "bytes", "unknown"),
    ],
)
def test_quantity(value: float, unit: str, shown: str) -> None:
    assert quantity(value, unit) == shown


@given(st.integers(10, 10**6))
def test_duration_tells_whole_seconds_exactly(whole: int) -> None:
    words = duration(whole).replace(",", "").split()
    parts = dict(zip(words[1::2], map(int, words[::2]), strict=True))
    scale = {"h": 3600, "min": 60, "s": 1}
    assert sum(count * scale[unit] for unit, count in parts.items()) == whole
    assert all(count < 60 for unit, count in parts.items() if unit != "h")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (4 << 30, "4.0 GiB"),
        (1 << 41, "2.0 TiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


@given(st.integers(0, 1 << 49))
def test_human_bytes_is_near_and_short(count: int) -> None:
    number, unit = human_bytes(count).split()
    factor = 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)
    assert abs(float(number) * factor - count) <= 0.0501 * factor
    assert float(number) < 1024


def test_a_rate_takes_longer_than_the_clock_s_tick():
    assert rate(6.0, 3.0) == 2.0
    assert rate(0.16, 0.0001) is None
    assert rate(1.0, 0.0) is None
