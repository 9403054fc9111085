"""What an evaluation prints of each run that ends."""

from __future__ import annotations

import dataclasses
import io
import re
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


def test_the_runs_under_way_are_named_with_machine_and_time() -> None:
    clock = iter(range(0, 1000, 10))
    made = planned([f"team-{number}" for number in range(8)])
    running = dict.fromkeys(made.distinct, "node-1")
    first = next(iter(running))
    seen = io.StringIO()
    console = Console(file=seen, width=40)

    progress = Progress(made, console, now=lambda: next(clock))
    progress.tick(Capacity(nodes=2, slots=2, running={first: "node-" + "2" * 40}))
    progress.tick(Capacity(nodes=2, slots=8, running=running | {first: "node-" + "2" * 40}))
    console.print(progress.shown())
    lines = seen.getvalue().splitlines()

    assert lines[0].startswith("0 of 8 submissions")
    assert re.search(r"^ +\d+ s  team-0 on node-2+…$", lines[1])
    assert re.search(r"^ +\d+ s  team-1 on node-1$", lines[2])
    assert lines[-1].strip() == "and 2 more"
    assert max(map(len, lines)) <= 40

    (job, *_) = made.distinct.values()
    progress.completed(Completion(job=job, output=good()), again=True)
    assert "team-0 on" not in "".join(line.plain for line in progress.shown().renderables)


def test_without_a_terminal_what_runs_is_printed_now_and_then() -> None:
    made, clock, seen = planned(["a"]), iter([0, 10, 40, 41, 42, 43]), io.StringIO()
    (job,) = made.distinct.values()

    progress = Progress(made, Console(file=seen, width=200), now=lambda: next(clock))
    progress.tick(Capacity(nodes=1, slots=1, running={job.key: "m"}))
    assert not seen.getvalue()
    progress.tick(Capacity(nodes=1, slots=1, running={job.key: "m"}))

    assert "a on m" in seen.getvalue()
