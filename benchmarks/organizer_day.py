"""Do an organizer's day: submissions of every kind on two machines, and all that can go wrong.

    uv sync --group cluster-test --group lean
    sudo uv run --no-sync python -m benchmarks.organizer_day

The machines are namespaces of this one (tests/cluster/namespaces.py), so it needs root on Linux.
The photos are in a bucket on a third one. Machines are killed and cut off, then the driver, then
the head; what was kept is resumed, scored again, sealed and compared. After each step the results
that are there must be those of their own zips, by hash, and no kept one may be lost or run again;
no process, folder or port of a run may be left. It prints a table of the steps, and exits with 1 if
one did not end as expected.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from posebowl import paths
from posebowl.data import manifest
from posebowl.engines.cases import CASES
from posebowl.errors import Verdict
from posebowl.scoring import read_format
from posebowl.submission import packer
from tests.cluster.conftest import (
    URI,
    Cluster,
    Evaluated,
    cluster_of,
    eventually,
    kept,
    pack,
    typed,
)
from tests.hostile.archives import BAD_CASES
from tests.hostile.predictions import CASES as CSV_CASES
from tests.hostile.programs import OK, python

LIMITS = ("--cpus=1", "--memory=1g", "--time-limit=20s")
RUN = ("--address=auto", "--engine=embedded", f"--data={URI}", *LIMITS)
NOISE = """import random
rows = open('../data/submission_format.csv').read().splitlines()
low = random.SystemRandom().randrange(400)
boxes = [f"{row.split(',')[0]},{low},{low},{low + 300},{low + 300}" for row in rows[1:]]
open('../submission/submission.csv', 'w').write('\\n'.join([rows[0], *boxes]) + '\\n')"""
CENTRE = NOISE.replace("random.SystemRandom().randrange(400)", "400")


def submissions(folder: Path, ids: list[str]) -> dict[str, Verdict]:
    """Write submissions of every kind; return the verdict that each must get, by its hash."""
    verdicts: dict[str, Verdict] = {}

    def note(path: Path, verdict: Verdict = Verdict.OK) -> None:
        verdicts[sha256(path.read_bytes()).hexdigest()] = verdict

    def add(name: str, main: str, verdict: Verdict = Verdict.OK, **files: str | bytes) -> None:
        pack(folder / name, main, files)
        note(folder / name, verdict)

    for name in ("benchmark", "quickstart"):
        packer.pack(paths.SOLUTIONS / name, folder / f"{name}.zip")
        note(folder / f"{name}.zip")
    add("centre.zip", python(CENTRE, "true\n"))
    add("noise.zip", python(NOISE, "true\n"))
    add("slow.zip", f"{OK}sleep 8\n")
    add("late.zip", "sleep 600\n", Verdict.TIME_LIMIT)
    add("loud.zip", f"{OK}yes 'a line of the log' | head -c 5000000\n")
    add("large.zip", OK, weights=random.Random(1).randbytes(30 << 20))  # noqa: S311
    for number, name in enumerate(
        ("a.zip", "sub/a.zip", "sub/sub/a.zip", "A.zip", "TEAM.ZIP", "x/submission.zip",
         "y/submission.zip", unicodedata.normalize("NFC", "é.zip"),
         unicodedata.normalize("NFD", "é.zip"), "=1+1.zip"),
    ):  # fmt: skip
        add(name, f"{OK}sleep 15; echo {number}\n")
    bad = [case for case in CASES if case.name in {
        "exit7", "segv", "nocsv", "csvlink", "fifo", "escapes", "kills_everything", "forged_end",
    }]  # fmt: skip
    for case in bad:
        add(f"{case.name}.zip", case.main, case.verdict, **case.files)
    for archive in BAD_CASES[:3]:
        path = folder / f"broken_{archive.name.replace(' ', '_')}.zip"
        archive.write(path)
        note(path, Verdict.BAD_ARCHIVE)
    for csv in [case for case in CSV_CASES if case.verdict is not Verdict.OK][:2]:
        add(f"csv_{csv.name}.zip", "cp a.csv ../submission/submission.csv\n",
            Verdict.INVALID_PREDICTIONS, **{"a.csv": csv.make(ids)})  # fmt: skip
    (folder / "notes.txt").write_text("not a submission\n")
    return verdicts


@dataclass(kw_only=True)
class Day:
    """The cluster, the submissions, and what was seen of each step."""

    cluster: Cluster
    zips: Path
    out: Path
    verdicts: dict[str, Verdict]
    lines: list[tuple[str, float, str, str]] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    """The kept runs that must stay, and their ids."""
    failed: bool = False

    @contextlib.contextmanager
    def step(self, name: str, expected: str) -> Iterator[list[str]]:
        """Do a step, note what is seen, and check what must hold after each."""
        began, seen = time.monotonic(), []
        try:
            yield seen
            seen += self.wrong()
        except Exception as error:  # noqa: BLE001  # the day goes on
            self.failed = True
            seen.append(f"FAILED: {type(error).__name__} {error}"[:300])
        self.lines.append((name, time.monotonic() - began, expected, "; ".join(seen)))
        print(*self.lines[-1], sep=" | ", flush=True)

    def must(self, holds: object, what: str) -> str:
        """Return what holds, or note that it does not."""
        if holds:
            return what
        self.failed = True
        return f"NOT: {what}"

    def wrong(self) -> Iterator[str]:
        """Yield what must not be after any step."""
        now = kept(self.out)
        lost = {key for key, run in self.known.items() if now.get(key) != run}
        if lost:
            yield self.must(holds=False, what=f"{len(lost)} kept results stay")
        self.known = now
        for row in self.rows():
            if row["verdict"] != self.verdicts[row["sha256"]] and row["tries"]:
                yield self.must(holds=False, what=f"{row['submission']} is {row['verdict']}")

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the leaderboard, if there is one, that were run."""
        path = self.out / "leaderboard.json"
        rows = json.loads(path.read_text())["rows"] if path.exists() else []
        names = {row["submission"] for row in rows}
        assert len(names) == len(rows), "two rows of one name"  # noqa: S101
        return [row for row in rows if row["tries"] and row["verdict"] != Verdict.ENGINE_ERROR]

    def evaluate(self, *words: str) -> Evaluated:
        """Type an evaluation, and wait for its end."""
        done = self.cluster.first.run(*self.argv(*words, "--json"))
        return Evaluated(self.out, done.returncode, done.stdout, done.stderr)

    def argv(self, *words: str) -> tuple[str, ...]:
        """Return the command of an evaluation."""
        return self.cluster.argv(self.zips, self.out, *RUN, *words)

    def left(self, *, folders: bool = True) -> list[str]:
        """Return what runs have left on the machines, after a moment."""
        until = time.monotonic() + 90
        while (found := [*self._left(folders=folders)]) and time.monotonic() < until:
            time.sleep(1)
        return found

    def _left(self, *, folders: bool) -> Iterator[str]:
        for machine in (self.cluster.first, self.cluster.second):
            yield from (f"{machine.name}: {one.name()}" for one in machine.sandboxed())
            scratch = machine.folder / "cache/evaluate/runs"
            if folders and scratch.is_dir():
                yield from map(str, scratch.iterdir())


