"""How long the platform would take, from times that it reported."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.engines.base import Sample
from posebowl.errors import Verdict
from posebowl.results import calibration
from posebowl.results.calibration import Point, forecast, image_seconds, make
from posebowl.results.result import Result, Timing
from tests.report_samples import passed


def ran(image_s: float, cpu: str = "Here", sha256: str = "ab") -> Result:
    """Return a run of 10 images that took so long each."""
    timing = Timing(started_at="", start_s=0, wall_s=10 * image_s, images_per_second=1 / image_s)
    return replace(passed(10), timing=timing, environment={"cpu": cpu}, archive={"sha256": sha256})


def point(quotient: float, sha256: str = "ab") -> Point:
    made = make([ran(0.5, sha256=sha256)], quotient * 0.5)
    assert made is not None
    return made


def test_one_point_gives_the_time_and_a_wide_interval() -> None:
    found = forecast(ran(0.25), [point(6000)])
    assert found is not None
    assert found.seconds == pytest.approx(1500)
    wide = math.exp(1.645 * 0.1 * math.sqrt(2))
    assert (found.low, found.high) == (pytest.approx(1500 / wide), pytest.approx(1500 * wide))
    assert found.text == "about 25 min there (20 min to 32 min), by 1 submission"


def test_points_that_agree_make_it_narrower_and_others_wider() -> None:
    def width(*quotients: float) -> float:
        found = forecast(ran(0.25), [point(q, str(q)) for q in quotients])
        assert found is not None
        return found.high / found.low

    assert width(6000, 6000, 6000) < width(6000, 6000) < width(6000) < width(4000, 9000)
    found = forecast(ran(1), [point(4000, "a"), point(9000, "b")])
    assert found is not None
    assert found.seconds == pytest.approx(6000)
    assert found.points == 2


@pytest.mark.parametrize(
    "run",
    [
        ran(0.25, cpu="Elsewhere"),
        replace(ran(0.25), variant="gpu"),
        replace(ran(0.25), verdict=Verdict.BAD_OUTPUT),
        replace(ran(0.25), timing=None),
    ],
)
def test_other_machines_and_failures_have_no_forecast(run: Result) -> None:
    assert forecast(run, [point(6000)]) is None
    assert forecast(ran(0.25), []) is None


def test_the_start_is_left_out_where_images_were_counted() -> None:
    samples = tuple(
        Sample(elapsed_s=10 + t, memory_bytes=1, cpu_s=t, images=1 + 2 * t) for t in range(5)
    )
    assert image_seconds(replace(ran(3.0), samples=samples)) == pytest.approx(0.5)
    assert image_seconds(ran(3.0)) == pytest.approx(3.0)


def test_several_runs_of_a_zip_are_one_point_by_their_median() -> None:
    failed = replace(ran(0.1), verdict=Verdict.TIME_LIMIT)
    runs = [ran(0.5), ran(0.6), ran(9.0), ran(0.1, cpu="Elsewhere"), failed]
    made = make(runs, 60)
    assert made is not None
    assert made.image_s == pytest.approx(0.6)
    assert make([failed], 60) is None
    assert make([], 60) is None


def test_a_later_time_of_the_same_zip_replaces_the_earlier(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    calibration.add(cache, point(10, "a"))
    calibration.add(cache, point(20, "b"))
    kept = calibration.add(cache, point(30, "a"))
    assert [p.quotient for p in kept] == [20, 30]
    assert calibration.read(cache) == kept


@pytest.mark.parametrize(
    "text",
    ["", "3", "{}", '{"a": 1}', "[3]", '[{"sha256": "a"}]', "[" * 100_000, "\xff", "NaN"],
)
def test_a_broken_file_counts_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / calibration.FILE).write_text(text, encoding="latin-1")
    assert calibration.read(tmp_path) == []


@pytest.mark.parametrize("value", ["0", "-1", "1e300", "NaN", "Infinity", '"1"', "null"])
def test_times_that_are_none_do_not_count(value: str, tmp_path: Path) -> None:
    kept = calibration.add(tmp_path, point(10))
    text = (tmp_path / calibration.FILE).read_text()
    assert json.loads(text)[0]["platform_s"] == kept[0].platform_s == 5
    (tmp_path / calibration.FILE).write_text(text.replace("5.0", value, 1))
    assert calibration.read(tmp_path) == []
