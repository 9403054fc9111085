"""Other software's packages do not get into a command, nor into what it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl import paths


@pytest.mark.parametrize("words", [["--list"], ["config"], ["score", "none.csv", "none.csv"]])
def test_packages_on_the_python_path_are_not_imported(words: list[str], tmp_path: Path) -> None:
    for name in ("rich", "polars", "jinja2", "numpy", "psutil", "filelock", "msgspec"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('of other software')")
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=paths.ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "of other software" not in done.stderr
    assert "Traceback" not in done.stderr
