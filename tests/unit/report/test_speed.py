from __future__ import annotations

from dataclasses import replace

import pytest

from posebowl.engines.base import Sample
from posebowl.errors import Verdict
from posebowl.report.speed import speed_view
from posebowl.results import Forecast
from tests.report_samples import passed


def test_a_run_that_never_started_has_no_speed() -> None:
    assert speed_view(replace(passed(), timing=None)) is None


@pytest.mark.parametrize(
    ("rate", "count"), [(3.0, "18,900"), (0.01, "63"), (1000.0, "6,300,000"), (7.777, "48,900")]
)
def test_forecast_for_the_platforms_time(rate: float, count: str) -> None:
    result = passed()
    assert result.timing
    view = speed_view(replace(result, timing=replace(result.timing, images_per_second=rate)))
    assert view is not None
    assert f"In 105 minutes this solution can do about {count} images" in view.forecast


def test_the_platforms_time_follows_if_it_is_known() -> None:
    there = Forecast(seconds=4260, low=3720, high=5040, points=2)
    view = speed_view(replace(passed(), on_platform=there))
    assert view is not None
    assert view.forecast.endswith(
        "All images of the platform would take about 1 h 11 min there (1 h 2 min to 1 h 24 min), "
        "by 2 submissions."
    )


@pytest.mark.parametrize("rate", [None, 0.0, float("nan"), float("inf")])
def test_no_forecast_without_a_rate(rate: float | None) -> None:
    result = passed()
    assert result.timing
    view = speed_view(replace(result, timing=replace(result.timing, images_per_second=rate)))
    assert view is not None
    assert (view.rate, view.forecast) == (None, "")


def test_a_failed_run_has_no_rate() -> None:
    view = speed_view(replace(passed(), verdict=Verdict.BAD_OUTPUT, samples=()))
    assert view is not None
    assert view.rate is None
    assert view.charts == ()
    assert ("main.sh took", "6.0 s") in view.facts


def reading(images: int = 30) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            elapsed_s=i / 2, memory_bytes=1, cpu_s=i, read_bytes=i << 20, images=min(i * 3, images)
        )
        for i in range(12)
    )


@pytest.mark.parametrize(
    ("images_from", "note"),
    [
        ("reads", "as the kernel saw it"),
        ("log", "by lines such as 120/500"),
        ("", "bytes read are shown instead"),
        ("junk", "bytes read are shown instead"),
    ],
)
def test_the_page_says_how_images_were_counted(images_from: str, note: str) -> None:
    view = speed_view(replace(passed(), images_from=images_from, samples=reading()))
    assert view is not None
    assert note in view.note
    assert view.charts[0].name == "pace"
    assert ("from then on", "6.0 images/s") in view.facts


def test_where_nothing_counts_images_the_bytes_stand_in() -> None:
    view = speed_view(replace(passed(), samples=reading(images=0)))
    assert view is not None
    assert "bytes read are shown instead" in view.note
    assert [chart.name for chart in view.charts] == ["memory", "cpu", "bytes"]
