"""Scores apart from runs: published from what was stored, and again when labels change."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest
from PIL import Image

from posebowl.batch import evaluation, leaderboard, plan, result_store, scheduler, shards
from posebowl.batch.evaluation import EvaluationRequest, _Board, _chosen, evaluate
from posebowl.batch.executor import Capacity, Completion
from posebowl.batch.merge import publish
from posebowl.batch.plan import Plan
from posebowl.batch.result_store import ResultStore
from posebowl.batch.submissions import collect
from posebowl.batch.worker import JobResult
from posebowl.data import manifest
from posebowl.errors import UsageError, Verdict
from posebowl.run import BUSY
from tests.conftest import BOXES, IDS, write_table
from tests.report_samples import passed
from tests.unit.batch.test_plan import OPTIONS, zipped
from tests.unit.batch.test_scheduler import Made, Quiet


def planned(data: Path, zips: Path, count: int = 1) -> Plan:
    whole = shards.load(str(data), manifest.look)
    found = collect([zips]).submissions
    return plan.make(found, whole, shards.split(whole, count), OPTIONS)


def ran(shard: shards.Dataset, tmp_path: Path) -> JobResult:
    """Return what a machine sends back for a solution that is always right."""
    count = len(shard.entries)
    result = dataclasses.replace(passed(count), score=None)
    here = [IDS.index(Path(entry.name).stem) for entry in shard.entries]
    write_table(tmp_path / "all.csv", BOXES)
    header, *rows = (tmp_path / "all.csv").read_text().splitlines()
    table = "\n".join([header, *(rows[index] for index in here)]) + "\n"
    files = {
        "result.json": result.to_json().encode(),
        "submission.csv": table.encode(),
        "log.txt": b"done\n",
    }
    return JobResult(node="m", result=result, files=files)


@pytest.mark.parametrize("count", [1, 3])
def test_stored_predictions_are_scored_again_with_new_labels(
    data: Path, tmp_path: Path, count: int
) -> None:
    zips, out = zipped(tmp_path / "zips/a.zip").parent, tmp_path / "out"
    made = planned(data, zips, count)
    store = ResultStore(out)
    store.folder("").mkdir(parents=True)
    store.results.folder("").mkdir(parents=True)
    for job in made.distinct.values():
        store.save(job.key, ran(made.shards[job.shard_index], tmp_path), [])
    request = EvaluationRequest(
        places=(zips,),
        out=out,
        cache=tmp_path / "cache",
        options=OPTIONS,
        data=str(data),
        shards=count,
        rescore=True,
    )

    (right,) = evaluate(request).rows
    write_table(data / "train_labels.csv", [(0, 0, 1, 1)] * len(IDS))
    (wrong,) = evaluate(request).rows

    assert right.mean_iou == 1.0
    assert wrong.mean_iou is not None
    assert wrong.mean_iou < 0.1
    assert (out / wrong.report).is_file()
    assert right.report != wrong.report
    assert len(list((out / "runs").iterdir())) == count


@pytest.mark.parametrize(
    ("only", "again"), [(("a",), {"a"}), (("OK",), {"a", "b"}), (("TIME_LIMIT", "b"), {"b", "c"})]
)
def test_chosen_ones_are_run_again_and_published_again(
    data: Path, tmp_path: Path, only: tuple[str, ...], again: set[str]
) -> None:
    for name in "abc":
        zipped(tmp_path / f"zips/{name}.zip", name)
    made = planned(data, tmp_path / "zips")
    with result_store.opened(tmp_path / "out", resume=False) as store:

        def first(job: plan.Job, _: int) -> JobResult:
            output = ran(made.whole, tmp_path)
            if job.submission.name != "c":
                return output
            late = dataclasses.replace(output.result, verdict=Verdict.TIME_LIMIT)
            files = {"result.json": late.to_json().encode()}
            return dataclasses.replace(output, result=late, files=files)

        def second(_: plan.Job, __: int) -> JobResult:
            broken = dataclasses.replace(passed(6), verdict=Verdict.BAD_OUTPUT, score=None)
            files = {"result.json": broken.to_json().encode()}
            return JobResult(node="m", result=broken, files=files)

        board = _Board(made, store)
        scheduler.execute(made, store, Made(first), board)
        board.write()
        executor = Made(second)
        scheduler.execute(made, store, executor, board, _chosen(made, store, only))
        rows = board.write()

    assert set(executor.tries) == again
    assert {row.submission for row in rows if row.verdict is Verdict.BAD_OUTPUT} == again
    with pytest.raises(UsageError, match="No submission is called d"):
        _chosen(made, store, ("d",))


@pytest.mark.parametrize("interrupted", [False, True])
def test_all_runs_are_ended_before_the_last_leaderboard(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    def end(*_: object) -> JobResult:
        if interrupted:
            raise KeyboardInterrupt
        return table_of([*BOXES], tmp_path)

    page = tmp_path / "out/leaderboard.html"

    class Closes(Made):
        def close(self) -> None:
            super().close()
            assert "refresh" in page.read_text()

    executor = Closes(end)
    monkeypatch.setattr(evaluation, "_executor", lambda *_: executor)
    zips = zipped(tmp_path / "zips/a.zip").parent
    request = EvaluationRequest(
        places=(zips,), out=tmp_path / "out", cache=tmp_path / "cache", options=OPTIONS,
        data=str(data),
    )  # fmt: skip

    with contextlib.suppress(KeyboardInterrupt):
        evaluate(request)

    assert executor.closed
    assert "refresh" not in page.read_text()


def test_what_was_not_run_is_not_scored(data: Path, tmp_path: Path) -> None:
    zips = zipped(tmp_path / "zips/a.zip").parent
    request = EvaluationRequest(
        places=(zips,), out=tmp_path / "out", cache=tmp_path / "cache", options=OPTIONS,
        data=str(data), rescore=True,
    )  # fmt: skip

    (row,) = evaluate(request).rows

    assert (row.verdict, row.message) == (Verdict.ENGINE_ERROR, "It was not run.")


def test_the_leaderboard_is_there_while_runs_go_on_and_after_ctrl_c(
    data: Path, tmp_path: Path
) -> None:
    for name in "abc":
        zipped(tmp_path / f"zips/{name}.zip", name)
    made, store = planned(data, tmp_path / "zips"), ResultStore(tmp_path)
    store.results.folder("").mkdir()
    store.folder("").mkdir()
    board = _Board(made, store)
    heard: list[float | None] = []

    class Heard(Quiet):
        def completed(self, completion: Completion, *, again: bool) -> None:
            assert not again
            assert completion.output is not None
            assert completion.output.result.score is not None
            heard.append(completion.output.result.score.mean_iou)

    def ends(job: plan.Job, _: int) -> JobResult:
        if job.submission.name == "b":
            rows = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
            assert [row["mean_iou"] for row in rows] == [1.0, None, None]
            assert [row["message"] for row in rows[1:]] == ["It was not run."] * 2
            raise KeyboardInterrupt
        return ran(made.whole, tmp_path)

    board.listener = Heard()
    with pytest.raises(KeyboardInterrupt):
        scheduler.execute(made, store, OneByOne(ends), board)
    rows = board.write()

    assert heard == [1.0]
    assert [row.mean_iou for row in rows] == [1.0, None, None]
    assert leaderboard.to_csv(rows) == (tmp_path / "leaderboard.csv").read_text()


class OneByOne(Made):
    max_jobs = 1


def test_leaderboards_of_very_many_are_written_rarely(data: Path, tmp_path: Path) -> None:
    """What they take is measured: each is made to take a minute here, of an hour so far."""
    made, store = planned(data, zipped(tmp_path / "zips/a.zip").parent), ResultStore(tmp_path)
    board = _Board(made, store)
    written = []
    board._write_files = lambda **_: written.append(1)  # type: ignore[method-assign,assignment,return-value]
    capacity = Capacity(nodes=1, slots=1)

    board.tick(capacity)
    board._began -= 3600
    board._spent_s = 180
    board.tick(capacity)
    assert len(written) == 2
    board._spent_s = 240
    board.tick(capacity)
    assert len(written) == 2


def table_of(boxes: list[tuple[int, int, int, int]], tmp_path: Path, digest: str = "") -> JobResult:
    """Return what a machine sends back for a solution with these boxes."""
    write_table(tmp_path / "boxes.csv", boxes)
    result = dataclasses.replace(passed(len(IDS)), score=None)
    result = dataclasses.replace(result, archive=result.archive | {"sha256": digest})
    files = {
        "result.json": result.to_json().encode(),
        "submission.csv": (tmp_path / "boxes.csv").read_bytes(),
        "log.txt": b"done\n",
    }
    return JobResult(node="secret-machine", result=result, files=files)


def half_right(right: range) -> list[tuple[int, int, int, int]]:
    return [box if at in right else (0, 0, 1, 1) for at, box in enumerate(BOXES)]


def test_subsets_have_ranks_and_leaderboards_of_their_own(of_two: EvaluationRequest) -> None:
    best, other = evaluate(of_two).rows

    assert (best.submission, best.team, best.rank) == ("b", "<b>Bo", 1)
    assert [(name, place.rank, place.moved) for name, place in best.subsets.items()] == [
        ("public", 2, 0), ("private", 1, 1),
    ]  # fmt: skip
    assert other.subsets["private"].moved == -1
    assert other.subsets["public"].mean_iou == 1.0
    assert "public_mean_iou" in (of_two.out / "leaderboard.csv").read_text().partition("\n")[0]
    page = (of_two.out / "leaderboard.html").read_text()
    assert "&lt;b&gt;Bo" in page
    assert "1.0000 · 1 (up 1)" in page
    assert best.beats[1] == best.beats_next
    assert "Who is better" in page
    assert f"<td>{100 * (best.beats_next or 0):.0f}</td>" in page


def test_the_leaderboard_of_a_subset_tells_nothing_of_the_others(
    of_two: EvaluationRequest,
) -> None:
    best, other = evaluate(of_two).rows
    public = json.loads((of_two.out / "leaderboard-public.json").read_text())
    texts = [(of_two.out / f"leaderboard-public.{kind}").read_text() for kind in _KINDS]

    assert [(row["submission"], row["rank"], row["mean_iou"]) for row in public["rows"]] == [
        ("a", 1, 1.0), ("b", 2, pytest.approx(best.subsets["public"].mean_iou)),
    ]  # fmt: skip
    assert public["images"] == 2
    assert public["labels_sha256"] == ""
    for text in texts:
        assert "private" not in text
        assert "secret-machine" not in text
        assert "results/" not in text
        for row in (best, other):
            assert f"{row.mean_iou:.4f}" not in text


_KINDS = ("html", "csv", "json")


def test_photos_are_made_small_once_for_the_reports_of_all(
    of_two: EvaluationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []
    opened = Image.open
    monkeypatch.setattr(
        Image, "open", lambda path, **words: decoded.append(path) or opened(path, **words)
    )

    rows = evaluate(of_two).rows

    assert sum("data:image" in (of_two.out / row.report).read_text() for row in rows) == 2
    assert len(decoded) == len(set(decoded)) > 0


def test_reports_without_photos_show_neither_truth_nor_scores(of_two: EvaluationRequest) -> None:
    shown = evaluate(of_two).rows
    hidden = evaluate(dataclasses.replace(of_two, no_photos=True)).rows

    with_photos = (of_two.out / shown[0].report).read_text()
    without = (of_two.out / hidden[0].report).read_text()
    assert "truth" in with_photos
    assert "data:image" in with_photos
    assert f"{shown[0].mean_iou:.3f}" in with_photos
    assert "data:image" not in without
    assert f"{shown[0].mean_iou:.3f}" not in without
    assert [row.mean_iou for row in hidden] == [row.mean_iou for row in shown]


def test_there_is_nothing_to_split_without_labels(of_two: EvaluationRequest) -> None:
    (Path(str(of_two.data)) / "train_labels.csv").unlink()

    with pytest.raises(UsageError, match="--split needs labels"):
        evaluate(of_two)


def test_the_page_refreshes_itself_until_all_is_over(of_two: EvaluationRequest) -> None:
    assert of_two.data is not None
    made = planned(Path(of_two.data), of_two.places[0])
    board = _Board(made, ResultStore(of_two.out))
    page = of_two.out / "leaderboard.html"

    board.tick(Capacity(nodes=1, slots=1))
    assert '<meta http-equiv="refresh"' in page.read_text()
    board.write()
    assert '<meta http-equiv="refresh"' not in page.read_text()


def test_speed_is_ranked_where_the_machine_was_quiet(tmp_path: Path, data: Path) -> None:
    """Three are equal: speed decides between them only if all three ran undisturbed."""
    for name in "abc":
        zipped(tmp_path / f"zips/{name}.zip", name)
    made, store = planned(data, tmp_path / "zips"), ResultStore(tmp_path / "out")
    board = _Board(made, store, leaderboard.Rules(ties=("images_per_second",)))
    speeds = {"a": 1.0, "b": 3.0, "c": 2.0}

    def put(busy: str) -> list[tuple[str, int | None, int | None]]:
        for job in made.distinct.values():
            name = job.submission.name
            output = ran(made.whole, tmp_path)
            assert output.result.timing is not None
            timing = dataclasses.replace(output.result.timing, images_per_second=speeds[name])
            warnings = (f"{BUSY}: a backup ran.",) if name == busy else ()
            result = dataclasses.replace(
                output.result, timing=timing, warnings=warnings, other_cores=0.1
            )
            files = output.files | {"result.json": result.to_json().encode()}
            store.save(job.key, dataclasses.replace(output, files=files), [])
            publish(made, job.submission, store, renew=True)
        return [(row.submission, row.rank, row.speed_rank) for row in board.write()]

    assert put(busy="") == [("b", 1, 1), ("c", 2, 2), ("a", 3, 3)]
    assert put(busy="b") == [("a", 1, 2), ("b", 1, None), ("c", 1, 1)]
