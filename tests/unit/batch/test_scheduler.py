"""From plan to store: what is retried, how often, and what is never run again."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from posebowl.batch import result_store, scheduler
from posebowl.batch.executor import Capacity, Completion
from posebowl.batch.plan import Job
from posebowl.batch.result_store import ResultStore
from posebowl.batch.worker import JobResult, failure
from posebowl.errors import BusyError, UsageError, Verdict
from tests.report_samples import passed
from tests.unit.batch.test_leaderboard import job, planned

Ends = Callable[[Job, int], JobResult | None]


class Made:
    """An executor whose jobs end as they are told to."""

    max_jobs = 2

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._running: deque[Job] = deque()
        self.tries: Counter[str] = Counter()
        self.closed = False

    def submit(self, job: Job) -> None:
        self._running.append(job)
        assert len(self._running) <= self.max_jobs

    def wait(self) -> Completion:
        job = self._running.popleft()
        self.tries[job.submission.name] += 1
        output = self._ends(job, self.tries[job.submission.name])
        return Completion(job=job, output=output, lost="" if output else "power cut", node="m")

    def capacity(self) -> Capacity:
        return Capacity(nodes=1, slots=2)

    def close(self) -> None:
        self.closed = True


class Quiet:
    def started(self, missing: frozenset[str], kept: int) -> None: ...
    def completed(self, completion: Completion, *, again: bool) -> None: ...
    def tick(self, capacity: Capacity) -> None: ...


def good(verdict: Verdict = Verdict.OK) -> JobResult:
    found = dataclasses.replace(passed(), verdict=verdict)
    return JobResult(node="m", result=found, files={"result.json": found.to_json().encode()})


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[ResultStore]:
    with result_store.opened(tmp_path / "out", resume=False) as opened:
        yield opened


def run(kept: ResultStore, ends: Ends, names: tuple[str, ...] = ("a", "b", "c")) -> Made:
    executor = Made(ends)
    scheduler.execute(planned(list(names)), kept, executor, Quiet())
    return executor


def verdict_of(kept: ResultStore, name: str) -> Verdict | None:
    found = kept.result(job(planned(["a", "b", "c"]), name).key)
    return found.verdict if found else None


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.TIME_LIMIT, Verdict.BAD_ARCHIVE])
def test_what_a_submission_did_is_final(kept: ResultStore, verdict: Verdict) -> None:
    first = run(kept, lambda *_: good(verdict))
    second = run(kept, lambda *_: pytest.fail("it was run again"))

    assert first.tries == {"a": 1, "b": 1, "c": 1}
    assert not second.tries


def test_a_failed_machine_is_tried_again_so_often_and_no_more(kept: ResultStore) -> None:
    def ends(job: Job, attempt: int) -> JobResult:
        if job.submission.name == "a" or (job.submission.name == "b" and attempt == 1):
            return failure(job, "no disk", "buy one")
        return good()

    done = run(kept, ends)

    assert done.tries == {"a": scheduler.MAX_TRIES, "b": 2, "c": 1}
    assert verdict_of(kept, "a") is Verdict.ENGINE_ERROR
    assert verdict_of(kept, "b") is Verdict.OK
    reasons = [item.reason for item in kept.attempts(job(planned(["a", "b", "c"]), "b").key)]
    assert reasons == ["no disk", ""]


def test_an_engine_error_is_run_again_when_resumed(kept: ResultStore) -> None:
    run(kept, lambda job, _: failure(job, "no disk", ""))
    again = run(kept, lambda *_: good())

    assert again.tries == {"a": 1, "b": 1, "c": 1}
    assert verdict_of(kept, "a") is Verdict.OK


def test_one_that_brings_down_every_machine_comes_to_an_end(kept: ResultStore) -> None:
    done = run(kept, lambda job, _: None if job.submission.name == "b" else good())

    assert done.tries == {"a": 1, "b": scheduler.MAX_LOSSES, "c": 1}
    assert verdict_of(kept, "b") is Verdict.ENGINE_ERROR


def test_ctrl_c_keeps_what_had_ended(kept: ResultStore) -> None:
    def ends(job: Job, _: int) -> JobResult:
        if job.submission.name == "b":
            raise KeyboardInterrupt
        return good()

    executor = Made(ends)
    with pytest.raises(KeyboardInterrupt):
        scheduler.execute(planned(["a", "b", "c"]), kept, executor, Quiet())

    assert [verdict_of(kept, name) for name in "abc"] == [Verdict.OK, None, None]


def test_a_result_is_whole_or_not_there(kept: ResultStore) -> None:
    files = {"result.json": b"{}", "no/such/folder": b""}
    with pytest.raises(FileNotFoundError):
        kept.save("0" * 64, dataclasses.replace(good(), files=files), [])

    assert not kept.finished("0" * 64)
    assert not kept.folder("0" * 64).exists()


def test_an_evaluation_is_gone_on_with_only_if_asked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with result_store.opened(out, resume=False) as first:
        (out / result_store.PLAN_FILE).write_text("{}")
        with pytest.raises(BusyError), result_store.opened(out, resume=True):
            pass
        assert first.result("0" * 64) is None

    with pytest.raises(UsageError, match="already"), result_store.opened(out, resume=False):
        pass
    with result_store.opened(out, resume=True):
        pass
