"""One run, from the archive to the report: check, stage, execute, collect, validate, score."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import secrets
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from posebowl.challenge import LIMITS, PREDICTIONS_FILE, EngineName, Limit, Limits, Variant
from posebowl.data import DataFolder, folder as data_folder
from posebowl.engines import Outcome, RunSpec, select
from posebowl.errors import EngineError, PoseBowlError, Verdict, VerdictError
from posebowl.paths import local
from posebowl.results import (
    LOG_FILE,
    REPORT_FILE,
    RESULT_FILE,
    RESULT_FILES,
    SCRATCH_PREFIX,
    Result,
    ScoreSummary,
    Timing,
    clear,
    held,
    refuse_strangers,
    result as results,
)
from posebowl.run import image_progress
from posebowl.run.live_display import Display
from posebowl.run.verdicts import judge
from posebowl.settings import MOST_RUNS
from posebowl.submission import archive
from posebowl.util import host, os_errors, process
from posebowl.util.files import atomic_write, remove_tree

if TYPE_CHECKING:
    import polars as pl

    from posebowl.scoring import Predictions, Score

_TAIL_BYTES: Final = 64 << 10


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for."""

    archive: Path
    out: Path
    """Where submission.csv, log.txt, result.json and report.html go."""
    data: Path | None = None
    """A data folder; None takes data/, or the demo set while that is empty."""
    variant: Variant = Variant.CPU
    engine: EngineName | None = None
    """None takes the first that works here."""
    limits: Limits = LIMITS[Variant.CPU]
    waived: frozenset[Limit] = frozenset()
    full: bool = False
    """Give the embedded engine the whole cpu group, whatever the submission imports."""
    allow_cpu: bool = False
    """Run the gpu image without a GPU where there is none."""
    cache: Path
    """Where the embedded engine keeps its environments."""
    keep_runs: int = MOST_RUNS
    """How many runs the history of `out` keeps, this one among them."""
    log_called: Path | None = None
    """What advice calls the log; None: by its place in `out`, which is right while it stays."""


def run(request: Request, display: Display) -> Result:
    """Execute a submission as the platform would, and write what came of it.

    Every way in which it can end, other than another run being at work, is a verdict in the
    result that is returned and written to result.json.

    Raises:
        BusyError: Another run holds the folder; nothing in it was touched.
        UsageError: The request names a data folder that does not exist, or a folder for the
            results that holds somebody else's; nothing was touched.
    """
    if request.data is not None and not request.data.is_dir():
        raise data_folder.no_folder(request.data)
    refuse_strangers(request.out)
    with held(request.out):
        clear(request.out)
        work = _Work.start(request)
        try:
            _perform_or_fail(work, display)
            _publish(work)
        finally:
            remove_tree(work.scratch)
        return work.result


def _perform_or_fail(work: _Work, display: Display) -> None:
    """Perform the run; whatever ends it early becomes its verdict."""
    try:
        _perform(work, display)
    except VerdictError as error:
        work.fail(error)
    except process.ProcessError as error:
        work.fail(EngineError(error.what, why=error.why, fix=error.fix))
    except KeyboardInterrupt:
        work.end(Verdict.INTERRUPTED, "The run was interrupted; nothing of it is alive.", "")
    except OSError as error:
        work.fail(_host_failure(error, work.request.out))


@dataclass(kw_only=True)
class _Work:
    """A run under way: what is known of it so far."""

    request: Request
    scratch: Path
    result: Result
    log: Path
    folder: DataFolder | None = None
    predictions: Predictions | None = None
    score: Score | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, request: Request) -> _Work:
        run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        scratch = request.out / f"{SCRATCH_PREFIX}{run_id}"
        scratch.mkdir()
        result = Result(
            run_id=run_id,
            verdict=Verdict.ENGINE_ERROR,
            message="The run did not end.",
            fix="Run it again.",
            engine=request.engine or "",
            variant=request.variant,
            archive={"path": str(request.archive)},
            data={},
        )
        return cls(request=request, scratch=scratch, result=result, log=scratch / LOG_FILE)

    def learn(self, **known: object) -> None:
        self.result = dataclasses.replace(self.result, **known)  # type: ignore[arg-type]

    def end(self, verdict: Verdict, message: str, fix: str) -> None:
        self.learn(verdict=verdict, message=message, fix=fix)

    def fail(self, error: VerdictError) -> None:
        message = f"{error.what} {error.why}".strip()
        self.end(error.verdict, message, error.fix)


