"""Measure packing against `zip -r`: one file of random bytes, as weights are.

    uv run python -m benchmarks.pack [--mebibytes 1024] [--folder DIR]

Both write to the same disk. The goal is a ratio of at least ten on 1 GiB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from posebowl.submission.archive import inspect
from posebowl.submission.packer import pack
from posebowl.util import process

BLOCK = 4 << 20
GOAL = 10


def main() -> None:
    """Build the solution, pack it both ways, print seconds and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3, help="the fastest counts")
    parser.add_argument("--folder", type=Path, default=None, help="where to work")
    words = parser.parse_args()
    with TemporaryDirectory(prefix="posebowl-pack-", dir=words.folder) as name:
        folder = Path(name)
        source = make_solution(folder / "solution", words.mebibytes << 20)
        target = folder / "submission.zip"
        ours = best(lambda: pack(source, target, force=True), words.repeats)
        checked = best(lambda: inspect(target), words.repeats)
        size = words.mebibytes * (1 << 20) / 1e6
        print(f"pack     {ours:7.2f} s  {size / ours:7.0f} MB/s")
        print(f"check    {checked:7.4f} s")
        if not shutil.which("zip"):
            print("zip is not installed: no ratio")
            return
        argv: list[str | Path] = ["zip", "-q", "-r", folder / "other.zip", "."]
        theirs = best(lambda: process.run(argv, cwd=source), 1)
        print(f"zip -r   {theirs:7.2f} s  {size / theirs:7.0f} MB/s")
        print(f"ratio    {theirs / ours:7.1f}    (goal {GOAL})")


def make_solution(folder: Path, size: int) -> Path:
    """Build a solution with one large incompressible file."""
    folder.mkdir()
    (folder / "main.sh").write_text("#!/bin/sh\npython main.py\n")
    with (folder / "weights.pt").open("wb") as file:
        for _ in range(0, size, BLOCK):
            file.write(os.urandom(BLOCK))
    return folder


def best(action: Callable[[], object], repeats: int) -> float:
    """Return the shortest of several times, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