def do(day: Day) -> None:
    """Do all steps."""
    lost(day)
    resumed(day)
    scored(day)
    repeated(day)
    with day.step("the cluster ends", "no process, folder or port is left") as seen:
        for machine in (day.cluster.first, day.cluster.second):
            machine.leave()
            listening = machine.run("ss", "-Hltn").stdout.splitlines()
            seen.append(day.must(not machine.processes(), f"{machine.name}: no process"))
            seen.append(day.must(not listening, f"{machine.name}: no port"))
        seen.append(day.must(not day.left(), "no folder"))


def lost(day: Day) -> None:
    """Lose a machine in each way, the driver and the head."""
    cluster = day.cluster
    told = day.out.with_suffix(".err")
    with (
        told.open("w") as errors,
        typed(cluster.first, *day.argv(), errors=errors) as process,
    ):

        def lost_runs() -> int:
            return sum(line.startswith("LOST") for line in told.read_text().splitlines())

        with day.step("evaluate", "results come from two machines") as seen:
            eventually(lambda: len(kept(day.out)) >= 4)
            eventually(cluster.second.sandboxed)
            seen.append(f"{len(kept(day.out))} results")
        with day.step("a machine is killed", "its run is LOST, the others go on") as seen:
            before = len(kept(day.out))
            cluster.second.kill()
            eventually(lambda: lost_runs() >= 1)
            eventually(lambda: len(kept(day.out)) > before)
            seen.append(f"{lost_runs()} lost, {len(kept(day.out))} results")
        with day.step("another one joins", "it gets runs") as seen:
            cluster = day.cluster = cluster.replaced("fourth")
            eventually(cluster.second.sandboxed)
            seen.append("it has one")
        with day.step("its cable is pulled out", "its run is LOST, the others go on") as seen:
            before = lost_runs()
            cluster.second.link(up=False)
            eventually(lambda: lost_runs() > before)
            seen.append(f"{lost_runs() - before} lost, {len(kept(day.out))} results")
        with day.step("the driver is killed", "no run goes on, no result is lost") as seen:
            seen.append(day.must(process.poll() is None, "it was under way"))
    with day.step("what it leaves", "no run; folders go with the next one") as seen:
        left = day.left(folders=False)
        seen.append(day.must(not left, f"no run is left {left or ''}"))
    with day.step("the same command", "refused, --resume is named") as seen:
        done = day.evaluate()
        seen.append(day.must(done.returncode == 2 and "--resume" in done.stderr, "exit 2"))
    with day.step("--resume, the head is killed", "exit 20, what was kept stays") as seen:
        cluster.whole()
        before = len(kept(day.out))
        with typed(cluster.first, *day.argv("--resume")) as process:
            eventually(lambda: len(kept(day.out)) > before)
            for server in cluster.first.named("gcs_server"):
                server.kill()
            _, stderr = process.communicate()
        seen.append(day.must("head is lost" in stderr, f"exit {process.returncode}"))
        seen.append(f"{len(kept(day.out))} results")


