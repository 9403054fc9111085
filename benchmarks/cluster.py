"""Measure evaluations on Ray: efficiency, overhead per run, and a simulation of 1,000 machines.

    uv sync --group cluster-test --group lean
    uv run --no-sync python -m benchmarks.cluster

The same submissions, each a fixed amount of CPU time, are evaluated one after the other, on a real
cluster of one machine and on one of two: raylets of one core each, on this machine, with the
embedded engine. Efficiency is the time that main.sh ran divided by the time that the cores were
held, without the start of Ray; overhead is the rest, per run.

Then SimPy simulates 10,000 runs on 1,000 machines. Their durations are sampled from those just
recorded (or those in --recorded) and scaled to different means. Each run costs its machine the
measured overhead, and the driver, which takes one result at a time, the measured time to store
one. The ideal has no overhead: the sum of all durations divided by the machines, or the longest
duration.

    uv run --no-sync python -m benchmarks.cluster --many 2000 --keep FOLDER

evaluates so many trivial submissions, one after the other, or on the cluster of --address, and
prints the driver's memory, and the time and processor time of a run. What FOLDER holds is
resumed, so that it can be done in portions. With --simulated, machines that need no time return
the result of one real run with other boxes: the driver and the leaderboard's page are measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import tempfile
import threading
import time
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import ray
import simpy
from ray.cluster_utils import Cluster
from rich.console import Console
from rich.table import Table

from posebowl import paths
from posebowl.batch import (
    PAGE_FILE,
    EvaluationRequest,
    RunOptions,
    evaluate,
    plan,
    result_store,
    scheduler,
    shards,
)
from posebowl.batch.executor import Capacity, Completion, Executor, SerialExecutor
from posebowl.batch.node_cache import NodeCache
from posebowl.batch.plan import Job, Plan
from posebowl.batch.ray_executor import connect
from posebowl.batch.result_store import RUNS, ResultStore
from posebowl.batch.submissions import collect
from posebowl.batch.worker import JobResult
from posebowl.challenge import PREDICTIONS_FILE, EngineName, Limits, Variant
from posebowl.settings import resolve
from tests.cluster.conftest import pack

MIB = 1 << 20
CACHE = NodeCache(resolve.load().cache)
OPTIONS = RunOptions(
    variant=Variant.CPU,
    engine=EngineName.EMBEDDED,
    limits=Limits(cpus=1, memory_bytes=512 * MIB, wall_time_s=600),
)
WORK = """cp ../data/submission_format.csv ../submission/submission.csv
python - <<'END'
import time
end = time.process_time() + {seconds}
while time.process_time() < end: pass
END
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The times of one way to run the submissions."""

    name: str
    workers: int
    elapsed_s: float
    """From the start of the first job to the storing of the last result."""
    ran_s: tuple[float, ...]
    """How long main.sh ran, each time."""

    @property
    def efficiency(self) -> float:
        """Return the share of the time that cores were held in which main.sh ran."""
        return sum(self.ran_s) / (self.workers * self.elapsed_s)

    @property
    def overhead_s(self) -> float:
        """Return the time per run that cores were held and main.sh did not run."""
        return (self.workers * self.elapsed_s - sum(self.ran_s)) / len(self.ran_s)


class Quiet:
    """Ignores all events."""

    def started(self, missing: frozenset[str], kept: int) -> None:
        """Ignore it."""

    def completed(self, completion: Completion, *, again: bool) -> None:
        """Ignore it."""

    def tick(self, capacity: Any) -> None:
        """Ignore it."""


def submissions(folder: Path, count: int, seconds: float) -> Path:
    """Write zips that take between half and one and a half times so much processor time."""
    for number in range(count):
        share = 0.5 + number / max(1, count - 1)
        with zipfile.ZipFile(folder / f"{number:03}.zip", "w") as archive:
            archive.writestr("main.sh", WORK.format(seconds=seconds * share))
    return folder


def measure(name: str, workers: int, made: Plan, executor: Executor, out: Path) -> Measured:
    """Run all jobs of a plan."""
    with result_store.opened(out, resume=False) as kept, contextlib.closing(executor):
        began = time.perf_counter()
        scheduler.execute(made, kept, executor, Quiet())
        elapsed = time.perf_counter() - began
        found = [kept.result(key) for key in made.distinct]
    ran = [item.timing.wall_s for item in found if item is not None and item.timing is not None]
    if len(ran) != len(made.distinct):
        raise SystemExit(f"{name}: {len(made.distinct) - len(ran)} runs failed; see {out}")
    return Measured(name=name, workers=workers, elapsed_s=elapsed, ran_s=tuple(ran))


def start(workers: int, tries: int = 5) -> Cluster:
    """Start a cluster; retry, since Ray's agents must start within 15 s, even on a busy machine."""
    cluster = Cluster()
    try:
        for _ in range(workers):
            cluster.add_node(num_cpus=1, memory=1 << 30, object_store_memory=80 * MIB)
    except Exception:
        cluster.shutdown()
        if tries == 1:
            raise
        return start(workers, tries - 1)
    return cluster


