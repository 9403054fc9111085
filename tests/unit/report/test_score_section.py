"""What a report says of a score."""

from __future__ import annotations

from dataclasses import replace

from posebowl.report.score_section import score_view
from posebowl.scoring.metric import score
from tests.report_samples import names, shifted, table, truths


def test_score_view() -> None:
    truth = truths(30)
    view = score_view(score(table(names(30), shifted(truth)), table(names(31), [*truth, truth[0]])))
    assert view is not None
    assert sum(row.images for row in view.sizes) == 30
    assert view.sizes[0].sizes == "under 32"
    assert dict(view.facts)["images scored"] == "30"
    assert dict(view.facts)["labels without prediction"] == "1"
    assert [chart.name for chart in view.charts] == ["histogram", "size", "position", "shape"]


def test_the_score_of_no_image_is_not_shown() -> None:
    one = table(names(1), truths(1))
    scored = score(one, one)
    assert score_view(replace(scored, frame=scored.frame.clear())) is None
