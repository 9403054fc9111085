"""Evaluations on a real cluster of two machines: what is lost, what is kept, what is the same."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.batch.evaluation import Evaluation
from posebowl.batch.executor import Capacity
from posebowl.batch.leaderboard import Row
from posebowl.batch.progress import Progress
from posebowl.errors import UsageError, Verdict
from posebowl.results import result
from posebowl.submission import packer as packing
from tests.cluster.conftest import TwoMachines, pack
from tests.conftest import IDS
from tests.hostile.archives import BAD_CASES
from tests.hostile.predictions import CASES as CSV_CASES, good
from tests.hostile.programs import HOG, OK, PROGRAMS, python

pytestmark = [pytest.mark.cluster, pytest.mark.container]

Evaluate = Callable[..., Evaluation]
Command = Callable[..., tuple[list[str], dict[str, str]]]

LIMITS = {"wall_time_s": 10.0, "grace_s": 1.0, "output_bytes": 64 << 20, "processes": 128}
PROGRAM_NAMES = (
    "exit7", "segv", "noterm", "forks", "nocsv", "csvlink", "fifo", "daemon", "kills_everything",
    "escapes",
)  # fmt: skip
VERDICTS = {
    Verdict.OK,
    Verdict.BAD_ARCHIVE,
    Verdict.TIME_LIMIT,
    Verdict.MEMORY_LIMIT,
    Verdict.OUTPUT_LIMIT,
    Verdict.RUNTIME_ERROR,
    Verdict.SIGNALED,
    Verdict.BAD_OUTPUT,
    Verdict.INVALID_PREDICTIONS,
}


def twenty(folder: Path) -> Path:
    """Write twenty submissions: honest ones of three scores, and all that goes wrong."""
    for name in ("best", "tie"):
        copy = f"cp a.csv ../submission/submission.csv; echo {name}\n"
        pack(folder / f"{name}.zip", copy, {"a.csv": good(IDS)})
    pack(folder / "format.zip", OK)
    pack(folder / "hog.zip", OK + python(HOG))
    pack(folder / "fill.zip", OK + "while :; do head -c 20000000 /dev/zero >> big || exit 1; done")
    for case in [case for case in CSV_CASES if case.verdict is not Verdict.OK][:2]:
        files = {"a.csv": case.make(IDS)}
        pack(folder / f"csv_{case.name}.zip", "cp a.csv ../submission/submission.csv", files)
    for case in BAD_CASES[:3]:
        case.write(folder / f"bad_{case.name.replace(' ', '_')}.zip")
    for program in PROGRAMS:
        if program.name in PROGRAM_NAMES:
            pack(folder / f"{program.name}.zip", program.main, program.files)
    assert len(list(folder.glob("*.zip"))) == 20
    return folder


def told(row: Row) -> tuple[object, ...]:
    return row.rank, row.submission, row.verdict, row.mean_iou, row.median_iou, row.sha256


def tables(done: Evaluation) -> dict[str, bytes]:
    """Return the predictions of each submission that passed."""
    return {
        row.submission: (done.out / row.report).with_name("submission.csv").read_bytes()
        for row in done.rows
        if row.verdict is Verdict.OK
    }


def test_twenty_submissions_of_all_verdicts_end_on_ray_as_they_end_here(
    machines: TwoMachines, evaluated: Evaluate, tmp_path: Path
) -> None:
    zips = twenty(tmp_path / "zips")

    here = evaluated(zips, out=tmp_path / "here", limits=LIMITS)
    there = evaluated(zips, out=tmp_path / "there", limits=LIMITS, address=machines.address)

    assert {row.verdict for row in here.rows} == VERDICTS
    assert [told(row) for row in there.rows] == [told(row) for row in here.rows]
    assert tables(there) == tables(here)
    assert [row.rank for row in here.rows[:3]] == [1, 1, 3]
    assert not any(row.retried for row in there.rows)


def test_shards_give_byte_for_byte_what_one_run_gives(
    machines: TwoMachines, evaluated: Evaluate, tmp_path: Path
) -> None:
    packing.pack(paths.SOLUTIONS / "benchmark", tmp_path / "zips/benchmark.zip")
    given = {"data": str(paths.DEMO_DATA), "limits": {"memory_bytes": 1 << 30}}

    one = evaluated(tmp_path / "zips", out=tmp_path / "one", **given)
    three = evaluated(
        tmp_path / "zips", out=tmp_path / "three", shards=3, address=machines.address, **given
    )

    assert tables(three) == tables(one)
    assert three.rows[0].verdict is Verdict.OK
    assert three.rows[0].mean_iou == one.rows[0].mean_iou
    assert (three.rows[0].shards, three.rows[0].tries) == (3, 3)


def test_a_machine_that_dies_loses_nothing_that_had_ended(
    machines: TwoMachines, command: Command, tmp_path: Path
) -> None:
    zips, out = slow_zips(tmp_path / "zips", 6), tmp_path / "out"
    victim = machines.add()
    argv, env = command(zips, out, "--address", machines.address)

    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True) as process:
        lines = ended(process)
        first = next(lines)
        while not machines.runs(victim):  # else nothing would be lost
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.fail(f"it ended without the third machine: {process.wait(0.1)}")
        machines.kill(victim)
        told_of = [first, *lines]

    assert process.returncode == 0
    good_ones = [line for line in told_of if line.startswith("OK")]
    assert len(good_ones) == len(set(good_ones)) == 6
    assert any(line.startswith("LOST") for line in told_of)


def test_a_killed_driver_is_resumed_where_it_was(
    machines: TwoMachines, command: Command, tmp_path: Path
) -> None:
    zips, out = slow_zips(tmp_path / "zips", 5), tmp_path / "out"
    argv, env = command(zips, out, "--address", machines.address)
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True) as process:
        next(ended(process))
        os.kill(process.pid, signal.SIGKILL)
    before = kept(out)
    assert before
    refused = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert refused.returncode == UsageError.exit_code
    assert "--resume" in refused.stderr

    done = subprocess.run([*argv, "--resume"], env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    after = kept(out)
    assert len(after) == 5
    assert {key: after[key] for key in before} == before
    assert f"{5 - len(before)} run" in done.stderr


def test_what_runs_is_named_with_its_machine(
    machines: TwoMachines, evaluated: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    tick = Progress.tick

    def heard(progress: Progress, capacity: Capacity) -> None:
        seen.append(dict(capacity.running))
        tick(progress, capacity)

    monkeypatch.setattr(Progress, "tick", heard)
    done = evaluated(slow_zips(tmp_path / "zips", 2), address=machines.address)

    keys = {job.key for (job,) in done.plan.jobs.values()}
    assert {key for running in seen for key in running} == keys
    assert {node for running in seen for node in running.values()} == {platform.node()}


def test_what_no_machine_has_is_said_at_once(
    machines: TwoMachines, evaluated: Evaluate, tmp_path: Path
) -> None:
    pack(tmp_path / "zips/a.zip", OK)

    with pytest.raises(UsageError, match="3 cores") as error:
        evaluated(tmp_path / "zips", limits={"cpus": 3}, address=machines.address)

    assert "--cpus" in error.value.fix
    assert not (tmp_path / "out/evaluation.json").exists()


def slow_zips(folder: Path, count: int) -> Path:
    """Write submissions that take a moment: one is always under way."""
    for number in range(count):
        pack(folder / f"{number}.zip", f"{OK}sleep 3; echo {number}\n")
    return folder


def ended(process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield what an evaluation tells of the tries that are over."""
    assert process.stderr is not None
    heard = []
    for line in process.stderr:
        heard.append(line)
        if line.split(" ", 1)[0] in {*Verdict, "LOST"}:
            yield line.strip()
    assert len(heard) > 1, heard


def kept(out: Path) -> dict[str, str]:
    """Return the id of each run whose result is kept; one may be on its way when all is killed."""
    found = out.glob("runs/[!.]*/result.json")
    return {path.parent.name: result.read(path).run_id for path in found}