def resumed(day: Day) -> None:
    """Go on to the end."""
    with day.step("--resume to the end", "all verdicts, each result its own zip's") as seen:
        day.cluster.whole()
        done = day.evaluate("--resume")
        hashes = Counter(row["sha256"] for row in done.rows)
        seen.append(
            day.must(hashes == Counter(day.verdicts.keys()), f"{len(done.rows)} rows, own hashes")
        )
        seen.append(str(dict(Counter(row["verdict"] for row in done.rows))))
        machines = {item.split(" ")[0] for row in done.rows for item in row["machines"]}
        seen.append(f"on {sorted(machines)}, {sum(len(row['retried']) for row in done.rows)} again")
    with day.step("--resume again", "nothing is run") as seen:
        seen.append(day.must("0 runs to do" in day.evaluate("--resume").stderr, "0 runs"))


def scored(day: Day) -> None:
    """Score again, hand out, seal."""
    first, zips = day.cluster.first, day.zips
    ids = read_format(paths.DEMO_DATA / "submission_format.csv")
    split, teams, seal = (first.folder / name for name in ("split.csv", "teams.csv", "seal.zip"))
    rows = [f"{name},{'public' if at % 2 else 'private'}" for at, name in enumerate(ids)]
    split.write_text("\n".join(["image_id,subset", *rows]) + "\n")
    names = [row["submission"] for row in day.rows()]
    table = [f'"{name}","Team {at}"' for at, name in enumerate(names)]
    teams.write_text("\n".join(["submission,team", *table]) + "\n")
    words = ("--rescore", f"--split={split}", f"--teams={teams}")
    with day.step("--rescore --split --teams --seal", "seconds, no run, two boards") as seen:
        done = day.evaluate(*words, f"--seal={seal}")
        boards = [*day.out.glob("leaderboard-p*.html")]
        seen.append(day.must(len(boards) == 2, f"{len(boards)} boards"))
        seen.append(day.must(all(row["team"] for row in done.rows), "teams"))
    with day.step("verify the seal, offline", "holds; one changed byte does not") as seen:
        labels = paths.DEMO_DATA / "train_labels.csv"
        check = ("python", "-m", "posebowl.cli", "verify")
        held = first.run(*check, seal, f"--zips={zips}", f"--labels={_copy(labels, first.folder)}")
        seen.append(day.must(held.returncode == 0, "it holds"))
        bytes_ = bytearray(seal.read_bytes())
        bytes_[len(bytes_) // 2] ^= 1
        (first.folder / "bent.zip").write_bytes(bytes_)
        bent = first.run(*check, first.folder / "bent.zip")
        seen.append(day.must(bent.returncode != 0, f"the changed one: exit {bent.returncode}"))
    with day.step("--rescore --no-photos", "no photo in any report") as seen:
        done = day.evaluate(*words, "--no-photos")
        reports = [(done.out / row["report"]).read_text() for row in done.rows if row["report"]]
        shown = sum("data:image/jpeg" in text for text in reports)
        seen.append(day.must(reports and not shown, f"{len(reports)} reports, {shown} with photos"))


def repeated(day: Day) -> None:
    """Run chosen ones again, and compare them."""
    with day.step("--only TIME_LIMIT", "one run, the others kept") as seen:
        late = {row["sha256"] for row in day.rows() if row["verdict"] == Verdict.TIME_LIMIT}
        done = day.evaluate("--only=TIME_LIMIT")
        day.known = kept(day.out)
        seen.append(day.must(f"{len(late)} run to do" in done.stderr, f"{len(late)} run"))
    with day.step("--verify --repeat 3", "noise differs, centre does not") as seen:
        done = day.evaluate("--resume", "--verify=noise", "--verify=centre", "--repeat=3")
        same = {row["submission"]: row["reproducible"] for row in done.rows if row["repeats"]}
        seen.append(day.must(same == {"noise": False, "centre": True}, str(same)))
    with day.step("twins", "those that are alike stand first") as seen:
        words = ("twins", str(day.zips), f"--evaluation={day.out}", "--json")
        done = day.cluster.first.run("python", "-m", "posebowl.cli", *words)
        seen.append(day.must(done.returncode == 0, f"exit {done.returncode}"))


def _copy(path: Path, folder: Path) -> Path:
    return Path(shutil.copy(path, folder))


def main() -> int:
    """Do the day, and print its table."""
    with tempfile.TemporaryDirectory(prefix="day-") as name:
        photos = Path(shutil.copytree(paths.DEMO_DATA, Path(name) / "photos"))
        ids = list(read_format(photos / "submission_format.csv"))
        manifest.write(photos, ids)
        with cluster_of(photos) as cluster:
            folder = cluster.first.folder
            (folder / "zips").mkdir()
            verdicts = submissions(folder / "zips", ids)
            day = Day(cluster=cluster, zips=folder / "zips", out=folder / "day", verdicts=verdicts)
            do(day)
    table = Table(title=f"An organizer's day: {len(day.verdicts)} submissions")
    for heading in ("step", "seconds", "expected", "seen"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for step, seconds, expected, seen in day.lines:
        table.add_row(step, f"{seconds:.1f}", expected, seen)
    Console(width=160).print(table)
    return int(day.failed)


if __name__ == "__main__":
    sys.exit(main())
