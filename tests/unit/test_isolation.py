"""The tests run beside other software that puts its packages and plugins into every Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from posebowl import paths


def test_a_foreign_plugin_does_not_stop_pytest(tmp_path: Path) -> None:
    """As ROS does it: PYTHONPATH leads to a plugin of pytest that cannot be loaded here."""
    described = tmp_path / "foreign-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[pytest11]\nforeign = foreign_plugin\n")
    (tmp_path / "foreign_plugin.py").write_text("import there_is_no_such_module\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "POSEBOWL_CPUS": "many", "FORCE_COLOR": "1"}
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    inner = "tests/unit/test_isolation.py::test_nothing_foreign_is_on_the_path"
    done = subprocess.run(
        [*argv, inner], cwd=paths.ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_foreign_is_on_the_path() -> None:
    assert not {"PYTHONPATH", "POSEBOWL_CPUS", "FORCE_COLOR"} & set(os.environ)
    assert not [entry for entry in sys.path if list(Path(entry).glob("foreign-*"))]
