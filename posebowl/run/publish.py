"""What is known of a run -> its result, and the files that a user looks for."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from posebowl.challenge import IMAGES_DIR, PREDICTIONS_FILE
from posebowl.errors import EngineError, Verdict
from posebowl.results import (
    LOG_FILE,
    REPORT_FILE,
    RESULT_FILE,
    Result,
    ScoreSummary,
    Timing,
    calibration,
    failure,
    how_far,
    measure,
    result as results,
)
from posebowl.run.judge import Judgement, judge_failure
from posebowl.run.state import (
    Checked,
    Collected,
    Executed,
    Judged,
    Ready,
    Request,
    Scored,
    Staged,
    Started,
    Validated,
)
from posebowl.util import host
from posebowl.util.files import remove_tree
from posebowl.util.units import rate


def publish(
    reached: Started, ending: Judgement, answered: Callable[[Result], None] = lambda _: None
) -> Result:
    """Put the results of a run in their place, each file whole or not at all.

    The log and the predictions go first and need no space, so that nothing that fails after
    main.sh has ended costs them. A report that cannot be written makes the run an ENGINE_ERROR;
    a history that cannot be written is a warning.

    Args:
        reached: The last step that was reached.
        ending: How the run ended.
        answered: See `posebowl.run.pipeline.run`.

    Raises:
        EngineError: Not even the verdict could be written.
    """
    with contextlib.ExitStack() as afterwards:
        return _publish(reached, ending, lambda result: _tell(answered, result, afterwards))


def _tell(
    answered: Callable[[Result], None], result: Result, afterwards: contextlib.ExitStack
) -> None:
    """Pass on a result; what that raises waits until everything is written."""
    try:
        answered(result)
    except BaseException as error:  # noqa: BLE001  # it is raised again
        afterwards.callback(_raise, error)


def _raise(error: BaseException) -> NoReturn:
    raise error


def _publish(reached: Started, ending: Judgement, tell: Callable[[Result], None]) -> Result:
    out = reached.request.out
    warnings = _move_out(reached, ending)
    try:
        result = describe(reached, ending, warnings)
        results.write(result, out / RESULT_FILE)
        tell(result)
        if not reached.request.unscored:
            _write_report(reached, result)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the verdict is written
        return _write_failure(reached, _and_before(judge_failure(error, out), ending), warnings)
    return _keep(reached, result)


def _move_out(reached: Started, ending: Judgement) -> list[str]:
    """Move log and predictions out of the scratch folder, remove it, and return what went wrong.

    Predictions that a failure of the machine left unjudged are kept.
    """
    unjudged = isinstance(reached, Collected) and ending.verdict.is_infrastructure_failure
    names = [LOG_FILE]
    if isinstance(reached, Validated) or unjudged:
        names.append(PREDICTIONS_FILE)
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            (reached.scratch / name).replace(reached.request.out / name)
    try:
        remove_tree(reached.scratch)
    except EngineError as error:
        return [str(error)]
    return []


def describe(reached: Started, ending: Judgement, warnings: list[str]) -> Result:
    """Build the result of a run from what the last step that it reached knows."""
    known: dict[str, Any] = {
        "engine": reached.request.engine or "",
        "archive": {"path": str(reached.request.archive)},
        "data": {},
    }
    if isinstance(reached, Checked):
        known |= _of_archive(reached)
    if isinstance(reached, Staged) and (report := reached.data.report) is not None:
        known["data"] = {
            "root": str(reached.folder.root),
            "images": report.images,
            "labelled": reached.folder.labels is not None,
            "demo": reached.folder.is_demo,
        }
        if reached.folder.of is not None:
            known["data"]["of"] = reached.folder.of
    if isinstance(reached, Ready):
        known["engine"] = str(reached.engine.name)
    if isinstance(reached, Executed):
        known |= _of_execution(reached)
        if ending.verdict is not Verdict.OK and not ending.verdict.is_infrastructure_failure:
            known |= _of_failure(reached)
    if isinstance(reached, Judged):
        known["signal"] = reached.judgement.signal
    if isinstance(reached, Scored) and (found := reached.score) is not None:
        known["score"] = ScoreSummary(
            mean_iou=found.mean_iou, median_iou=found.median_iou, images=found.count
        )
    result = Result(
        run_id=reached.run_id,
        verdict=ending.verdict,
        message=ending.message,
        fix=ending.fix,
        variant=reached.request.variant,
        warnings=tuple(dict.fromkeys(filter(None, [*_warnings(reached), *warnings]))),
        **known,
    )
    return _without_path(_compared(result, reached), reached.request)


def _compared(result: Result, reached: Started) -> Result:
    """Add how a run stands to the budget, and how long the platform would take."""
    if reached.request.budget is not None:
        scored = reached.score if isinstance(reached, Scored) else None
        lines = reached.request.budget(result, scored.frame if scored else None)
        result = dataclasses.replace(result, budget=lines)
    if points := calibration.read(reached.request.cache):
        result = dataclasses.replace(result, on_platform=calibration.forecast(result, points))
    return result


def _without_path(result: Result, request: Request) -> Result:
    """Name the archive as the request wants it."""
    path, called = str(request.archive), request.archive_called
    if not called:
        return result
    return dataclasses.replace(
        result,
        message=result.message.replace(path, called),
        fix=result.fix.replace(path, called),
        warnings=tuple(text.replace(path, called) for text in result.warnings),
        archive=result.archive | {"path": called},
    )


def _warnings(reached: Started) -> Iterator[str]:
    """Yield the warnings of each step that was reached."""
    if isinstance(reached, Checked):
        yield from reached.archive.warnings
    if isinstance(reached, Staged) and reached.data.report is not None:
        yield from reached.data.report.warnings
    if isinstance(reached, Executed) and (image := reached.request.image):
        yield f"It ran in the image {image}, which was not made from this uv.lock."
    if isinstance(reached, Executed) and reached.load is not None:
        yield reached.load.disturbance(reached.request.limits.cpus)
    if isinstance(reached, Judged):
        yield from reached.judgement.warnings
    if isinstance(reached, Validated):
        yield from reached.predictions.warnings


def _of_archive(checked: Checked) -> dict[str, Any]:
    archive, record = checked.archive, checked.request.record
    known = {
        "path": str(checked.request.archive),
        "sha256": checked.sha256,
        "bytes": archive.packed_bytes,
        "unpacked_bytes": archive.unpacked_bytes,
        "entries": archive.entries,
    }
    if record is not None and record.sha256 == checked.sha256:
        known |= {"solution": record.solution, "note": record.note}
    return {"archive": known}


def _of_execution(executed: Executed) -> dict[str, Any]:
    outcome = executed.outcome
    pace = rate(executed.data.images, outcome.wall_s) if outcome.exit_code == 0 else None
    return {
        "timing": Timing(
            started_at=executed.started_at,
            start_s=outcome.started_after_s,
            wall_s=outcome.wall_s,
            images_per_second=pace,
            cpu_s=outcome.cpu_s,
            cpu_s_per_image=outcome.cpu_s / executed.data.images if pace else None,
        ),
        "exit_code": outcome.exit_code,
        "meters": measure(outcome, executed.request.limits),
        "oom_kills": outcome.oom_kills,
        "unenforced": {str(limit): reason for limit, reason in outcome.unenforced.items()},
        "environment": host.describe() | outcome.environment,
        "samples": outcome.samples,
        "images_from": executed.images_from,
        "other_cores": executed.load.cores if executed.load else None,
        "disturbance": executed.load.figures() if executed.load else {},
    }


def _of_failure(executed: Executed) -> dict[str, Any]:
    """Return how far main.sh got, and its first error."""
    samples, request = executed.outcome.samples, executed.request
    return {
        "reach": how_far(
            samples,
            of=executed.data.images,
            last_image=executed.last_image,
            memory_bytes=request.limits.memory_bytes,
        ),
        "failure": failure.of_log(request.out / LOG_FILE),
    }


def _write_report(reached: Started, result: Result) -> None:
    from posebowl import report

    out = reached.request.out
    report.write(
        out / REPORT_FILE,
        result,
        log=out / LOG_FILE,
        images=reached.folder.root / IMAGES_DIR if isinstance(reached, Staged) else None,
        predictions=reached.predictions.frame if isinstance(reached, Validated) else None,
        score=reached.score if isinstance(reached, Scored) else None,
        cache=reached.request.cache,
        history=out,
    )


def _and_before(failure: Judgement, ending: Judgement) -> Judgement:
    """Return the verdict on a run whose results could not be written; the machine's wins."""
    if ending.verdict.is_infrastructure_failure:
        return dataclasses.replace(ending, message=f"{ending.message} {failure.message}")
    before = f"The run itself had ended with {ending.verdict}: {ending.message}"
    return dataclasses.replace(failure, message=f"{failure.message} {before}")


