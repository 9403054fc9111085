"""Evaluations on a real cluster of two machines: what is lost, what is kept, what is the same."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines import select
from posebowl.engines.oci import client, image
from posebowl.errors import EngineError, UsageError, Verdict
from posebowl.submission import packer as packing
from tests.cluster.conftest import URI, Cluster, Evaluated, eventually, kept, pack, typed
from tests.conftest import IDS
from tests.hostile.archives import BAD_CASES
from tests.hostile.predictions import CASES as CSV_CASES, good
from tests.hostile.programs import HOG, OK, PROGRAMS, python

pytestmark = [pytest.mark.cluster, pytest.mark.container]

EMBEDDED = ("--engine=embedded",)
AUTO = ("--address=auto", *EMBEDDED)
BUCKET = (f"--data={URI}",)
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


def told(row: Mapping[str, Any]) -> tuple[object, ...]:
    names = ("rank", "submission", "verdict", "mean_iou", "median_iou", "sha256")
    return tuple(row[name] for name in names)


def tables(done: Evaluated) -> dict[str, bytes]:
    """Return the predictions of each submission that passed."""
    return {
        row["submission"]: (done.out / row["report"]).with_name("submission.csv").read_bytes()
        for row in done.rows
        if row["verdict"] == Verdict.OK
    }


def machines(done: Evaluated) -> set[str]:
    return {machine.split(":")[0].split(" ")[0] for row in done.rows for machine in row["machines"]}


_LIMITED = """
import json, sys
from pathlib import Path
from posebowl.batch import JSON_FILE, EvaluationRequest, RunOptions, evaluate
from posebowl.challenge import EngineName, Limits, Variant
from posebowl.settings import resolve
zips, out, data, address = sys.argv[1:]
limits = Limits(
    cpus=1, memory_bytes=512 << 20, wall_time_s=10, grace_s=1, output_bytes=64 << 20, processes=128
)
options = RunOptions(variant=Variant.CPU, engine=EngineName.EMBEDDED, limits=limits)
done = evaluate(EvaluationRequest(
    places=(Path(zips),), out=Path(out), data=data, options=options, address=address,
    cache=resolve.load().cache,
))
print((done.out / JSON_FILE).read_text())
"""
_HEARD = f"""
from posebowl.batch.progress import Progress
running, tick = dict(), Progress.tick
def heard(progress, capacity):
    running.update(capacity.running)
    tick(progress, capacity)
