"""A disk that is full when main.sh has ended: what it made is kept, and the verdict written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl.engines.base import RunSpec
from posebowl.errors import Verdict
from posebowl.results import result
from tests.run_bench import Bench, FakeEngine, valid

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")


@pytest.fixture
def bench(tmp_path: Path, data_folder: Path) -> Iterator[Bench]:
    """Return a folder to run in whose results lie on a disk of 4 MiB."""
    bench = Bench(tmp_path, data_folder)
    bench.out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", bench.out], check=True)
    yield bench
    subprocess.run(["umount", bench.out], check=True)


def fill(folder: Path, leave: int = 0) -> None:
    """Take all the room of a disk, but for so many bytes."""
    with (folder / "mine.bin").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - leave)


def filling(leave: int) -> FakeEngine:
    def write(spec: RunSpec) -> None:
        valid(spec)
        fill(spec.output.parent.parent, leave)

    return FakeEngine(writes=write)


def test_what_main_sh_made_is_kept(bench: Bench) -> None:
    ended = bench.run(filling(0))
    assert ended.verdict is Verdict.OK
    assert ended.score is not None
    assert {"submission.csv", "log.txt", "result.json", "mine.bin"} <= bench.files()


class Greedy(FakeEngine):
    """Lets another program take the reserve too, up to what a few small files need."""

    def execute(self, spec, watch):
        (spec.output.parent / "reserve").unlink()
        return super().execute(spec, watch)


def test_without_room_for_the_report_the_rest_is_there(bench: Bench) -> None:
    engine = Greedy(writes=filling(20 << 10).writes)
    ended = bench.run(engine)
    assert ended.verdict is Verdict.ENGINE_ERROR
    assert "No space left" in ended.message
    assert "had ended with OK" in ended.message
    assert ended.score is not None
    assert bench.files() == {"submission.csv", "log.txt", "result.json", "mine.bin"}
    assert result.read(bench.out / "result.json") == ended
