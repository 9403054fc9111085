"""A bench for runs: a fake engine that does what a test wants, and a folder to run it in."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from posebowl.challenge import EngineName, Limit
from posebowl.engines.base import Engine, Outcome, RunSpec, Sample, Watcher
from posebowl.results import result
from posebowl.results.result import Result
from posebowl.run import Request, run
from posebowl.run.live_display import Display
from tests.conftest import BOXES, write_table

OUTCOME = Outcome(
    exit_code=0,
    stopped_by=None,
    started_after_s=0.1,
    wall_s=3.0,
    cpu_s=6.0,
    peak_memory_bytes=100,
    output_bytes=10,
    log_bytes=6,
    oom_kills=0,
    samples=(Sample(elapsed_s=1.0, memory_bytes=100, cpu_s=2.0),),
    unenforced={Limit.CPUS: "by affinity"},
    environment={"lock": "abc"},
)
RESULTS = {"submission.csv", "log.txt", "result.json", "report.html"}


def valid(spec: RunSpec) -> None:
    """Write valid predictions."""
    write_table(spec.output / "submission.csv", BOXES)


@dataclass
class FakeEngine:
    """Writes and ends as a test wants."""

    writes: Callable[[RunSpec], None] = valid
    ends: Outcome | BaseException = OUTCOME
    specs: list[RunSpec] = field(default_factory=list)
    name: EngineName = EngineName.PODMAN

    def unavailable(self) -> str | None:
        return None

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:
        pass

    def reap(self) -> None:
        pass

    def execute(self, spec: RunSpec, watch: Watcher) -> Outcome:
        watch.admit()
        self.specs.append(spec)
        watch.line("hello")
        spec.log.write_text("hello\n")
        self.writes(spec)
        if isinstance(self.ends, BaseException):
            raise self.ends
        return self.ends


@dataclass
class Bench:
    """Runs a fake engine in a folder."""

    folder: Path
    data: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def request(self, **changes: object) -> Request:
        archive = self.folder / "submission.zip"
        if not archive.exists():
            with zipfile.ZipFile(archive, "w") as file:
                file.writestr("main.sh", "true\n")
                file.writestr("main.py", "import onnx\n")
                file.writestr("model.onnx", "weights")
        request = Request(
            archive=archive, out=self.out, data=self.data, cache=self.folder / "cache"
        )
        return replace(request, **changes)  # type: ignore[arg-type]

    def run(
        self,
        engine: FakeEngine,
        *,
        answered: Callable[[Result], None] = lambda _: None,
        **changes: object,
    ) -> Result:
        def prepared(_name: object, spec: RunSpec, watch: Watcher, **_: object) -> Engine:
            engine.prepare(spec, watch)
            return engine

        request, display = self.request(**changes), Display(quiet=True)
        ended = run(request, display, prepared=prepared, answered=answered)
        assert result.read(self.out / "result.json") == ended
        assert {path.name for path in self.out.glob(".run-*")} == set()
        return ended

    def files(self) -> set[str]:
        return {path.name for path in self.out.iterdir()} - {".lock", "history"}