Progress.tick = heard
{_LIMITED}
keys = [job.key for jobs in done.plan.jobs.values() for job in jobs]
assert running.keys() == set(keys), (running, keys)
print(*running.values())
"""


def test_twenty_submissions_of_all_verdicts_end_on_two_machines_as_they_end_on_one(
    cluster: Cluster, zips: Path
) -> None:
    twenty(zips)

    def limited(name: str, address: str) -> Evaluated:
        out = cluster.first.folder / name
        done = cluster.first.run("python", "-c", _LIMITED, zips, out, URI, address)
        return Evaluated(out, done.returncode, done.stdout, done.stderr)

    here, there = limited("here", ""), limited("there", "auto")

    assert {row["verdict"] for row in here.rows} == VERDICTS
    assert [told(row) for row in there.rows] == [told(row) for row in here.rows]
    assert tables(there) == tables(here)
    assert [row["rank"] for row in here.rows[:3]] == [1, 1, 3]
    assert not any(row["retried"] for row in there.rows)
    assert machines(here) == {"first"}
    assert machines(there) == {"first", "second"}


def test_shards_give_byte_for_byte_what_one_run_gives(cluster: Cluster, zips: Path) -> None:
    packing.pack(paths.SOLUTIONS / "benchmark", zips / "benchmark.zip")

    one = cluster.evaluate(zips, *EMBEDDED, *BUCKET)
    three = cluster.evaluate(zips, *AUTO, *BUCKET, "--shards=3")

    assert tables(three) == tables(one)
    (row,) = three.rows
    assert row["verdict"] == Verdict.OK
    assert row["mean_iou"] == one.rows[0]["mean_iou"]
    assert (row["shards"], row["tries"]) == (3, 3)


def test_docker_is_among_the_engines(cluster: Cluster, zips: Path) -> None:
    if problem := select.make(EngineName.DOCKER).unavailable():
        pytest.skip(f"docker: {problem}")
    try:
        image.current(client.connect(EngineName.DOCKER), Variant.CPU)
    except EngineError as error:
        pytest.skip(f"docker: {error.what}")
    for number in range(3):
        pack(zips / f"{number}.zip", f"{OK}sleep 2; echo {number}\n")

    done = cluster.evaluate(zips, "--address=auto", "--engine=docker", *BUCKET)

    assert [(row["verdict"], row["engine"]) for row in done.rows] == [("OK", "docker")] * 3
    assert machines(done) == {"first", "second"}


def test_a_machine_without_the_data_takes_no_submission_its_result(
    cluster: Cluster, zips: Path
) -> None:
    """It fails at once, so it is always free: others must get what it failed."""
    for number in range(4):
        pack(zips / f"{number}.zip", f"{OK}sleep 2; echo {number}\n")
    data = shutil.copytree(cluster.third.folder / "photos", cluster.first.folder / "photos")

    done = cluster.evaluate(zips, *AUTO, f"--data={data}")

    assert {row["verdict"] for row in done.rows} == {Verdict.OK}
    assert machines(done) == {"first"}
    failed = [reason for row in done.rows for reason in row["retried"]]
    assert failed
    assert all(reason.startswith("second: ") for reason in failed)


def test_what_a_machine_that_is_cut_off_had_runs_elsewhere(cluster: Cluster, zips: Path) -> None:
    slow_zips(zips, 4)
    out = cluster.first.folder / "cut"
    argv = cluster.argv(zips, out, *AUTO, *BUCKET, "--json")

    with typed(cluster.first, *argv) as process:
        eventually(lambda: cluster.second.named("sleep"))
        cluster.second.link(up=False)
        stdout, stderr = process.communicate()
    done = Evaluated(out, process.returncode, stdout, stderr)
    cluster.second.leave()

    assert {row["verdict"] for row in done.rows} == {Verdict.OK}
    lost = [reason for row in done.rows for reason in row["retried"]]
    assert lost
    assert all(reason.startswith("second: ") for reason in lost)
    assert not cluster.second.processes()


def test_a_killed_driver_is_resumed_where_it_was(cluster: Cluster, zips: Path) -> None:
    slow_zips(zips, 4)
    out = cluster.first.folder / "driver"
    argv = cluster.argv(zips, out, *AUTO, *BUCKET)
    with typed(cluster.first, *argv):
        eventually(lambda: kept(out))
    before = kept(out)

    refused = cluster.first.run(*argv)
    done = cluster.first.run(*argv, "--resume")

    assert refused.returncode == UsageError.exit_code
    assert "--resume" in refused.stderr
    assert done.returncode == 0, done.stderr
    after = kept(out)
    assert len(after) == 4
    assert {key: after[key] for key in before} == before
    assert f"{4 - len(before)} run" in done.stderr


def test_a_head_that_is_killed_is_reported_and_nothing_that_was_kept_is_lost(
    cluster: Cluster, zips: Path
) -> None:
    slow_zips(zips, 4)
    out = cluster.first.folder / "head"
    argv = cluster.argv(zips, out, *AUTO, *BUCKET)
    with typed(cluster.first, *argv) as process:
        eventually(lambda: kept(out))
        for server in cluster.first.named("gcs_server"):
            server.kill()
        _, stderr = process.communicate()
    assert process.returncode == EngineError.exit_code
    assert f"head is lost: {cluster.first.address}" in stderr
    assert "--resume" in stderr
    before = kept(out)

    cluster.whole()
    done = cluster.first.run(*argv, "--resume")

    assert done.returncode == 0, done.stderr
    after = kept(out)
    assert len(after) == 4
    assert {key: after[key] for key in before} == before


def test_what_runs_is_named_with_its_machine(cluster: Cluster, zips: Path) -> None:
    slow_zips(zips, 2)

    words = (zips, cluster.first.folder / "heard", URI, "auto")
    told = cluster.first.must("python", "-c", _HEARD, *words).splitlines()[-1]

    assert set(told.split()) <= {"first", "second"}


def test_what_no_machine_has_is_said_at_once(cluster: Cluster, zips: Path) -> None:
    pack(zips / "a.zip", OK)

    done = cluster.evaluate(zips, *AUTO, *BUCKET, "--cpus=3")

    assert done.returncode == UsageError.exit_code
    assert "3 cores" in done.stderr
    assert "--cpus" in done.stderr.partition("fix:")[2]
    assert not (done.out / "evaluation.json").exists()


def slow_zips(folder: Path, count: int) -> None:
    """Write submissions that take a moment: one is always under way."""
    for number in range(count):
        pack(folder / f"{number}.zip", f"{OK}sleep 3; echo {number}\n")
