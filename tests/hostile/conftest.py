"""What the tests of engines share: each engine that works here, and a folder to run in."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl.challenge import LIMITS, EngineName, Variant
from posebowl.engines import select
from posebowl.engines.oci import client, image
from posebowl.errors import EngineError
from posebowl.results import result
from posebowl.run import pipeline
from posebowl.run.live_display import Display
from posebowl.settings import resolve
from tests.hostile.programs import Case


@pytest.fixture(scope="module", params=list(EngineName))
def engine(request: pytest.FixtureRequest) -> EngineName:
    """Return each engine that works here; the others are skipped, with the reason."""
    name: EngineName = request.param
    if problem := select.make(name).unavailable():
        pytest.skip(f"{name}: {problem}")
    if name is not EngineName.EMBEDDED:
        try:
            image.current(client.connect(name), Variant.CPU)
        except EngineError as error:
            pytest.skip(f"{name}: {error}")
    return name


@dataclasses.dataclass(frozen=True)
class Bench:
    """Runs programs in a folder."""

    folder: Path
    data: Path

    def zip(self, main: str, files: dict[str, str | bytes]) -> Path:
        path = self.folder / "submission.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("main.sh"), main)
            for name, content in files.items():
                archive.writestr(name, content)
        return path

    def request(self, engine: EngineName, program: Case) -> pipeline.Request:
        limits = {"wall_time_s": 60.0, **program.limits}
        return pipeline.Request(
            archive=self.zip(program.main, dict(program.files)),
            out=self.folder / "out",
            data=self.data,
            engine=engine,
            limits=dataclasses.replace(LIMITS[Variant.CPU], **limits),
            cache=resolve.load().cache,
        )

    def run(self, engine: EngineName, program: Case) -> result.Result:
        return pipeline.run(self.request(engine, program), Display(quiet=True))


@pytest.fixture
def bench(tmp_path: Path, data_folder: Path) -> Iterator[Bench]:
    """Give a folder to run in, and see to it that nothing but results is left there."""
    yield Bench(tmp_path, data_folder)
    left = {path.name for path in (tmp_path / "out").glob("*")}
    kept = {".lock", "history", "submission.csv", "log.txt", "result.json", "report.html"}
    assert left <= kept
