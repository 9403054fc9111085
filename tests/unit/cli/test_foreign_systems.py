"""Windows and macOS: host tools work there, and what cannot work says so in a sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from posebowl import paths
from posebowl.errors import EngineError, Verdict

SYSTEMS = ["win32", "darwin"]
ONLY_LINUX = {
    "posebowl.engines.embedded.sandbox",
    "posebowl.engines.embedded.shell",
    "posebowl.util.terminal",
}
"""A program that the embedded engine starts, in namespaces; and what gives it a terminal."""


def typed(system: str, folder: Path, *commands: list[str]) -> list[Any]:
    """Run commands as on another system, without engines, in a process of its own."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("chmod", "rm", "sh") if system != "win32" else ():
        (programs / name).symlink_to(shutil.which(name) or "")
    (folder / "results").mkdir()
    argv = [sys.executable, "-X", "warn_default_encoding", "-m", "tests.foreign_system", system]
    done = subprocess.run(
        argv,
        cwd=folder,
        input=json.dumps(commands),
        env={
            "PATH": str(programs),
            "HOME": str(folder),
            "PYTHONPATH": str(paths.ROOT),
            "POSEBOWL_SUBMISSION": str(folder / "results"),
            "POSEBOWL_CACHE": str(folder / "cache"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_needs_no_engine_works(system: str, tmp_path: Path, data_folder: Path) -> None:
    labels = str(data_folder / "train_labels.csv")
    failed, *ended = typed(
        system,
        tmp_path,
        ["import"],
        ["--list"],
        ["--help", "run"],
        ["pack", "--solution", "quickstart", "--out", "a.zip"],
        ["check", "--zip", "a.zip"],
        ["config"],
        ["score", labels, labels],
        ["data.check", "--folder", str(data_folder)],
        ["history"],
        ["clean"],
    )

    missing = {name for name, error in failed.items() if "No module named" not in error}
    assert missing == (ONLY_LINUX if system == "win32" else set())
    assert [(code, err) for code, _, err in ended if code != 0] == []
    assert "Mean IoU 1.0000" in ended[5][1]


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_needs_linux_says_so(system: str, tmp_path: Path, data_folder: Path) -> None:
    data = str(data_folder)
    pack, doctor, run, evaluate, train, export = typed(
        system,
        tmp_path,
        ["pack", "--solution", "quickstart", "--out", "a.zip"],
        ["doctor"],
        ["run", "--zip", "a.zip", "--engine", "embedded", "--data", data],
        ["evaluate", "a.zip", "--engine", "embedded", "--data", data, "--out", "all"],
        ["benchmark.train", "--data", data, "--val", data, "--out", "o"],
        ["benchmark.export", "--weights", "a.zip", "--out", "a.onnx"],
    )

    assert pack[0] == 0
    assert "embedded engine needs Linux" in doctor[1]
    for ended in (run, evaluate):
        assert ended[0] == Verdict.ENGINE_ERROR.exit_code, ended
        assert "embedded engine needs Linux" in ended[1] + ended[2]
    for ended in (train, export):
        assert ended[0] == EngineError.exit_code, ended
        assert "locked for Linux on x86_64" in ended[2]


def test_a_shared_core_is_not_pinned_where_the_system_cannot(tmp_path: Path) -> None:
    program = (
        "import os; del os.sched_setaffinity\n"
        "from pathlib import Path\n"
        "from posebowl.batch import core_pinning\n"
        "with core_pinning.pinned(2, Path('locks')) as cores: print(len(cores))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(paths.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "2\n", done.stderr
