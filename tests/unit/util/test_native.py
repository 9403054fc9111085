"""What is imported in threads leaves the variables of the process in their places."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl import paths

RUN = """
import importlib, os, sys, threading
from pathlib import Path
from posebowl.run import pipeline
from tests.run_bench import Bench, FakeEngine

if sys.argv[1] == "unsettled":
    pipeline.settle_environment = lambda: None
moved = []
def look(event, args):
    if event in {"os.putenv", "os.unsetenv"} and threading.active_count() > 1:
        name = os.fsdecode(args[0])
        if event == "os.unsetenv" or name not in os.environ:
            moved.append(name)
sys.addaudithook(look)
ended = Bench(Path(sys.argv[2]), Path(sys.argv[3])).run(FakeEngine())
assert ended.verdict == "OK", ended
# A solution's report may load it, in a thread beside those of polars.
thread = threading.Thread(target=importlib.import_module, args=("numpy.linalg",))
thread.start()
thread.join()
print(*moved)
"""
PROGRAM = """
import os
from posebowl.util import program
program.guard(lambda: print(*os.environ))
"""
VARIABLES = {"OPENBLAS_MAIN_FREE", "_RJEM_MALLOC_CONF"}


def words(*argv: str | Path) -> set[str]:
    """Return what a program prints that starts without the variables."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", *argv],
        check=False,
        cwd=paths.ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {*done.stdout.split()}


def test_a_run_with_threads_neither_adds_nor_removes_a_variable(
    tmp_path: Path, data_folder: Path
) -> None:
    assert words(RUN, "settled", tmp_path, data_folder) == set()


def test_without_settled_variables_it_does(tmp_path: Path, data_folder: Path) -> None:
    """If this fails, the libraries have changed, and `settle_environment` may go."""
    assert words(RUN, "unsettled", tmp_path, data_folder) == VARIABLES


def test_every_program_starts_with_settled_variables() -> None:
    assert words(PROGRAM) >= VARIABLES


OLD = """
import sys
from pathlib import Path
from posebowl.util import host
host._CPUINFO = Path(sys.argv[1])
from posebowl.util import program
def score():
    import polars
    print("polars works")
sys.exit(program.guard(score))
"""


@pytest.mark.parametrize(
    ("flags", "code", "text"),
    [
        ("sse4_2 avx", 1, "lacks. fix: Type: uv pip install polars-runtime-compat==2"),
        ("avx avx2", 0, "polars works"),
    ],
)
def test_polars_is_refused_where_it_would_kill_the_process(
    tmp_path: Path, flags: str, code: int, text: str
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name\t: Old\nflags\t\t: {flags}\n")
    argv = [sys.executable, "-c", OLD, str(cpuinfo)]
    done = subprocess.run(argv, check=False, cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == code
    assert text in " ".join((done.stdout + done.stderr).split())