def all_ways(made: Plan, out: Path) -> Iterator[Measured]:
    """Measure runs one after the other, and on clusters of one and two machines."""
    by_digest = {shard.digest: shard for shard in made.shards}
    # Once unmeasured: the environment is in the page cache for all of them.
    warm = plan.make(made.submissions[:1], made.whole, made.shards, OPTIONS)
    measure("warm", 1, warm, SerialExecutor(by_digest, cache=CACHE), out / "warm")
    yield measure(
        "one after the other", 1, made, SerialExecutor(by_digest, cache=CACHE), out / "serial"
    )
    for workers in (1, 2):
        cluster = start(workers)
        executor = connect(cluster.address, by_digest, OPTIONS)
        # Once unmeasured: Ray starts its workers and unpacks this project for them.
        scheduler.execute(
            plan.make(made.submissions[:workers], made.whole, made.shards, OPTIONS),
            ResultStore(out / f"ray-warm-{workers}"),
            executor,
            Quiet(),
        )
        yield measure(f"Ray, {workers} of one core", workers, made, executor, out / f"ray{workers}")
        cluster.shutdown()


def keeping_s(kept: ResultStore, key: str, scratch: Path, repeats: int = 50) -> float:
    """Measure how long it takes to store the result of a run."""
    folder = kept.folder(key)
    found = kept.result(key)
    assert found is not None  # noqa: S101
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    output = JobResult(node="", result=found, files=files)
    target = ResultStore(scratch)
    began = time.perf_counter()
    for number in range(repeats):
        target.save(f"{number:064x}", output, [])
    return (time.perf_counter() - began) / repeats


def simulate(
    durations: Sequence[float], *, machines: int, overhead_s: float, keeping_s: float
) -> float:
    """Simulate runs on machines, in order; return the time when the last result is stored."""
    world = simpy.Environment()
    slots, driver = simpy.Resource(world, machines), simpy.Resource(world, 1)

    def job(duration: float) -> Iterator[Any]:
        with slots.request() as slot:
            yield slot
            yield world.timeout(overhead_s + duration)
        with driver.request() as turn:
            yield turn
            yield world.timeout(keeping_s)

    for duration in durations:
        world.process(job(duration))
    world.run()
    return float(world.now)


def show_simulation(
    console: Console, recorded: Sequence[float], overhead_s: float, keeping: float, options: Any
) -> None:
    """Print the makespan for different means of the durations."""
    chance = random.Random(7)  # noqa: S311
    drawn = [chance.choice(recorded) for _ in range(options.runs)]
    mean = sum(drawn) / len(drawn)
    table = Table(
        title=f"{options.runs:,} runs on {options.machines:,} machines (simulated; "
        f"overhead {overhead_s:.2f} s, storing a result {keeping * 1e3:.1f} ms)"
    )
    for name in ("mean run", "ideal", "makespan", "efficiency"):
        table.add_column(name, justify="right")
    for wanted in (2.0, 60.0, 600.0, 3600.0):
        durations = [value * wanted / mean for value in drawn]
        ideal = max(sum(durations) / options.machines, *durations)
        took = simulate(
            durations, machines=options.machines, overhead_s=overhead_s, keeping_s=keeping
        )
        table.add_row(
            f"{wanted:,.0f} s", f"{ideal:,.1f} s", f"{took:,.1f} s", f"{ideal / took:.1%}"
        )
    console.print(table)


