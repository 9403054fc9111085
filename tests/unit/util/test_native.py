"""What is imported in threads leaves the variables of the process in their places."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl import paths

IMPORTS = """
import importlib, os, sys
from posebowl.run import pipeline
from posebowl.util.native import settle_environment

if sys.argv[1] == "settled":
    settle_environment()
moved = []
def look(event, args):
    name = os.fsdecode(args[0]) if event in {"os.putenv", "os.unsetenv"} else ""
    if name and (event == "os.unsetenv" or name not in os.environ):
        moved.append(name)
sys.addaudithook(look)
pipeline._load_judges()
importlib.import_module("posebowl.report.score_section")
importlib.import_module("numpy.linalg")
print(*moved)
"""


def moved(how: str) -> set[str]:
    variables = {"OPENBLAS_MAIN_FREE", "_RJEM_MALLOC_CONF"}
    environment = {name: value for name, value in os.environ.items() if name not in variables}
    argv = [sys.executable, "-c", IMPORTS, how]
    done = subprocess.run(
        argv, check=False, cwd=paths.ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {*done.stdout.split()}


def test_imports_in_threads_neither_add_nor_remove_a_variable() -> None:
    assert moved("settled") == set()


def test_without_it_they_do() -> None:
    """If this fails, the libraries have changed, and `settle_environment` may go."""
    assert moved("unsettled") == {"OPENBLAS_MAIN_FREE", "_RJEM_MALLOC_CONF"}


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
