"""History and comparison in the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posebowl.cli.views import runs
from posebowl.errors import Verdict
from posebowl.paths import SUBMISSION
from posebowl.results.comparison import compare
from tests.report_samples import truths
from tests.unit.results.test_comparison import better_and_worse, run_of


def test_history_has_a_row_for_each_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.out, "width", 200)
    truth = truths(5)
    good = run_of(tmp_path, 1, truth, labels=truth)
    bad = run_of(tmp_path, 2, None, verdict=Verdict.BAD_ARCHIVE, timing=None, meters={}, engine="")
    runs.history([bad, good], more=3, folder=tmp_path, usual=SUBMISSION)
    lines = capsys.readouterr().out.splitlines()
    words = ["000002", "2024-05-01", "12:00", "submission.zip", "0f0f0f0f", "BAD_ARCHIVE"]
    assert lines[1].split() == [*words, "-", "-", "-", "-"]
    words = ["000001", "2024-05-01", "12:00", "submission.zip", "0f0f0f0f", "OK", "1.0000", "5.0"]
    assert lines[2].split()[:8] == words
    assert lines[-2:] == [
        "3 older; --limit 0 shows all.",
        f"Next: uv run invoke compare previous last --folder {tmp_path}",
    ]


def test_a_history_fits_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.out, "width", 80)
    run = run_of(tmp_path, 1, None, verdict=Verdict.INVALID_PREDICTIONS)
    runs.history([run], more=0, folder=SUBMISSION, usual=SUBMISSION)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Run", "When", "(UTC)", "Submission", "Verdict", "IoU", "Images/s"]
    assert max(map(len, lines)) <= 80


def test_an_empty_history_says_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.history([], more=0, folder=SUBMISSION, usual=SUBMISSION)
    runs.history([], more=0, folder=tmp_path, usual=SUBMISSION)
    next_step = "No runs yet. Next: uv run invoke run"
    assert capsys.readouterr().out.splitlines() == [next_step, f"{next_step} --out {tmp_path}"]


def test_rows_for_programs_are_json(tmp_path: Path) -> None:
    run = run_of(tmp_path, 1, truths(5), labels=truths(5))
    row = json.loads(json.dumps(runs.history_row(run), default=str))
    assert (row["verdict"], row["mean_iou"], row["run"]) == ("OK", 1.0, run.name)
    assert Path(row["folder"]) == run.folder


def test_a_comparison_tells_all_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.comparison(better_and_worse(tmp_path))
    text = capsys.readouterr().out
    parts = ["Verdict", "Mean IoU", "Peak memory", "20 better, 4 worse, 6 equal of 30 images"]
    parts += ["95 % interval", "a real change", "Most gained", "Most lost"]
    found = [text.index(part) for part in parts]
    assert found == sorted(found)


def test_untrusted_text_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;title\x07[red]x[/]"
    before = run_of(tmp_path, 1, truths(2), ids=[evil, "b"], environment={"a": evil})
    after = run_of(
        tmp_path, 2, truths(3)[1:], ids=[evil, "b"], environment={"a": "2"}, archive={"path": evil}
    )
    runs.history([before, after], more=0, folder=tmp_path, usual=SUBMISSION)
    runs.comparison(compare(before, after))
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "[red]x[/]" in text.replace("\n", "")
