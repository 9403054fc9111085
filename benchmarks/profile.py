"""Measure what watching costs a run: the same work with and without the profile.

    uv run python -m benchmarks.profile [--repeats 5] [--engine docker] [--seconds 5]

A main.sh keeps all of its cores busy with a fixed amount of work and prints how long that took.
Runs that are watched as usual alternate with runs that are left alone until they end. The ratio of
their medians is the cost of watching; the lowest and the highest ratio of neighbouring runs show
how noisy the machine was. The last column is steadier: the CPU time that the harness itself used
for watching (minus what it uses without), as a share of one core.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from benchmarks.harness import make_data, usable
from posebowl.challenge import LIMITS, EngineName, Variant
from posebowl.engines import RunSpec, Watcher, select
from posebowl.engines.base import Engine
from posebowl.engines.embedded import engine as embedded
from posebowl.engines.oci import sandbox as container
from posebowl.run.image_progress import following
from posebowl.settings import resolve
from posebowl.submission.packer import pack

_CALIBRATE = 2_000_000
_NEVER_S = 1e6
_WORK = """\
import multiprocessing, os, time

def work(rounds: int) -> None:
    value = 1
    for _ in range(rounds):
        value = value * 1103515245 + 12345 & 0x7FFFFFFF

if __name__ == "__main__":
    start = time.perf_counter()
    workers = len(os.sched_getaffinity(0))
    with multiprocessing.Pool(workers) as pool:
        pool.map(work, [ROUNDS] * workers)
    print(time.perf_counter() - start)
"""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One run: the time of its work, and what the harness used meanwhile."""

    work_s: float
    harness_share: float
    samples: int


def main() -> None:
    """Measure each engine, and print one row for it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of work in each run, about")
    parser.add_argument("--engine", type=EngineName, action="append", help="only these")
    words = parser.parse_args()
    names = f"{'engine':10} {'watched':>9} {'alone':>9} {'ratio':>7} {'lowest..highest':>17}"
    print(f"{names} {'samples':>8} {'harness':>9}")
    for engine in words.engine or list(usable()):
        measure(engine, words.repeats, words.seconds)


def measure(name: EngineName, repeats: int, seconds: float) -> None:
    """Measure watched and unwatched runs in turn, and print the ratio."""
    engine = select.make(name)
    with TemporaryDirectory(prefix="posebowl-profile-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        make_data(place / "data")
        first = once(engine, place, _CALIBRATE)
        rounds = int(_CALIBRATE * seconds / first.work_s)
        watched, alone = [], []
        for _ in range(repeats):
            watched.append(once(engine, place, rounds))
            with unwatched():
                alone.append(once(engine, place, rounds))
    ratios = [one.work_s / other.work_s for one, other in zip(watched, alone, strict=True)]
    median = [statistics.median(one.work_s for one in taken) for taken in (watched, alone)]
    shares = zip(watched, alone, strict=True)
    harness = statistics.median(one.harness_share - two.harness_share for one, two in shares)
    print(
        f"{name:10} {median[0]:7.2f} s {median[1]:7.2f} s {median[0] / median[1]:7.3f} "
        f"{min(ratios):8.3f}..{max(ratios):.3f}  {watched[-1].samples:8} {harness:8.2%}",
        flush=True,
    )


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Set the watchdog to look only at the end of runs, within the block."""
    places = [(embedded, "_ENFORCED_INTERVAL_S"), (embedded, "_WATCHDOG_INTERVAL_S")]
    places += [(container, "_INTERVAL_S"), (container, "_FAR_INTERVAL_S")]
    with contextlib.ExitStack() as stack:
        for module, name in places:
            stack.enter_context(mock.patch.object(module, name, _NEVER_S))
        yield


def once(engine: Engine, place: Path, rounds: int) -> Taken:
    """Run the work once, as `invoke run` would."""
    spec = describe(place, rounds)
    with following(Watcher(), spec.images, lambda: 1) as (watch, done):
        engine.prepare(spec, watch)
        before = time.process_time()
        outcome = engine.execute(spec, watch)
        used = time.process_time() - before
        samples, _ = done.fill(outcome.samples)
    if outcome.exit_code != 0:
        raise SystemExit(f"{engine.name}: {spec.log.read_text()}")
    return Taken(
        work_s=float(spec.log.read_text()),
        harness_share=used / outcome.wall_s,
        samples=len(samples),
    )


def describe(place: Path, rounds: int) -> RunSpec:
    """Build the folders of a run, and the archive of its work."""
    run_id = f"profile-{time.monotonic_ns()}"
    work, solution = place / run_id, place / f"{run_id}-solution"
    for folder in (solution, work / "output", work / "engine"):
        folder.mkdir(parents=True)
    (solution / "main.sh").write_text("python work.py\n")
    (solution / "work.py").write_text(_WORK.replace("ROUNDS", str(rounds)))
    return RunSpec(
        run_id=run_id,
        archive=pack(solution, work / "submission.zip").path,
        images=place / "data" / "images",
        submission_format=place / "data" / "submission_format.csv",
        output=work / "output",
        scratch=work / "engine",
        log=work / "log.txt",
        variant=Variant.CPU,
        limits=dataclasses.replace(LIMITS[Variant.CPU], wall_time_s=3600.0),
        cache=resolve.load().cache,
    )


if __name__ == "__main__":
    main()
