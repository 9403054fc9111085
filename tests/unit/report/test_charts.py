from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from posebowl.engines.base import Sample
from posebowl.report.charts import BOTTOM, LEFT, RIGHT, TOP, Scale, steps
from posebowl.report.usage_charts import (
    binary_steps,
    bytes_over_time,
    cpu_over_time,
    images_over_time,
    memory_over_time,
    spans,
    thin,
)


def samples(count: int) -> list[Sample]:
    return [
        Sample(elapsed_s=0.5 * i, memory_bytes=(100 + i) << 20, cpu_s=1.0 * i)
        for i in range(1, count + 1)
    ]


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_scale_ends_and_clips() -> None:
    scale = Scale(low=0, high=10, start=100, stop=0)
    assert [scale(v) for v in (-5, 0, 5, 10, 20)] == [100, 100, 50, 0, 0]


def test_scale_by_logarithm() -> None:
    scale = Scale(low=1, high=100, start=0, stop=200, log=True)
    assert scale(10) == 100


def test_scale_of_nothing() -> None:
    assert Scale(low=3, high=3, start=7, stop=9)(3) == 7


@given(st.floats(1e-3, 1e12))
def test_steps_are_few_and_within(top: float) -> None:
    for values in (steps(top), binary_steps(top), spans(top)):
        assert values[0] == 0
        assert len(values) <= 7
        assert values[-1] <= top * 1.001
        assert values == sorted(set(values))


def test_whole_steps() -> None:
    assert steps(2, whole=True) == [0, 1, 2]


def test_memory_over_time_stays_in_its_frame() -> None:
    chart = memory_over_time(samples(50), limit=float(4 << 30))
    assert chart is not None
    drawn = points(chart.line)
    assert len(drawn) == 50
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in drawn)
    assert drawn[-1][1] < drawn[0][1]
    assert chart.levels == ()


def test_a_near_limit_is_drawn() -> None:
    chart = memory_over_time(samples(50), limit=float(200 << 20))
    assert chart is not None
    assert [level.label for level in chart.levels] == ["limit"]
    assert chart.levels[0].at < min(y for _, y in points(chart.line))


def test_cpu_over_time_is_a_rate() -> None:
    chart = cpu_over_time(samples(10), limit=3)
    assert chart is not None
    assert "at most 2.0" in chart.summary
    assert len({y for _, y in points(chart.line)}) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_samples_are_no_chart(count: int) -> None:
    assert memory_over_time(samples(count), limit=None) is None
    assert cpu_over_time(samples(count), limit=None) is None


def test_samples_that_are_no_numbers_are_left_out() -> None:
    broken = [*samples(5), Sample(elapsed_s=float("nan"), memory_bytes=1, cpu_s=float("inf"))]
    chart = memory_over_time(broken, limit=float("nan"))
    assert chart is not None
    assert len(points(chart.line)) == 5
    assert cpu_over_time(broken, limit=None) is not None


def test_thinning_keeps_peaks() -> None:
    many = [(float(i), 1.0) for i in range(2400)]
    many[1234] = (1234.0, 99.0)
    few = thin(many)
    assert len(few) == 300
    assert (1234.0, 99.0) in few


def working(count: int = 21, *, per_second: float = 10) -> list[Sample]:
    """Return samples of a run that reads images at an even pace after two seconds."""
    return [
        Sample(
            elapsed_s=0.5 * i,
            memory_bytes=1,
            cpu_s=i,
            read_bytes=i << 20,
            write_bytes=i << 10,
            images=max(0, int((0.5 * i - 2) * per_second)),
        )
        for i in range(1, count + 1)
    ]


def test_images_over_time_are_a_rate() -> None:
    chart = images_over_time(working())
    assert chart is not None
    assert "at most 10.0" in chart.summary
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in points(chart.line))


def test_without_a_count_there_is_no_pace() -> None:
    assert images_over_time(samples(9)) is None


def test_bytes_over_time_are_two_named_lines() -> None:
    chart = bytes_over_time(working())
    assert chart is not None
    assert chart.names == ("read", "written")
    assert min(y for _, y in points(chart.line)) < min(y for _, y in points(chart.line2))
    assert "21.0 MiB read, 21.0 KiB written" in chart.summary
    assert bytes_over_time(samples(9)) is None


def test_a_table_stands_behind_each_curve() -> None:
    for chart in (
        bytes_over_time(working(200)),
        images_over_time(working(200)),
        memory_over_time(working(200), limit=None),
    ):
        assert chart is not None
        assert 3 < len(chart.rows) <= 20
        assert {len(row) for row in chart.rows} == {len(chart.columns)}
    table = bytes_over_time(working(200))
    assert table is not None
    assert table.columns == ("Time", "Read", "Written")
    assert table.rows[-1] == ("1 min 40 s", "200.0 MiB", "200.0 KiB")


def test_the_sample_after_the_end_is_not_drawn() -> None:
    going = [*working(20), Sample(elapsed_s=10.01, memory_bytes=0, cpu_s=20.0)]
    memory, cpu = memory_over_time(going, limit=None), cpu_over_time(going, limit=None)
    assert memory is not None
    assert cpu is not None
    assert memory.rows[-1][1] != "0 B"
    assert cpu.rows[-1][1] != "0.00"
