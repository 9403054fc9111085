"""Runs for the engines: an archive made of a few lines, three blank photos, and a watcher."""

from __future__ import annotations

import dataclasses
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH, LIMITS, EngineName, Limits, Variant
from posebowl.engines import select
from posebowl.engines.base import Engine, RunSpec
from posebowl.engines.oci import client as oci_client, image
from posebowl.engines.oci.engine import OciEngine
from posebowl.errors import EngineError
from posebowl.settings import resolve
from tests.container.heard import SpecMaker

IDS = ("0" * 32, "1" * 32, "a" * 32)


@pytest.fixture(scope="session", params=["docker", "podman"])
def oci(request: pytest.FixtureRequest) -> OciEngine:
    """Return each of the two engines in turn, with a current cpu image, or skip with the reason."""
    made = OciEngine(EngineName(request.param))
    skip_unless_usable(made)
    return made


@pytest.fixture(params=list(EngineName))
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return each engine in turn, with a current cpu image, or skip with the reason."""
    made = select.make(request.param)
    skip_unless_usable(made)
    return made


def skip_unless_usable(engine: Engine) -> None:
    if problem := engine.unavailable():
        pytest.skip(problem)
    if engine.name is not EngineName.EMBEDDED:
        try:
            image.current(oci_client.connect(engine.name), Variant.CPU)
        except EngineError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    for name in IDS:
        Image.new("RGB", (IMAGE_WIDTH, IMAGE_HEIGHT)).save(folder / "images" / f"{name}.png")
    rows = "".join(f"{name},0,0,0,0\n" for name in IDS)
    (folder / "submission_format.csv").write_text("image_id,xmin,ymin,xmax,ymax\n" + rows)
    (folder / "train_labels.csv").write_text("the labels: a run must not see this")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@pytest.fixture
def spec_of(tmp_path: Path, photos: Path) -> Iterator[SpecMaker]:
    """Return a function that makes a RunSpec from a main.sh, other files, and limits."""

    def make(main: str, *, files: Mapping[str, str] | None = None, **limits: Any) -> RunSpec:
        run_id = f"test-{secrets.token_hex(4)}"
        work = tmp_path / run_id
        (work / "output").mkdir(parents=True)
        (work / "engine").mkdir()
        archive = work / "submission.zip"
        with zipfile.ZipFile(archive, "w") as zipped:
            for name, text in {"main.sh": main, **(files or {})}.items():
                zipped.writestr(name, text)
        archive.chmod(0o644)
        base: Limits = LIMITS[Variant.CPU]
        defaults = {"wall_time_s": 60.0, "memory_bytes": 512 << 20, "grace_s": 2.0}
        return RunSpec(
            run_id=run_id,
            archive=archive,
            images=photos / "images",
            submission_format=photos / "submission_format.csv",
            output=work / "output",
            scratch=work / "engine",
            log=work / "log.txt",
            variant=Variant.CPU,
            cache=resolve.load().cache,
            limits=dataclasses.replace(base, **{**defaults, **limits}),
        )

    return make
