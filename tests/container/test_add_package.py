"""The whole story of one more package: `uv add X`, build, and X imports in both images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import argv, client as oci_client, image as identity
from posebowl.errors import EngineError

pytestmark = pytest.mark.container

PACKAGE, MODULE = "humanize", "humanize"

BUILD = """
import sys
from posebowl.challenge import Variant
from posebowl.engines import oci_argv
from posebowl.engines.base import EngineName
# The images of the checkout keep their names.
oci_argv.image_name = lambda variant: f"posebowl-added:{variant}"
from posebowl.images import build
built = build.build(Variant(sys.argv[2]), EngineName(sys.argv[1]), record=False)
print(build.describe(built))
"""
IMPORT = f"import {MODULE}; print({MODULE}.intcomma(1234567))"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what a build needs of the checkout, and add a package there."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "uv.lock", "README.md"):
        if (paths.ROOT / name).exists():
            shutil.copy(paths.ROOT / name, folder / name)
    for name in ("posebowl", "runtime"):
        shutil.copytree(paths.ROOT / name, folder / name)
    add = ["uv", "add", "--no-sync", PACKAGE]
    done = subprocess.run(add, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no package index can be reached: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.parametrize("variant", list(Variant))
@pytest.mark.parametrize("name", ["docker", "podman"])
def test_an_added_package_is_in_the_image(checkout: Path, name: str, variant: Variant) -> None:
    engine = EngineName(name)
    if problem := oci_client.problem(engine):
        pytest.skip(problem)
    client = oci_client.connect(engine)
    try:
        # Built before, the layers below the new package are there: this is not a full build.
        image = identity.current(client, variant)
    except EngineError as error:
        pytest.skip(str(error))
    added = f"posebowl-added:{variant}"
    try:
        words = [sys.executable, "-c", BUILD, name, str(variant)]
        subprocess.run(words, cwd=checkout, env=_environment(checkout), check=True)
        found = identity.find(client, added)
        assert found is not None
        shared = [a for a, b in zip(found.layers, image.layers, strict=False) if a == b]
        assert len(shared) >= len(image.layers) - 3, "more than the last steps was repeated"
        run = ["run", "--rm", "--network", "none", "--entrypoint", "python"]
        if engine == EngineName.PODMAN:
            run += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        assert client.run(*run, added, "-c", IMPORT).stdout == "1,234,567\n"
        gone = client.run(*run, argv.image_name(variant), "-c", IMPORT, check=False)
        assert "ModuleNotFoundError" in gone.stderr
    finally:
        client.run("rmi", "--force", added, check=False)


def _environment(checkout: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(checkout)}
