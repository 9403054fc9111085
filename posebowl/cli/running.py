"""What the tasks that run a submission share: the request that settings make, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from posebowl.settings import Settings

if TYPE_CHECKING:
    from posebowl.results import Result
    from posebowl.run import Request
    from posebowl.submission import Inspected, Packed


def request(
    settings: Settings,
    archive: Path,
    *,
    out: Path | None = None,
    packed: Packed | Inspected | None = None,
    most_images: int | None = None,
    judged: bool = False,
) -> Request:
    """Return the request to run a zip as the settings say.

    Args:
        settings: In force.
        archive: The zip.
        out: Where the results go; None: where the settings say.
        packed: The zip as it was packed or inspected in this process.
        most_images: Only so many of the images.
        judged: It is held to the budget of the settings.

    Raises:
        UsageError: The budget names a run that is not there.
    """
    from posebowl.cli import budgets
    from posebowl.run import Request
    from posebowl.submission import read_record

    place = out or settings.submission
    return Request(
        archive=archive,
        packed=packed,
        record=read_record(archive),
        out=place,
        budget=budgets.before_a_run(settings, place) if judged else None,
        data=settings.data,
        most_images=most_images,
        variant=settings.variant,
        engine=settings.engine,
        limits=settings.limits,
        waived=settings.waive,
        full=settings.full,
        allow_cpu=settings.allow_cpu,
        runtime=settings.runtime or "",
        image=settings.image or "",
        cache=settings.cache,
        keep_runs=settings.history,
        keep_zip_bytes=settings.history_zips,
    )


def carry_out(request: Request, as_json: bool) -> Result:  # noqa: FBT001  # a callback of `Trial`
    """Run a submission, print the result, and return it."""
    from posebowl.cli import output
    from posebowl.cli.views import result as summary
    from posebowl.run import Display, run
    from posebowl.util import console, hints

    place = hints.local(request.out)
    shown: summary.Rows = ()

    def answer(result: Result) -> None:
        nonlocal shown
        shown = () if as_json else summary.show(result, place, console.out)

    result = run(request, Display(), answered=answer)
    if as_json:
        output.print_document(result.to_json())
    else:
        summary.show(result, place, console.out, shown)
    return result


def carry_out_often(
    request: Request,
    as_json: bool,  # noqa: FBT001
    repeat: int,
    accept: Callable[[Result], int] = lambda result: result.verdict.exit_code,
) -> int:
    """Run a submission several times, as long as it passes; return the exit code of the last run.

    Each run prints its result and is in the history; a table at the end has the median and spread.
    As JSON, several runs are one object: `runs`, and `spreads`.

    Args:
        request: What to run, and how.
        as_json: Print JSON.
        repeat: How often.
        accept: Returns the exit code for the last result.
    """
    if repeat == 1:
        return accept(carry_out(request, as_json))
    from posebowl.cli import output
    from posebowl.cli.views import repeated
    from posebowl.errors import Verdict
    from posebowl.run import Display, run

    results: list[Result] = []
    for _ in range(repeat):
        results.append(run(request, Display()) if as_json else carry_out(request, as_json=False))
        if results[-1].verdict is not Verdict.OK:
            break
    if as_json:
        spreads = repeated.spreads(results)
        output.print_json({"runs": results, "spreads": spreads})
    elif len(results) > 1:
        repeated.show(results)
    return accept(results[-1])
