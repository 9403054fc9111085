"""The median and the spread of several runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posebowl.cli.views import repeated
from posebowl.results.result import Result, ScoreSummary
from tests.report_samples import passed


def of(wall_s: float, cpu_s: float) -> Result:
    result = passed()
    assert result.timing is not None
    timing = replace(
        result.timing, wall_s=wall_s, images_per_second=6 / wall_s, cpu_s_per_image=cpu_s
    )
    score = ScoreSummary(mean_iou=0.5, median_iou=0.5, images=6)
    return replace(result, timing=timing, score=score)


def test_median_and_spread(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [of(6.0, 0.5), of(9.0, 0.51), of(5.0, 0.5)]
    found = {spread.name: spread for spread in repeated.spreads(runs)}
    assert (found["Time"].median, found["Time"].least, found["Time"].most) == (6.0, 5.0, 9.0)
    assert found["Time"].share == pytest.approx(4 / 6)
    assert found["Mean IoU"].share == 0
    assert found["CPU time of an image"].runs == 3
    repeated.show(runs)
    shown = capsys.readouterr().out
    assert "3 runs" in shown
    assert "The times spread by 67% of their median" in shown
    repeated.show([of(6.0, 0.5)] * 2)
    assert "spread by" not in capsys.readouterr().out


def test_runs_without_numbers_have_no_spread() -> None:
    bare = replace(passed(), timing=None, meters={})
    assert repeated.spreads([bare, bare]) == []
