"""The image for machines of a cluster: nothing of a checkout enters it that is not named."""

from __future__ import annotations

import io
import secrets
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import EngineName
from posebowl.engines.oci import client as oci_client
from posebowl.errors import EngineError

pytestmark = pytest.mark.container

PRIVATE = (
    "data/train_labels.csv", "data/images/a.png", ".git/config", "submission/submission.zip",
    ".env", "notes.txt", "posebowl/.secret", "posebowl/__pycache__/x.pyc", "runtime/.token",
)  # fmt: skip


@pytest.mark.parametrize("engine", [EngineName.DOCKER, EngineName.PODMAN])
def test_only_code_and_lock_enter_the_image(engine: EngineName, tmp_path: Path) -> None:
    try:
        argv = oci_client.connect(engine).argv
    except EngineError as error:
        pytest.skip(str(error))
    checkout = tmp_path / "checkout"
    for name in (*PRIVATE, "posebowl/batch/plan.py", "posebowl/report/style.css"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("x")
    for name in ("pyproject.toml", "uv.lock", ".python-version", ".dockerignore"):
        shutil.copy(paths.ROOT / name, checkout / name)
    shutil.copytree(paths.RUNTIME / "ray", checkout / "runtime/ray")
    image = f"posebowl-test-code:{secrets.token_hex(4)}"

    build = ["build", "-q", "-f", checkout / "runtime/ray/Dockerfile", "--target", "code"]
    subprocess.run([*argv, *build, "-t", image, checkout], check=True, capture_output=True)
    made = subprocess.run(
        [*argv, "create", image, "none"], check=True, capture_output=True, text=True
    ).stdout.strip()
    content = subprocess.run([*argv, "export", made], check=True, capture_output=True).stdout
    subprocess.run([*argv, "rm", made], check=True, capture_output=True)
    subprocess.run([*argv, "rmi", image], check=True, capture_output=True)

    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        names = {one.name for one in archive if one.isfile()}
    found = {name.removeprefix("srv/posebowl/") for name in names if name.startswith("srv/")}
    assert found == {
        "pyproject.toml",
        "uv.lock",
        ".python-version",
        "posebowl/batch/plan.py",
        "posebowl/report/style.css",
        *(f"runtime/ray/{path.name}" for path in (paths.RUNTIME / "ray").iterdir()),
    }
