"""`invoke stress`, with solutions that are functions of a data folder."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from posebowl.challenge import COLUMNS, FORMAT_FILE, IMAGES_DIR, PREDICTIONS_FILE
from posebowl.cli import output, stress as trials
from posebowl.cli.stress import Outcome
from posebowl.cli.views import stress as shown
from posebowl.engines.base import Sample
from posebowl.errors import UsageError, Verdict
from posebowl.paths import DEMO_DATA
from posebowl.results import Result
from posebowl.run import Request
from posebowl.scoring import read_format
from posebowl.settings import resolve
from tests.report_samples import passed
from tests.unit.batch.test_plan import zipped

PASSED = dataclasses.replace(passed(), samples=())

Solution = Callable[[Path, list[str], int], int]
"""The first corner of a box, from a photo, all ids, and the place of the photo's id."""


def tried(solution: Solution, ends: Callable[[Path], Result] = lambda _: PASSED) -> list[Outcome]:
    """Run a solution on all folders."""

    def carry_out(request: Request) -> Result:
        assert request.data is not None
        assert (request.keep_runs, request.unscored) == (0, True)
        ids = read_format(request.data / FORMAT_FILE).to_list()
        rows = [",".join(COLUMNS)]
        for at, image_id in enumerate(ids):
            x = solution(request.data / IMAGES_DIR / f"{image_id}.png", ids, at) % 1000
            rows.append(f"{image_id},{x},10,{x + 5},20")
        request.out.mkdir()
        (request.out / PREDICTIONS_FILE).write_text("\n".join(rows) + "\n")
        return ends(request.data)

    settings = dataclasses.replace(resolve.defaults(), data=DEMO_DATA)
    return trials.stress(settings, Path(__file__), count=5, many=11, carry_out=carry_out)


def by_content(photo: Path, _: list[str], __: int) -> int:
    return sum(photo.read_bytes()[2000:2100])


def changed(outcomes: list[Outcome]) -> set[str]:
    return {one.name for one in outcomes if one.changed}


def test_a_sound_solution_differs_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = tried(by_content)
    assert len(outcomes) == 9
    assert not any(one.differs for one in outcomes)
    assert trials.exit_code(outcomes) == 0
    assert outcomes[-1].compared == 11
    shown.show(outcomes)
    assert "Nothing differed in 9 runs." in capsys.readouterr().out
    output.present(outcomes, shown.show, as_json=True)
    assert [row["name"] for row in json.loads(capsys.readouterr().out)][:2] == ["plain", "again"]


def test_a_zip_is_inspected_once_for_all_runs(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip")
    requests: list[Request] = []

    def carry_out(request: Request) -> Result:
        requests.append(request)
        request.out.mkdir()
        assert request.data is not None
        rows = (request.data / FORMAT_FILE).read_text()
        (request.out / PREDICTIONS_FILE).write_text(rows)
        return PASSED

    settings = dataclasses.replace(resolve.defaults(), data=DEMO_DATA)
    trials.stress(settings, archive, count=5, many=11, carry_out=carry_out)

    (packed,) = {id(request.packed): request.packed for request in requests}.values()
    assert len(requests) == 9
    assert packed is not None
    assert packed.archive.main_script == "true"
    assert packed.sha256 == sha256(archive.read_bytes()).hexdigest()


def test_what_an_answer_must_not_depend_on_is_found() -> None:
    assert "renamed" in changed(tried(lambda photo, _, __: sum(photo.stem.encode())))
    assert changed(tried(lambda _, __, at: at)) >= {"renamed", "one", "many"}
    assert changed(tried(lambda photo, ids, at: by_content(photo, ids, at) + len(ids))) == {
        "one",
        "many",
    }
    count = itertools.count()
    assert "again" in changed(tried(lambda *_: next(count)))


def test_a_failure_on_odd_data_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    failed = dataclasses.replace(
        PASSED, verdict=Verdict.RUNTIME_ERROR, message="main.sh ended with exit code 1."
    )
    outcomes = tried(by_content, lambda data: failed if data.name == "truncated" else PASSED)
    assert [one.name for one in outcomes if one.differs] == ["truncated"]
    assert trials.exit_code(outcomes) == 1
    shown.show(outcomes)
    text = capsys.readouterr().out
    assert "truncated: RUNTIME_ERROR with one image ends half-way. main.sh ended" in text


def test_memory_that_would_be_full_in_time_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    samples = tuple(
        Sample(elapsed_s=t, memory_bytes=(100 + t) << 20, cpu_s=t, images=t) for t in range(20)
    )
    grown = dataclasses.replace(passed(), samples=samples)
    outcomes = tried(by_content, lambda data: grown if data.name == "many" else PASSED)
    assert outcomes[-1].memory_growth == pytest.approx(60 << 20)
    assert [one.name for one in outcomes if one.differs] == ["many"]
    shown.show(outcomes)
    text = capsys.readouterr().out
    assert "60.0 MiB/min" in text
    assert "many: at this growth, memory is full" in text


def test_without_a_plain_run_there_is_nothing_to_compare_with() -> None:
    failed = dataclasses.replace(passed(), verdict=Verdict.BAD_OUTPUT)
    outcomes = tried(by_content, lambda _: failed)
    assert [(one.name, one.verdict) for one in outcomes] == [("plain", Verdict.BAD_OUTPUT)]
    assert trials.exit_code(outcomes) == Verdict.BAD_OUTPUT.exit_code


def test_ctrl_c_ends_all_runs() -> None:
    stopped = dataclasses.replace(PASSED, verdict=Verdict.INTERRUPTED)
    outcomes = tried(by_content, lambda data: stopped if data.name == "one" else PASSED)
    assert [one.name for one in outcomes] == ["plain", "again", "renamed", "one"]
    assert trials.exit_code(outcomes) == 130


def test_a_mistyped_zip_ends_it_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"none\.zip does not exist"):
        trials.stress(resolve.defaults(), tmp_path / "none.zip", count=5, many=0)
    assert capsys.readouterr().err == ""
