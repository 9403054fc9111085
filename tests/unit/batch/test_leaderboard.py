"""The leaderboard: ranks, ties, failures, and untrusted text in CSV and HTML."""

from __future__ import annotations

import csv
import dataclasses
import html as html_module
import io
import json
import re
from pathlib import Path

import pytest

from posebowl.batch import leaderboard, leaderboard_page, plan
from posebowl.batch.merge import key_of
from posebowl.batch.plan import Job, Plan, RunOptions
from posebowl.batch.result_store import Attempt, ResultStore
from posebowl.batch.shards import Dataset
from posebowl.batch.submissions import Submission
from posebowl.batch.worker import JobResult
from posebowl.challenge import LIMITS, EngineName, Variant
from posebowl.data.manifest import Entry
from posebowl.errors import Verdict
from posebowl.results.result import ScoreSummary
from tests.report_samples import passed

EVIL = '=cmd|"<script>alert(1)</script>'
SCORES = {"b": 0.5, "a": 0.5, "c": 0.75, EVIL: 0.25}


def planned(names: list[str]) -> Plan:
    whole = Dataset(
        source="/data/test",
        submission_format=b"image_id,xmin,ymin,xmax,ymax\na,0,0,0,0\n",
        labels=b"image_id,xmin,ymin,xmax,ymax\na,1,2,3,4\n",
        entries=(Entry(name="images/a.png", bytes=1, sha256="0" * 64),),
        in_place=True,
    )
    submissions = [
        Submission(name=name, archive=Path(f"{i}.zip"), sha256=f"{i:064x}", bytes=1)
        for i, name in enumerate(names)
    ]
    options = RunOptions(
        variant=Variant.CPU, engine=EngineName.EMBEDDED, limits=LIMITS[Variant.CPU]
    )
    return plan.make(submissions, whole, [whole], options)


def job(made: Plan, name: str) -> Job:
    return next(jobs[0] for item, jobs in made.jobs.items() if item.name == name)


def put(
    store: ResultStore,
    made: Plan,
    name: str,
    verdict: Verdict,
    score: float | None,
    **changes: object,
) -> None:
    found = dataclasses.replace(
        passed(),
        verdict=verdict,
        message=f"it ended as {name}",
        score=None if score is None else ScoreSummary(mean_iou=score, median_iou=score, images=1),
        **changes,  # type: ignore[arg-type]
    )
    files = {"result.json": found.to_json().encode(), "report.html": b"", "log.txt": b""}
    attempts = [
        Attempt(node="m1", verdict="ENGINE_ERROR", reason="disk full"),
        Attempt(node="", verdict="", reason="its worker died"),
        Attempt(node="m2", verdict=verdict, reason=""),
    ]
    output = JobResult(node="m2", result=found, files=files)
    store.save(job(made, name).key, output, attempts)
    submission = next(item for item in made.submissions if item.name == name)
    store.results.save(key_of(made, submission), output, [])


@pytest.fixture
def board(tmp_path: Path) -> tuple[Plan, tuple[leaderboard.Row, ...]]:
    names = [*SCORES, "slow", "broken", "absent"]
    made, store = planned(names), ResultStore(tmp_path)
    for name, score in SCORES.items():
        put(store, made, name, Verdict.OK, score)
    put(store, made, "slow", Verdict.TIME_LIMIT, None)
    put(store, made, "broken", Verdict.RUNTIME_ERROR, None)
    return made, leaderboard.rows(made, store)


def test_ties_share_a_rank_and_failures_have_none(board) -> None:
    _, rows = board

    assert [(row.rank, row.submission) for row in rows] == [
        (1, "c"), (2, "a"), (2, "b"), (4, EVIL), (None, "slow"), (None, "broken"), (None, "absent"),
    ]  # fmt: skip
    assert rows[-1].verdict is Verdict.ENGINE_ERROR
    assert rows[0].retried == ("m1: disk full", "its worker died")
    assert rows[0].tries == 3


def test_a_row_tells_where_it_ran_and_what_did_not_hold(tmp_path: Path) -> None:
    made, store = planned(["a", "b"]), ResultStore(tmp_path)
    put(store, made, "a", Verdict.OK, 0.5, unenforced={"memory": "a watchdog checks it"})
    put(store, made, "b", Verdict.INVALID_PREDICTIONS, None, environment={"cpu": "Z80"})

    good, bad = leaderboard.rows(made, store)
    page = leaderboard_page.render(made, (good, bad))

    assert good.machines == ("m2",)
    assert bad.machines == ("m2 (Z80)",)
    assert good.unenforced == ("memory: a watchdog checks it",)
    assert good.images_per_second is not None
    assert bad.images_per_second is None  # though its main.sh succeeded
    assert "Ran on m2 (Z80)" in page
    assert "Not enforced: memory" in page


def test_no_folder_of_this_machine_is_on_the_leaderboard(board) -> None:
    made, rows = board
    texts = (leaderboard.to_json(made, rows), leaderboard_page.render(made, rows))

    assert not any("/data/test" in text for text in texts)
    assert json.loads(texts[0])["data"] == "test"
    assert json.loads(texts[0])["infrastructure_failures"] == 1


def test_json_holds_all_rows_and_how_they_came_about(board) -> None:
    made, rows = board
    table = json.loads(leaderboard.to_json(made, rows))

    assert [row["submission"] for row in table["rows"]] == [row.submission for row in rows]
    assert table["limits"]["cpus"] == 3
    assert table["data_sha256"] == made.whole.digest


def test_a_spreadsheet_finds_no_formula(board) -> None:
    _, rows = board
    table = list(csv.DictReader(io.StringIO(leaderboard.to_csv(rows))))

    assert len(table) == len(rows)
    assert table[3]["submission"] == f"'{EVIL}"
    assert [row["rank"] for row in table[:3]] == ["1", "2", "2"]


def test_the_page_shows_untrusted_text_and_runs_none(board) -> None:
    html = leaderboard_page.render(*board)

    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(1)" in html
    assert html.count("<tr ") == 8
    assert "default-src 'none'" in html_module.unescape(html)
    assert re.search(r"4 of 7 submissions passed", html)
    assert 'href="results/' in html
    assert "disk full" in html
    assert "--resume" in html


def test_without_labels_nobody_is_ranked(tmp_path: Path) -> None:
    made = planned(["a"])
    made = dataclasses.replace(made, whole=dataclasses.replace(made.whole, labels=None))
    store = ResultStore(tmp_path)
    put(store, made, "a", Verdict.OK, None)

    rows = leaderboard.rows(made, store)

    assert rows[0].rank is None
    assert "the data has no labels" in leaderboard_page.render(made, rows)
