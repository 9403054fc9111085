"""Adding packages from start to end: `uv add`, build, and they import on every engine.

From an index, from a folder and from a git repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import client as oci_client, image as identity, image_name
from posebowl.errors import EngineError
from tests.umask import umask

pytestmark = pytest.mark.container

LAST_STEPS = 5
"""Layers of the Dockerfile's last stage: with more packages, no step before that is repeated."""
BUILD = """
import sys
from pathlib import Path
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import argv
# The images of the checkout keep their names.
argv.image_name = lambda variant, key="": f"posebowl-added:{variant}{key[:8]}"
from posebowl.images import builder
built = builder.build(Variant(sys.argv[2]), EngineName(sys.argv[1]), cache=Path(sys.argv[3]))
print(built.name, built.alias)
"""
ENSURE = """
import sys
from pathlib import Path
from posebowl import environments
print(environments.ensure("lean", Path(sys.argv[1])))
"""
IMPORT = "import humanize, in_folder, in_git; print(humanize.intcomma(in_folder.X + in_git.X))"
PROJECT = """
[project]
name = "{name}"
dynamic = ["version"]
[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = ["{name}"]
[tool.setuptools.dynamic]
version = {{ attr = "{name}.__version__" }}
"""


def package(folder: Path, name: str, number: int) -> None:
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name))
    (folder / f"{name}.py").write_text(f'__version__ = "1.0"\nX = {number}\n')


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what a build needs of the checkout, as closed as a umask makes it, and add packages."""
    with umask(0o077):
        folder = tmp_path_factory.mktemp("checkout")
        listed = ["git", "ls-files", "-z", "pyproject.toml", "uv.lock", "posebowl", "runtime"]
        done = subprocess.run(listed, cwd=paths.ROOT, capture_output=True, text=True, check=True)
        for name in filter(None, done.stdout.split("\0")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(paths.ROOT / name, folder / name)
        package(folder / "vendor" / "in_folder", "in_folder", 1_234_000)
        repository = folder.parent / "repository"
        package(repository / "deeper", "in_git", 567)
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "One"]):
            subprocess.run(["git", *words], cwd=repository, check=True)
        there = f"in-git @ git+{repository.as_uri()}#subdirectory=deeper"
        for added in ("humanize", "./vendor/in_folder", there):
            add = ["uv", "add", "--no-sync", added]
            done = subprocess.run(
                add, cwd=folder, env=own(folder), capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                pytest.skip(f"no package index can be reached: {done.stderr.strip()[-200:]}")
    return folder


def own(checkout: Path) -> dict[str, str]:
    """Keep what uv leaves among the temporary files beside the checkout."""
    return {**os.environ, "TMPDIR": str(checkout.parent)}


def run_in(checkout: Path, script: str, *words: object) -> str:
    """Run a script with the code of the copied checkout, and return what it prints."""
    argv = [sys.executable, "-c", script, *map(str, words)]
    env = {**own(checkout), "PYTHONPATH": str(checkout)}
    with umask(0o077):
        done = subprocess.run(
            argv, cwd=checkout, env=env, stdout=subprocess.PIPE, text=True, check=True
        )
    return done.stdout.strip()


def test_added_packages_are_in_the_environment_of_the_embedded_engine(
    checkout: Path, tmp_path: Path
) -> None:
    environment = Path(run_in(checkout, ENSURE, tmp_path))
    # No run sees the checkout: what lies there only would not be found.
    hidden = checkout.rename(checkout.with_name("hidden"))
    try:
        python = [str(environment / "bin" / "python"), "-I", "-c", IMPORT]
        done = subprocess.run(python, capture_output=True, text=True, check=False)
        assert done.stdout == "1,234,567\n", done.stderr
    finally:
        hidden.rename(checkout)
    module = checkout / "vendor" / "in_folder" / "in_folder.py"
    before = module.read_text()
    module.write_text(before.replace("1234000", "2000000"))
    try:
        location = ENSURE.replace("ensure", "location")
        assert run_in(checkout, location, tmp_path) != str(environment)
    finally:
        module.write_text(before)


@pytest.mark.parametrize("variant", list(Variant))
@pytest.mark.parametrize("name", ["docker", "podman"])
def test_added_packages_are_in_the_image(
    checkout: Path, name: str, variant: Variant, tmp_path: Path
) -> None:
    engine = EngineName(name)
    if problem := oci_client.problem(engine):
        pytest.skip(problem)
    client = oci_client.connect(engine)
    try:
        # Built before, the layers below the new packages are there: this is not a full build.
        image = identity.current(client, variant)
    except EngineError as error:
        pytest.skip(str(error))
    added: list[str] = []
    try:
        added = run_in(checkout, BUILD, name, variant, tmp_path).split()[-2:]
        found = identity.find(client, added[0])
        assert found is not None
        shared = [a for a, b in zip(found.layers, image.layers, strict=False) if a == b]
        assert len(shared) >= len(image.layers) - LAST_STEPS
        run = ["run", "--rm", "--network", "none", "--entrypoint", "python"]
        if engine == EngineName.PODMAN:
            run += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        assert client.run(*run, added[0], "-c", IMPORT).stdout == "1,234,567\n"
        gone = client.run(*run, image_name(variant), "-c", IMPORT, check=False)
        assert "ModuleNotFoundError" in gone.stderr
    finally:
        client.run("rmi", "--force", *added, check=False)
