"""One run: check, stage, prepare, execute, judge, collect, validate, score, publish."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from posebowl.challenge import PREDICTIONS_FILE, EngineName
from posebowl.data import folder as data_folder
from posebowl.engines import Engine, RunSpec, Watcher, select
from posebowl.errors import BadDataError, EngineError, PoseBowlError, Verdict
from posebowl.results import (
    LOG_FILE,
    SCRATCH_PREFIX,
    Result,
    check_replaceable,
    clear,
    held,
    new_run_id,
)
from posebowl.run import image_progress, machine_load
from posebowl.run.judge import PASSED, Judgement, judge, judge_failure
from posebowl.run.live_display import Display
from posebowl.run.publish import publish
from posebowl.run.state import (
    Checked,
    Collected,
    DataCheck,
    Executed,
    Judged,
    Ready,
    Request,
    Scored,
    Staged,
    Started,
    Validated,
)
from posebowl.submission import archive
from posebowl.util.files import atomic_write, remove_tree
from posebowl.util.hints import local
from posebowl.util.interrupts import Interrupts, held_back, undisturbed
from posebowl.util.native import settle_environment

_TAIL_BYTES: Final = 64 << 10
_RESERVE_BYTES: Final = 1 << 20
"""Enough for a copy of the predictions and for the verdict."""
SMOKE_TEST: Final = {"IS_SMOKE_TEST": "1"}
"""What platforms set where a run has only some of the images."""


class Prepare(Protocol):
    """Chooses an engine, and makes what it needs for a run, as `select.prepared` does."""

    def __call__(
        self,
        name: EngineName | None,
        spec: RunSpec,
        watch: Watcher,
        *,
        full: bool,
        allow_cpu: bool,
    ) -> Engine:
        """Return an engine that is ready for the run."""
        ...


def run(
    request: Request,
    display: Display,
    *,
    prepared: Prepare = select.prepared,
    answered: Callable[[Result], None] = lambda _: None,
) -> Result:
    """Execute a submission as the platform would, and write its results.

    Every way in which a run can end is a verdict in the result that is returned and written to
    result.json; only a run that cannot start at all raises.

    Args:
        request: What to run, and how.
        display: Shows what the run prints and uses.
        prepared: Makes the engine ready.
        answered: Called as soon as verdict, score and speed are known and written, before the
            report is; what it raises is raised when everything is written.

    Raises:
        BusyError: Another run holds the folder; nothing in it was changed.
        UsageError: The request names an archive or a data folder that does not exist, or a
            folder for the results that holds other files of their names; nothing was changed.
    """
    _refuse_mistakes(request)
    with held(request.out), held_back() as signals:
        with undisturbed():
            clear(request.out)
        run_id = new_run_id(request.out, datetime.now(UTC))
        scratch = request.out / f"{SCRATCH_PREFIX}{run_id}"
        # A program that a run makes and marks set-user-id is one that other users could start.
        scratch.mkdir(mode=0o700)
        started = Started(request=request, run_id=run_id, scratch=scratch)
        reached, ending = _perform(started, display, prepared, signals)
        with undisturbed():
            return publish(reached, ending, answered)


def _perform(
    started: Started, display: Display, prepared: Prepare, signals: Interrupts
) -> tuple[Started, Judgement]:
    """Return the last step that was reached, and how the run ended."""
    request = started.request
    reached: Started = started
    try:
        with signals.let_through():
            settle_environment()
            threading.Thread(target=_load_judges, daemon=True).start()
            with ThreadPoolExecutor() as pool:
                # An engine is slow to answer.
                asked = pool.submit(select.ask, request.engine)
                reached = checked = check(started)
                reached = staged = stage(checked)
                asked.result()
            with display.watching(request.limits, lambda: staged.data.images) as shown:
                watch = dataclasses.replace(shown, admit=staged.data)
                reached = ready = prepare(staged, watch, prepared)
                reached = executed = execute(ready, watch)
            reached = judged = judge_outcome(executed)
            if judged.judgement.verdict is not Verdict.OK:
                return judged, judged.judgement
            reached = collected = collect(judged)
            reached = validated = validate(collected)
            return score(validated), PASSED
    except BaseException as error:  # noqa: BLE001  # whatever it is, what is known is published
        return reached, judge_failure(error, request.out)


def _refuse_mistakes(request: Request) -> None:
    """Refuse what was mistyped, before anything is changed.

    Raises:
        UsageError: See `run`.
    """
    check_replaceable(request.out)
    archive.open_archive(request.archive).close()
    if request.data is not None:
        with contextlib.suppress(BadDataError):  # which is a verdict, once the run has started
            data_folder.find(request.data)


def check(started: Started) -> Checked:
    """Check the archive, unless that was done when it was packed.

    Raises:
        BadArchiveError: It is not acceptable.
    """
    if packed := started.request.packed:
        return Checked(**vars(started), archive=packed.archive, sha256=packed.sha256)
    path = started.request.archive
    return Checked(**vars(started), archive=archive.inspect(path), sha256=archive.digest(path))


def stage(checked: Checked) -> Staged:
    """Find the data and make the folders of the run, all in its scratch folder.

    Raises:
        BadDataError: The data folder is missing or incomplete.
    """
    request, scratch = checked.request, checked.scratch
    checked.reserve.write_bytes(bytes(_RESERVE_BYTES))
    folder = data_folder.find(request.data, scratch=scratch)
    if request.most_images is not None:
        from posebowl.data import sample

        folder = sample(folder, request.most_images, scratch)
    labels = [] if folder.labels is None else [folder.labels.resolve().parent]
    if request.unscored:
        folder = dataclasses.replace(folder, labels=None)
    output, engine = scratch / "output", scratch / "engine"
    output.mkdir()
    engine.mkdir()
    spec = RunSpec(
        run_id=checked.run_id,
        archive=checked.archive.path.resolve(),
        images=folder.images,
        submission_format=folder.submission_format,
        output=output.resolve(),
        scratch=engine.resolve(),
        log=checked.log,
        variant=request.variant,
        limits=request.limits,
        cache=request.cache,
        imports=checked.archive.imports,
        unpacked_bytes=checked.archive.unpacked_bytes,
        waived=request.waived,
        runtime=request.runtime,
        image=request.image,
        hidden=(folder.root, request.out, *labels),
        variables={} if folder.of is None else SMOKE_TEST,
    )
    return Staged(**vars(checked), folder=folder, data=DataCheck(folder), spec=spec)


def prepare(staged: Staged, watch: Watcher, prepared: Prepare) -> Ready:
    """Choose an engine, and make what it needs; the data is checked meanwhile (see `Watcher`).

    Raises:
        EngineError: The named engine does not work here, or none does.
        BadDataError: The data is incomplete.
    """
    request = staged.request
    with _data_first(staged.data):
        engine = prepared(
            request.engine, staged.spec, watch, full=request.full, allow_cpu=request.allow_cpu
        )
    return Ready(**vars(staged), engine=engine)


def execute(ready: Ready, watch: Watcher) -> Executed:
    """Run main.sh to its end or to a limit.

    Raises:
        EngineError: It could not be started, or the engine failed meanwhile.
        LimitUnenforcedError: A limit that is not waived does not hold.
        BadDataError: The data is incomplete.
    """
    before = None

    def admit() -> None:
        nonlocal before
        watch.admit()
        before = machine_load.read()

    spec = ready.spec
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    watched = dataclasses.replace(watch, admit=admit)
    following = image_progress.following(watched, spec.images, lambda: ready.data.images)
    with _data_first(ready.data), following as (followed, done):
        outcome = ready.engine.execute(spec, followed)
        samples, images_from = done.fill(outcome.samples)
    return Executed(
        **vars(ready),
        started_at=started_at,
        outcome=dataclasses.replace(outcome, samples=samples),
        images_from=images_from,
        last_image=done.last_image,
        load=machine_load.between(before, machine_load.read(), outcome.cpu_s),
    )


@contextlib.contextmanager
def _data_first(check_data: DataCheck) -> Iterator[None]:
    """Report an error in the data before any other that the block raises."""
    try:
        yield
    except BadDataError:
        raise
    except PoseBowlError:
        check_data()
        raise


def judge_outcome(executed: Executed) -> Judged:
    """Judge what the engine saw."""
    request = executed.request
    called = request.log_called or local(request.out / LOG_FILE)
    judgement = judge(executed.outcome, request.limits, _tail(executed.log), log=called)
    return Judged(**vars(executed), judgement=judgement)


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")
    return ""


def collect(judged: Judged) -> Collected:
    """Copy the predictions, so that what is judged is what is kept.

    Raises:
        BadOutputError: They are missing, not a regular file, or too large.
    """
    from posebowl.scoring import MISPLACED, read_bounded

    spec = judged.spec
    judged.reserve.unlink(missing_ok=True)
    with contextlib.suppress(EngineError):
        remove_tree(spec.scratch)  # main.sh may have filled the space that the copy needs
    spec.output.chmod(0o700)  # main.sh may have changed its mode
    source = spec.output / PREDICTIONS_FILE
    with contextlib.suppress(FileNotFoundError):
        # Whoever runs this judges alike: root reads any file, others what its owner may read.
        if stat.S_ISREG(source.lstat().st_mode):
            source.chmod(0o600)
    why = MISPLACED if judged.outcome.misplaced else ""
    content = read_bounded(source, max_bytes=spec.limits.predictions_bytes, why=why)
    copy = judged.scratch / PREDICTIONS_FILE
    with atomic_write(copy) as file:
        file.write(content)
    return Collected(**vars(judged), copy=copy)


def validate(collected: Collected) -> Validated:
    """Read the predictions.

    Raises:
        InvalidPredictionsError: They break the format.
    """
    from posebowl.scoring import read_predictions

    spec = collected.spec
    predictions = read_predictions(
        collected.copy, spec.submission_format, max_bytes=spec.limits.predictions_bytes
    )
    return Validated(**vars(collected), predictions=predictions)


def score(validated: Validated) -> Scored:
    """Compare the predictions with the labels, if there are any.

    Raises:
        BadDataError: The labels are broken.
    """
    from posebowl import scoring

    labels, found = validated.folder.labels, None
    if labels is not None:
        found = scoring.score(validated.predictions.frame, scoring.read_labels(labels))
    return Scored(**vars(validated), score=found)


def _load_judges() -> None:
    """Load what reads and judges tables while the engine prepares: 0.6 s of CPU off the end.

    The order is that of their use; code that needs one of them sooner waits for it.
    """
    for name in ("data.checks", "report", "results.history"):
        importlib.import_module(f"posebowl.{name}")
    from posebowl import report

    report.load()
