"""What an evaluation prints of each run that ends."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

from rich.console import Console

from posebowl.batch import plan
from posebowl.batch.executor import Capacity, Completion
from posebowl.batch.progress import Progress
from posebowl.batch.submissions import Submission
from tests.unit.batch.test_leaderboard import planned
from tests.unit.batch.test_scheduler import good


def test_equal_zips_are_one_run_of_two_names() -> None:
    made = planned(["a"])
    (first,) = made.submissions
    second: Submission = dataclasses.replace(first, name="b", archive=Path("b.zip"))
    made = plan.make((first, second), made.whole, made.shards, made.options)
    (job,) = made.distinct.values()
    seen = io.StringIO()

    with Progress(made, Console(file=seen, width=200)) as progress:
        progress.started(frozenset({job.key}), 0)
        progress.tick(Capacity(nodes=1, slots=1))
        before = progress.status().plain
        progress.completed(Completion(job=job, output=good()), again=False)

    assert before.startswith("0 of 2 submissions · 0 of 1 run")
    assert progress.status().plain.startswith("2 of 2 submissions · 1 of 1 run")
    assert "a, b  not scored" in seen.getvalue()