def _write_failure(reached: Started, failure: Judgement, warnings: list[str]) -> Result:
    """Write the verdict on a run whose results could not be written, with what can be.

    Raises:
        EngineError: Nothing can be written.
    """
    bare = Started(request=reached.request, run_id=reached.run_id, scratch=reached.scratch)
    path = reached.request.out / RESULT_FILE
    try:
        try:
            result = describe(reached, failure, warnings)
            results.write(result, path)
        except OSError:
            raise
        except BaseException:  # noqa: BLE001  # what is known is what cannot be written
            reached, result = bare, describe(bare, failure, warnings)
            results.write(result, path)
    except OSError as error:
        judged = judge_failure(error, path.parent)
        raise EngineError(judged.message, fix=judged.fix) from error
    return _keep(reached, result)


def _keep(reached: Started, result: Result) -> Result:
    """Add the run and its zip to the history, which is never worth a failure."""
    from posebowl.results import history, zips

    request, what = reached.request, "run"
    images = reached.predictions.frame if isinstance(reached, Validated) else None
    if isinstance(reached, Scored) and reached.score is not None:
        images = reached.score.frame
    try:
        history.keep(request.out, result, images, most_runs=request.keep_runs)
        if isinstance(reached, Checked):
            what, most = "zip of the run", request.keep_zip_bytes
            zips.keep(request.out, result.run_id, request.archive, reached.sha256, most_bytes=most)
    except BaseException as error:  # noqa: BLE001  # see above
        reason = (error.strerror if isinstance(error, OSError) else "") or error
        warning = f"The {what} is not in the history: {reason}."
        result = dataclasses.replace(result, warnings=(*result.warnings, warning))
        with contextlib.suppress(OSError):
            results.write(result, request.out / RESULT_FILE)
    return result
