"""What a new user meets: odd folders, full disks, folders of others, no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines import select
from posebowl.engines.oci import client, image
from posebowl.errors import EngineError, Verdict

pytestmark = pytest.mark.container

FILES = ("pyproject.toml", "uv.lock", "tasks.py", "README.md")
FOLDERS = ("posebowl", "runtime", "solutions/quickstart", "data/demo")
MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")
"""Private mounts need no privileges where user namespaces are allowed."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the checkout to a folder with spaces and non-ASCII letters in its name."""
    folder = tmp_path_factory.mktemp("first") / "Pose Bowl ünï 目 'x'"
    folder.mkdir()
    for name in FILES:
        shutil.copy(paths.ROOT / name, folder / name)
    for name in FOLDERS:
        shutil.copytree(paths.ROOT / name, folder / name)
    (folder / "submission").mkdir()
    for path in (folder.parent, folder, *folder.rglob("*")):
        # Root's containers read it as another user.
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def invoke(
    checkout: Path, *words: str, before: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Type a command in a checkout."""
    argv = [*before, sys.executable, "-m", "invoke", *words]
    env = {**os.environ, "PYTHONPATH": str(checkout), "COLUMNS": "200", **variables}
    done = subprocess.run(argv, cwd=checkout, env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def mounted(command: str) -> tuple[str, ...]:
    """Return argv that runs what follows it after a mount that only it sees."""
    if subprocess.run([*MOUNTS, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are forbidden here")
    return (*MOUNTS, "sh", "-c", f'{command} && exec "$@"', "sh")


@pytest.mark.parametrize("engine", list(EngineName))
def test_a_folder_with_an_odd_name(engine: EngineName, checkout: Path) -> None:
    if problem := select.make(engine).unavailable():
        pytest.skip(problem)
    if engine is not EngineName.EMBEDDED:
        try:
            image.current(client.connect(engine), Variant.CPU)
        except EngineError as error:
            pytest.skip(str(error))
    packed = invoke(checkout, "pack", "--solution", "quickstart", "--force", "--json")
    assert packed.returncode == 0, packed.stderr
    made = Path(json.loads(packed.stdout)["path"])
    assert made == checkout / "submission" / "submission.zip"
    assert invoke(checkout, "check").returncode == 0
    ran = invoke(checkout, "run", "--engine", engine, "--waive", "cpus,memory,processes", "--json")
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert result["verdict"] == "OK"
    assert result["score"]["images"] == result["data"]["images"]
    assert (checkout / "submission" / "report.html").is_file()


def a_zip(checkout: Path) -> str:
    """Make a submission, and return its path."""
    path = checkout / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("main.sh", "true\n")
    path.chmod(0o644)
    return str(path)


def test_a_full_disk(checkout: Path, tmp_path: Path) -> None:
    full = mounted(f"mount -t tmpfs -o size=8k tmpfs '{tmp_path}' && head -c 8k /dev/zero > "
                   f"'{tmp_path}/filler'")  # fmt: skip
    out = str(tmp_path / "submission.zip")
    words = ["pack", "--solution", "quickstart", "--out", out]
    done = invoke(checkout, *words, before=full)
    assert done.returncode == 1
    assert "has 0 B free" in done.stderr
    assert "df -h" in done.stderr


def test_a_disk_that_can_only_be_read(checkout: Path, tmp_path: Path) -> None:
    fixed = mounted(f"mount -t tmpfs -o ro tmpfs '{tmp_path}'")
    out = str(tmp_path / "out")
    done = invoke(checkout, "run", "--zip", a_zip(checkout), "--out", out, "--json", before=fixed)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert "Read-only file system" in error["what"]
    assert error["fix"] == "Use a folder on another disk."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else(checkout: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        words = ["--zip", a_zip(checkout), "--out", str(tmp_path / "out")]
        done = invoke(checkout, "run", *words)
    finally:
        tmp_path.chmod(0o700)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert f"ls -ld {tmp_path}" in done.stderr


def test_without_a_network_and_with_nothing_kept(checkout: Path, tmp_path: Path) -> None:
    if problem := select.make(EngineName.EMBEDDED).unavailable():
        pytest.skip(problem)
    packed = invoke(checkout, "pack", "--solution", "quickstart", "--force")
    assert packed.returncode == 0, packed.stderr
    done = invoke(
        checkout,
        *("run", "--engine", "embedded", "--out", str(tmp_path / "out"), "--json"),
        *("--zip", str(checkout / "submission" / "submission.zip")),
        UV_OFFLINE="1",
        UV_CACHE_DIR=str(tmp_path / "uv"),
        POSEBOWL_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == Verdict.ENGINE_ERROR.exit_code
    result = json.loads(done.stdout)
    assert "Network connectivity is disabled" in result["message"]
    assert "unset UV_OFFLINE" in result["fix"]
    assert not list((tmp_path / "cache").rglob("*.part"))
