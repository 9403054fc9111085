"""What is imported in threads leaves the variables of the process in their places."""

from __future__ import annotations

import os
import subprocess
import sys

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