def _perform(work: _Work, display: Display) -> None:
    threading.Thread(target=_load_judges, daemon=True).start()
    with ThreadPoolExecutor() as pool:
        # An engine takes its time to answer.
        asked = pool.submit(select.ask, work.request.engine)
        checked = _check_archive(work)
        work.folder = data_folder.find(work.request.data, scratch=work.scratch)
        if work.folder.labels is not None:
            threading.Thread(target=_load_scoring, daemon=True).start()
        asked.result()
    spec = _stage(work, checked, work.folder)
    try:
        outcome = _execute(work, spec, work.folder, display)
    except PoseBowlError:
        # Whatever else is wrong, what is wrong with the data is said before it.
        _check_data(work, work.folder)
        raise
    called = work.request.log_called or local(work.request.out / LOG_FILE)
    judgement = judge(outcome, spec.limits, _tail(work.log), log=called)
    work.warnings.extend(judgement.warnings)
    work.learn(signal=judgement.signal)
    if judgement.verdict is not Verdict.OK:
        work.end(judgement.verdict, judgement.message, judgement.fix)
        return
    from posebowl.scoring import read_predictions

    collected = _collect(work, spec)
    work.predictions = read_predictions(
        collected, spec.submission_format, max_bytes=spec.limits.predictions_bytes
    )
    work.warnings.extend(work.predictions.warnings)
    _score(work, work.predictions.frame)
    work.end(Verdict.OK, "main.sh ran within its limits and wrote valid predictions.", "")


def _check_archive(work: _Work) -> archive.Archive:
    checked = archive.inspect(work.request.archive)
    work.warnings.extend(checked.warnings)
    work.learn(
        archive={
            "path": str(work.request.archive),
            "sha256": archive.digest(work.request.archive),
            "bytes": checked.packed_bytes,
            "unpacked_bytes": checked.unpacked_bytes,
            "entries": checked.entries,
        }
    )
    return checked


def _check_data(work: _Work, folder: DataFolder) -> None:
    """Check the data, unless that was done."""
    from posebowl.data import checks as data

    if work.result.data:
        return
    checked = data.check(folder)
    work.warnings.extend(checked.warnings)
    work.learn(
        data={
            "root": str(folder.root),
            "images": checked.images,
            "labelled": folder.labels is not None,
            "demo": folder.is_demo,
        }
    )


def _stage(work: _Work, checked: archive.Archive, folder: DataFolder) -> RunSpec:
    """Make the folders of the run, all within its scratch folder."""
    output, scratch = work.scratch / "output", work.scratch / "engine"
    output.mkdir()
    scratch.mkdir()
    return RunSpec(
        run_id=work.result.run_id,
        archive=checked.path.resolve(),
        images=folder.images,
        submission_format=folder.submission_format,
        output=output.resolve(),
        scratch=scratch.resolve(),
        log=work.log,
        variant=work.request.variant,
        limits=work.request.limits,
        cache=work.request.cache,
        imports=checked.imports,
        waived=work.request.waived,
    )


def _execute(work: _Work, spec: RunSpec, folder: DataFolder, display: Display) -> Outcome:
    """Run it; the data is checked while the engine makes all ready, before main.sh starts."""
    request = work.request

    def images() -> int:
        return int(work.result.data.get("images", 0))

    with display.watching(spec.limits, images) as shown:
        watch = dataclasses.replace(shown, admit=lambda: _check_data(work, folder))
        engine = select.prepared(
            request.engine, spec, watch, full=request.full, allow_cpu=request.allow_cpu
        )
        work.learn(engine=str(engine.name))
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        with image_progress.following(watch, spec.images, images) as (followed, done):
            outcome = engine.execute(spec, followed)
            samples, images_from = done.fill(outcome.samples)
    measurable = outcome.exit_code == 0 and outcome.wall_s > 0
    work.learn(
        timing=Timing(
            started_at=started_at,
            start_s=outcome.started_after_s,
            wall_s=outcome.wall_s,
            images_per_second=images() / outcome.wall_s if measurable else None,
        ),
        exit_code=outcome.exit_code,
        meters=results.meters(outcome, spec.limits),
        oom_kills=outcome.oom_kills,
        unenforced={str(limit): reason for limit, reason in outcome.unenforced.items()},
        environment=host.describe() | outcome.environment,
        samples=samples,
        images_from=images_from,
    )
    return outcome


