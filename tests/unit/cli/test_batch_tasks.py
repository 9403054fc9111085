"""The tasks for many submissions, as people see them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from posebowl.batch.evaluation import EvaluationRequest, evaluate
from posebowl.cli import child
from posebowl.cli.tasks import batch
from posebowl.cli.views import leaderboard
from posebowl.errors import UsageError
from tests.unit.batch.conftest import data, of_two

__all__ = ["data", "of_two"]


def test_a_terminal_shows_subsets_teams_and_repeats(
    of_two: EvaluationRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    leaderboard.leaderboard(evaluate(dataclasses.replace(of_two, verify=("a",))))

    shown = capsys.readouterr().out
    assert re.search(r"images/s +time +public +private +submission", shown)
    assert "#1 (+1)" in shown
    assert "a (Ada)" in shown
    assert "a: Not all of its runs were made." in shown


def test_twins_are_shown_without_a_verdict(
    of_two: EvaluationRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    (of_two.places[0] / "broken.zip").write_bytes(b"no zip")
    places = [str(place) for place in of_two.places]

    assert batch.twins({"places": places, "top": "1"}) is None
    shown = capsys.readouterr().out
    assert re.search(r"weights +boxes +code +submissions", shown)
    assert "and 2 pairs less alike" in shown
    assert "These zips cannot be read, so only boxes are compared: broken." in shown
    batch.twins({"places": places, "json": True})
    assert len(json.loads(capsys.readouterr().out)["pairs"]) == 3
    page = of_two.out / "twins.html"
    batch.twins({"places": places, "top": "2", "page": str(page), "json": True})
    assert len(json.loads(capsys.readouterr().out)["pairs"]) == 2
    assert "<h1>Twins</h1>" in page.read_text()
    with pytest.raises(UsageError, match="already exists"):
        batch.twins({"places": places, "page": str(page)})


def test_verify_shows_what_holds(
    of_two: EvaluationRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "seal.zip"
    evaluate(dataclasses.replace(of_two, seal=path))
    given = {"file": str(path), "zips": [str(place) for place in of_two.places]}

    assert batch.verify(given) == 0
    assert "yes  the submissions are those.\n" in capsys.readouterr().out
    (of_two.places[0] / "a.zip").write_bytes((of_two.places[0] / "b.zip").read_bytes())
    assert batch.verify(given) == 1
    assert "no   the submissions are those. Not so: a.\n" in capsys.readouterr().out
    assert batch.verify({**given, "json": True}) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["problem"] for finding in findings if finding["problem"]] == ["Not so: a."]


def test_the_environment_for_clusters_is_given_the_same_options(
    of_two: EvaluationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was typed; settings as flags too, since they may come from elsewhere."""
    became: list[str] = []
    monkeypatch.setattr(child, "lacks", lambda *_: True)
    monkeypatch.setattr(child, "python", lambda *_: Path("python"))

    def become(_: Path, __: str, words: list[str]) -> None:
        became.extend(words)
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "become", become)
    place = str(of_two.places[0])
    typed = {"places": [place], "address": "local", "ties": ["wall_s"], "json": True}
    with pytest.raises(KeyboardInterrupt):
        batch.evaluate({**typed, "time_limit": "90s", "shards": "2", "resume": True})

    assert became[0] == "evaluate"
    flags = {"--address=local", "--ties=wall_s", "--json", "--shards=2", "--resume"}
    assert {*flags, "--time-limit=90.0", place} <= {*became}
