"""Measure what the harness itself costs, engine by engine.

    uv run python -m benchmarks.harness [--repeats 5] [--engine docker] [--only overhead]

For each engine that works here: the time from typing `invoke run` to the first line of main.sh,
and the overhead of the whole command over the same main.sh in the same container (or, for the
embedded engine, in a bare shell) started by hand. The goal for the overhead is under a second.
Times are medians; only their differences within one run of this script matter. A first run, which
does not count, lets Python store its bytecode, as it does unless PYTHONDONTWRITEBYTECODE is set;
then each command would compile some 500 modules again. Packing, scoring, and the images' sizes and
rebuilds follow, each a script of its own beside this one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from posebowl import paths
from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH, EngineName
from posebowl.engines import select
from posebowl.engines.oci import client
from posebowl.engines.oci.host_user import rlimits
from posebowl.submission.packer import pack

MAIN = "date +%s.%N > ../submission/started\ndate +%s.%N\n"
MAIN += "cp ../data/submission_format.csv ../submission/submission.csv\n"
IMAGE = "posebowl-runtime:cpu"
OTHERS = ("pack", "score", "images")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One command: until the first line of main.sh, and all of it, in seconds."""

    first_line_s: float
    whole_s: float


def main() -> None:
    """Measure the parts asked for, and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=["overhead", *OTHERS], help="one part of it")
    parser.add_argument("--engine", type=EngineName, action="append", help="only these")
    words = parser.parse_args()
    if words.only in {None, "overhead"}:
        show_overhead(words.engine or list(usable()), words.repeats)
    for name in OTHERS:
        if words.only in {None, name}:
            print(f"\n{name}", flush=True)
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=paths.ROOT, check=True)


def show_overhead(engines: list[EngineName], repeats: int) -> None:
    """Print one row per engine, in seconds."""
    print(f"{'engine':10} {'first line':>10} {'whole':>8} {'by hand':>8} {'overhead':>9}")
    with TemporaryDirectory(prefix="posebowl-harness-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data, archive = make_data(folder / "data"), make_archive(folder)
        for engine in engines:
            run(engine, archive, data, folder / "out")
            ours = median(lambda e=engine: run(e, archive, data, folder / "out"), repeats)
            hand = median(lambda e=engine: by_hand(e, data, folder), repeats)
            print(
                f"{engine:10} {ours.first_line_s:8.2f} s {ours.whole_s:6.2f} s "
                f"{hand.whole_s:6.2f} s {ours.whole_s - hand.whole_s:7.2f} s",
                flush=True,
            )


def usable() -> Iterator[EngineName]:
    """Yield the engines that work here; report why others do not."""
    for name in EngineName:
        if problem := select.make(name).unavailable():
            print(f"{name}: {problem}", file=sys.stderr)
        else:
            yield name


def make_data(folder: Path) -> Path:
    """Build a data folder of one photo."""
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (IMAGE_WIDTH, IMAGE_HEIGHT)).save(folder / "images" / "a.png")
    (folder / "submission_format.csv").write_text("image_id,xmin,ymin,xmax,ymax\na,0,0,1,1\n")
    return folder


def make_archive(folder: Path) -> Path:
    """Build a submission whose main.sh records when it started."""
    (folder / "solution").mkdir()
    (folder / "solution" / "main.sh").write_text(MAIN)
    pack(folder / "solution", folder / "submission.zip")
    return folder / "submission.zip"


def run(engine: EngineName, archive: Path, data: Path, out: Path) -> Timing:
    """Measure `invoke run`, as a user types it but without `uv run`."""
    argv = [sys.executable, "-m", "invoke", "run", "--engine", engine, "--zip", str(archive)]
    unusual = "PYTHONDONTWRITEBYTECODE"
    start, clock = time.time(), time.monotonic()
    done = subprocess.run(
        [*argv, "--data", str(data), "--out", str(out), "--json"],
        cwd=paths.ROOT,
        env={name: value for name, value in os.environ.items() if name != unusual},
        capture_output=True,
        check=False,
    )
    whole = time.monotonic() - clock
    if done.returncode != 0:
        raise SystemExit(f"{engine}: {json.loads(done.stdout)['message']}")
    return Timing(first_line_s=float((out / "log.txt").read_text()) - start, whole_s=whole)


def by_hand(engine: EngineName, data: Path, folder: Path) -> Timing:
    """Measure the same main.sh with the engine's own client, or in a bare shell."""
    output = folder / "hand"
    shutil.rmtree(output, ignore_errors=True)
    (output / "submission").mkdir(parents=True)
    (output / "workdir").mkdir()
    output.chmod(0o777)
    for part in output.iterdir():
        part.chmod(0o777)
    start, clock = time.time(), time.monotonic()
    subprocess.run(hand_argv(engine, data, folder, output), check=True, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - clock
    started = float((output / "submission" / "started").read_text())
    return Timing(first_line_s=started - start, whole_s=whole)


def hand_argv(engine: EngineName, data: Path, folder: Path, output: Path) -> list[str]:
    """Build the command that a user would type: the same mounts and limits, without the harness."""
    script = folder / "solution" / "main.sh"
    if engine is EngineName.EMBEDDED:
        (output / "data").symlink_to(data)
        return ["sh", "-c", f"cd {output}/workdir && sh {script}"]
    place = "/code_execution"
    mounts = [
        f"{data}:{place}/data:ro",
        f"{output}/submission:{place}/submission",
        f"{script}:{place}/main.sh:ro",
    ]
    binds = [word for mount in mounts for word in ("--volume", mount)]
    limits = ["--network", "none", "--memory", "4g"]
    limits += [w for name, most in rlimits().items() for w in ("--ulimit", f"{name}={most}:{most}")]
    shell = ["--entrypoint", "sh", IMAGE, "-c", f"cd {place}/workdir && sh ../main.sh"]
    return [*client.connect(engine).argv, "run", "--rm", *limits, *binds, *shell]


def median(measure: Callable[[], Timing], repeats: int) -> Timing:
    """Return the medians of a repeated measurement."""
    taken = [measure() for _ in range(repeats)]
    return Timing(
        first_line_s=statistics.median(one.first_line_s for one in taken),
        whole_s=statistics.median(one.whole_s for one in taken),
    )


if __name__ == "__main__":
    main()