class Watch:
    """Notes every five seconds how many runs are stored, and what this process has used."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.over = threading.Event()
        self.seen: list[tuple[int, float, float]] = []  # runs, CPU seconds, bytes of memory
        self.note()
        threading.Thread(target=self._watch, daemon=True).start()

    def note(self) -> None:
        """Note it now; the processor time counts what has ended too."""
        runs = self.out / RUNS
        count = sum(1 for _ in runs.iterdir()) if runs.is_dir() else 0
        self.seen.append((count, sum(os.times()[:4]), psutil.Process().memory_info().rss))

    def _watch(self) -> None:
        while not self.over.wait(5):
            self.note()

    def growth(self) -> float:
        """Return by how many bytes a run the memory grew, after the first tenth."""
        low, high = self.seen[0][0], self.seen[-1][0]
        first = next(item for item in self.seen if item[0] >= low + (high - low) / 10)
        return (self.seen[-1][2] - first[2]) / max(1, high - first[0])


class Instant:
    """Machines that return at once what one real run returned, with other boxes."""

    max_jobs = 1000

    def __init__(self, model: JobResult) -> None:
        self._model = model
        self._waiting: deque[Job] = deque()
        self.submit = self._waiting.append

    def wait(self) -> Completion:
        """Return the next job as done."""
        job = self._waiting.popleft()
        drawn = random.Random(job.key)  # noqa: S311
        header, *lines = self._model.files[PREDICTIONS_FILE].decode().splitlines()
        low = drawn.randrange(300)
        boxes = [f"{line.split(',')[0]},{low},{low},{low + 500},{low + 500}" for line in lines]
        table = "".join(f"{line}\n" for line in (header, *boxes)).encode()
        files = {**self._model.files, PREDICTIONS_FILE: table}
        return Completion(job=job, output=replace(self._model, files=files), node="simulated")

    def capacity(self) -> Capacity:
        """Return many machines."""
        return Capacity(nodes=1000, slots=1000)

    def close(self) -> None:
        """Do nothing."""


def many(options: argparse.Namespace, console: Console) -> None:
    """Evaluate many trivial submissions, and print what that takes."""
    zips, out = options.keep / "zips", options.keep / "out"
    for number in range(options.many):
        pack(zips / f"{number:05}.zip", f"{WORK.splitlines()[0]}\n# {number}\n")
    request = EvaluationRequest(
        places=(zips,),
        out=out,
        cache=CACHE.home,
        options=OPTIONS,
        data=str(paths.DEMO_DATA),
        address=options.address,
        resume=True,
    )
    instead: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if options.simulated:
        model = evaluate(replace(request, places=(zips / "00000.zip",), out=options.keep / "model"))
        (job,) = model.plan.distinct.values()
        folder = ResultStore(model.out).folder(job.key)
        if (found := ResultStore(model.out).result(job.key)) is None:
            raise SystemExit("The real run failed.")
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        instant = Instant(JobResult(node="simulated", result=found, files=files))
        instead = mock.patch("posebowl.batch.evaluation._executor", return_value=instant)
    watch = Watch(out)
    began = time.perf_counter()
    with instead:
        done = evaluate(request)
    elapsed = time.perf_counter() - began
    watch.over.set()
    watch.note()
    runs, cpu, _ = (b - a for a, b in zip(watch.seen[0], watch.seen[-1], strict=True))
    console.print(
        f"{runs:,.0f} runs in {elapsed:,.0f} s, {watch.seen[0][0]:,} kept: "
        f"{elapsed / max(1, runs):.2f} s and {cpu / max(1, runs):.2f} CPU s a run; "
        f"memory {watch.seen[-1][2] / MIB:,.0f} MiB, "
        f"growing by {watch.growth() * 1000 / MIB:,.1f} MiB per 1,000 runs; "
        f"page {(out / PAGE_FILE).stat().st_size / MIB:.1f} MiB; verdicts "
        f"{sorted({str(row.verdict) for row in done.rows})}"
    )


def table(found: Sequence[Measured], title: str) -> Table:
    """Return the measurements as a table."""
    shown = Table(title=title)
    for heading in ("", "elapsed", "main.sh ran", "efficiency", "overhead per run"):
        shown.add_column(heading, justify="right" if heading else "left")
    for item in found:
        shown.add_row(
            item.name,
            f"{item.elapsed_s:.1f} s",
            f"{sum(item.ran_s):.1f} s",
            f"{item.efficiency:.1%}",
            f"{item.overhead_s:.2f} s",
        )
    return shown


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=12, help="submissions (12)")
    parser.add_argument("--seconds", type=float, default=4.0, help="CPU time of each (4)")
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--recorded", type=Path, help="a leaderboard.json with durations")
    parser.add_argument("--many", type=int, default=0, help="trivial submissions; see above")
    parser.add_argument("--keep", type=Path, help="the folder that --many resumes")
    parser.add_argument("--address", default="", help="of the cluster for --many")
    parser.add_argument("--simulated", action="store_true", help="--many on no machine at all")
    return parser.parse_args()


def main() -> None:
    """Measure, simulate, and print the tables."""
    options = parse()
    console = Console()
    if options.many:
        many(options, console)
        return
    with tempfile.TemporaryDirectory(dir=paths.SUBMISSION) as name:
        folder = Path(name)
        (folder / "zips").mkdir()
        zips = submissions(folder / "zips", options.count, options.seconds)
        whole = shards.load(str(paths.DEMO_DATA), CACHE.entries)
        made = plan.make(collect([zips]).submissions, whole, (whole,), OPTIONS)
        found = list(all_ways(made, folder))
        kept = ResultStore(folder / "serial")
        keeping = keeping_s(kept, next(iter(made.distinct)), folder / "keeping")
    ray.shutdown()
    console.print(table(found, f"{options.count} submissions of about {options.seconds:g} s"))
    recorded = list(found[-1].ran_s)
    if options.recorded:
        rows = json.loads(options.recorded.read_text())["rows"]
        recorded = [row["wall_s"] for row in rows if row["wall_s"]]
    show_simulation(console, recorded, found[-1].overhead_s, keeping, options)


if __name__ == "__main__":
    main()