def _load_judges() -> None:
    """Load what reads tables and judges them while the engine makes all ready.

    The order is that of their use; whoever needs one of them sooner waits for it.
    """
    for name in ("data.checks", "report", "results.history"):
        importlib.import_module(f"posebowl.{name}")
    from posebowl import report

    report.load()


def _load_scoring() -> None:
    """Load what only a run with labels needs, which brings numpy with it."""
    importlib.import_module("posebowl.report.score_section")


def _collect(work: _Work, spec: RunSpec) -> Path:
    """Take a copy of the predictions, so that what is judged is what is kept."""
    from posebowl.scoring import read_bounded

    spec.output.chmod(0o700)  # it may have been closed as well
    source = spec.output / PREDICTIONS_FILE
    with contextlib.suppress(FileNotFoundError):
        # Whoever runs this judges alike: root reads any file, others what its owner may read.
        if stat.S_ISREG(source.lstat().st_mode):
            source.chmod(0o600)
    content = read_bounded(source, max_bytes=spec.limits.predictions_bytes)
    target = work.scratch / PREDICTIONS_FILE
    with atomic_write(target) as copy:
        copy.write(content)
    return target


def _score(work: _Work, frame: pl.DataFrame) -> None:
    if work.folder is None or work.folder.labels is None:
        return
    from posebowl.scoring import read_labels, score

    work.score = score(frame, read_labels(work.folder.labels))
    work.learn(
        score=ScoreSummary(
            mean_iou=work.score.mean_iou,
            median_iou=work.score.median_iou,
            images=work.score.count,
        )
    )


def _publish(work: _Work) -> None:
    """Put the results where the user looks for them, each whole or not at all.

    Raises:
        EngineError: Not even the verdict could be written.
    """
    work.learn(warnings=tuple(dict.fromkeys(work.warnings)))
    try:
        _write_results(work)
    except OSError as error:
        work.fail(_host_failure(error, work.request.out))
        _make_room(work)
        try:
            results.write(work.result, work.request.out / RESULT_FILE)
        except OSError as again:
            raise _host_failure(again, work.request.out) from again
    else:
        _keep(work)


def _keep(work: _Work) -> None:
    """Add the run to the history, which is never worth a failure."""
    from posebowl.results import history

    images = work.predictions.frame if work.predictions else None
    try:
        history.keep(
            work.request.out,
            work.result,
            work.score.frame if work.score else images,
            most_runs=work.request.keep_runs,
        )
    except OSError as error:
        warning = f"The run is not in the history: {error.strerror or error}."
        work.learn(warnings=(*work.result.warnings, warning))
        with contextlib.suppress(OSError):
            results.write(work.result, work.request.out / RESULT_FILE)


def _write_results(work: _Work) -> None:
    from posebowl import report

    out, accepted = work.request.out, work.predictions is not None
    for name in (LOG_FILE, *([PREDICTIONS_FILE] if accepted else [])):
        with contextlib.suppress(FileNotFoundError):
            (work.scratch / name).replace(out / name)
    results.write(work.result, out / RESULT_FILE)
    report.write(
        out / REPORT_FILE,
        work.result,
        log=out / LOG_FILE,
        images=work.folder.images if work.folder else None,
        predictions=work.predictions.frame if work.predictions else None,
        score=work.score,
    )


def _make_room(work: _Work) -> None:
    """Give up this run's own files, so that a full disk has room for its verdict."""
    remove_tree(work.scratch)
    for name in RESULT_FILES:
        (work.request.out / name).unlink(missing_ok=True)


def _host_failure(error: OSError, place: Path) -> EngineError:
    where = f" ({error.filename})" if error.filename else ""
    why, fix = os_errors.explain(error, place)
    what = f"This machine failed the run: {error.strerror or error}{where}."
    return EngineError(what, why=why, fix=fix)


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")
    return ""
