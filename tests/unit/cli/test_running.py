"""One submission, run several times."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.cli import running
from posebowl.errors import Verdict
from posebowl.results import Result
from posebowl.run import Request
from tests.report_samples import passed

FAILED = replace(passed(), verdict=Verdict.TIME_LIMIT)


@pytest.fixture
def request_() -> Request:
    return Request(archive=Path("a.zip"), out=Path("out"), cache=Path("cache"))


@pytest.mark.parametrize(
    ("ends", "code", "runs"),
    [([passed()] * 3, 0, 3), ([passed(), FAILED, passed()], FAILED.verdict.exit_code, 2)],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_submission_is_run_until_it_does_not_pass(
    *,
    ends: list[Result],
    code: int,
    runs: int,
    as_json: bool,
    request_: Request,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = iter(ends)
    monkeypatch.setattr("posebowl.run.run", lambda *_, **__: next(left), raising=False)
    assert running.carry_out_often(request_, as_json, 3) == code
    shown = capsys.readouterr().out
    if as_json:
        document = json.loads(shown)
        assert [run["verdict"] for run in document["runs"]] == [end.verdict for end in ends[:runs]]
        assert [spread["name"] for spread in document["spreads"]] == [
            "Time",
            "Speed",
            "Peak memory",
        ]
    else:
        assert shown.count("Verdict ") == runs
        assert f"{runs} runs" in shown


def test_one_run_is_one_result(
    request_: Request, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("posebowl.run.run", lambda *_, **__: passed(), raising=False)
    assert running.carry_out_often(request_, as_json=True, repeat=1) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "OK"
