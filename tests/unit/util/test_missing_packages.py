"""Modules run by hand where a package is missing end with what to type, not with a traceback."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from itertools import chain

import pytest

from posebowl import paths
from posebowl.util.missing_packages import GROUPS


def run(*words: str, tmp_path) -> subprocess.CompletedProcess[str]:
    """Run a module where importing cv2, ray or torch fails, as in an environment without them."""
    for name in ("cv2", "ray", "torch"):
        text = f'raise ModuleNotFoundError("No module named {name!r}", name="{name}")'
        (tmp_path / f"{name}.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=paths.ROOT,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "package", "group"),
    [
        ("benchmarks.cluster", "ray", "cluster-test"),
        ("benchmarks.hard_backgrounds", "cv2", "lean"),
        ("posebowl.training.evaluate", "cv2", "lean"),
        ("posebowl.training.train", "torch", "cpu"),
    ],
)
def test_a_missing_package_is_a_sentence_with_the_same_command(module, package, group, tmp_path):
    done = run(module, "--out", "a b", tmp_path=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"No module named '{package}' in this environment. "
        f"Type: uv run --group {group} python -m {module} --out 'a b'\n"
    )


def test_other_errors_keep_their_traceback(tmp_path):
    (tmp_path / "numpy.py").write_text("import gone_for_good")
    done = run("benchmarks.hard_backgrounds", tmp_path=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("No module named 'gone_for_good'\n")


def test_the_groups_exist_and_can_be_added_to_the_environment_of_plain_uv_sync():
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())
    assert set(GROUPS.values()) <= project["dependency-groups"].keys()
    conflicts = chain.from_iterable(project["tool"]["uv"]["conflicts"])
    assert "dev" not in {one["group"] for one in conflicts}
