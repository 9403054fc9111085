"""A docker daemon that does not share this machine's files, as behind DOCKER_HOST."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import client as oci_client, image
from posebowl.errors import EngineError, Verdict
from posebowl.results import result

SOCKET = Path("/var/run/docker.sock")

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount over a folder"),
    pytest.mark.skipif(not SOCKET.exists(), reason="docker's daemon is not at its usual place"),
]


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """Return a folder of which the daemon sees an empty one, once `run` mounts over it."""
    try:
        image.current(oci_client.connect(EngineName.DOCKER), Variant.CPU)
    except EngineError as error:
        pytest.skip(str(error))
    (tmp_path / "far").mkdir()
    with zipfile.ZipFile(tmp_path / "submission.zip", "w") as archive:
        archive.writestr("main.sh", "cp ../data/submission_format.csv ../submission/submission.csv")
    return tmp_path / "far"


def run(far: Path, *words: str, **variables: str) -> tuple[result.Result, str]:
    """Run where the folder for the results is mounted for this process alone."""
    zipped, out = far.parent / "submission.zip", far / "out"
    kept = far.parent / "kept"
    kept.mkdir()
    invoke = [sys.executable, "-m", "invoke", "run", "--zip", zipped, "--out", out, *words]
    script = f'mount -t tmpfs none {far} && "$@"; cp {out}/result.json {kept}'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *invoke],
        cwd=paths.ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (kept / "result.json").exists(), done.stderr
    return result.read(kept / "result.json"), done.stdout + done.stderr


def test_the_variable_is_named_before_a_run(far: Path) -> None:
    ended, _ = run(far, "--engine", "docker", DOCKER_HOST=f"unix://{SOCKET}")
    assert ended.verdict is Verdict.ENGINE_ERROR
    assert "docker does not see the files of this machine" in ended.message
    assert "DOCKER_HOST" in ended.message
    assert "unset DOCKER_HOST" in ended.fix


def test_without_a_variable_the_folder_is_the_reason(far: Path) -> None:
    ended, _ = run(far, "--engine", "docker")
    assert ended.verdict is Verdict.ENGINE_ERROR
    assert "docker does not see the folders of this run" in ended.message
    assert "--engine embedded" in ended.fix


def test_auto_passes_it_over_and_says_why(far: Path) -> None:
    ended, said = run(far, DOCKER_HOST=f"unix://{SOCKET}")
    assert ended.verdict is Verdict.OK, ended.message
    assert ended.engine != EngineName.DOCKER
    assert "passed over docker" in said
    assert "DOCKER_HOST" in said


def test_a_daemon_that_does_not_answer_is_passed_over_with_the_variable(far: Path) -> None:
    ended, said = run(far, DOCKER_HOST="tcp://127.0.0.1:1")
    assert ended.verdict is Verdict.OK, ended.message
    assert "passed over docker" in said
    assert "unset DOCKER_HOST" in said
