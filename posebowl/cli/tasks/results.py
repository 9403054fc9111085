"""Tasks for runs that are over: list them, compare two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from posebowl.cli.options import BUDGET, FOLDER_OF_RESULTS, Force, Json
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.text import counted
from posebowl.util.units import duration
from posebowl.util.values import DURATION, PATH, TEXT, TRUTH, Kind, whole

if TYPE_CHECKING:
    from posebowl.results import Run

RUN: Final = Kind(
    expects="a run: its id or the beginning of it, last, previous, or a folder with result.json",
    example="last",
    read=TEXT.read,
    suggest=lambda: ("last", "previous"),
)


@task("history")
def history(
    settings: Settings,
    *,
    limit: Annotated[
        int, Option(whole(0, 20, none_at_zero="all"), "how many at most, 0 for all")
    ] = 20,
    folder: FOLDER_OF_RESULTS = None,
    restore: Annotated[str, Option(RUN, "bring back the zip of a run, named as for compare")] = "",
    out: Annotated[
        Path | None, Option(PATH, "with --restore: the zip to write", "submission/submission.zip")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """List the runs that were kept, the newest first; or bring back the zip of one."""
    from posebowl.cli import output
    from posebowl.cli.views import runs as runs_shown
    from posebowl.results import history as kept
    from posebowl.util import console
    from posebowl.util.text import first_few

    place = folder or settings.submission
    if restore:
        run = kept.find(restore, place, usual=settings.submission)
        _restore(run, out or settings.archive, force=force, json=json)
        return
    runs, broken = kept.runs(place)
    shown = runs[:limit] if limit else runs
    if broken:
        names = first_few(broken, len(broken))
        console.warn(f"Left out, because their result.json is broken: {names}.")
    if json:
        output.print_json([runs_shown.history_row(run) for run in shown])
    else:
        runs_shown.history(
            shown, more=len(runs) - len(shown), folder=place, usual=settings.submission
        )


def _restore(run: Run, target: Path, *, force: bool, json: bool) -> None:
    from posebowl.cli import output
    from posebowl.results import zips
    from posebowl.util import hints

    made = zips.restore(run, target, force=force)
    found = {"path": target, "run": run.name, "sha256": made.sha256}
    found |= {"solution": made.solution, "note": made.note}
    text = (
        f"Restored {hints.local(target)}: {made.solution} {made.sha256[:8]}, as {run.name} ran it"
    )
    output.present_text(found, text, as_json=json)


@task("calibrate")
def calibrate(
    settings: Settings,
    *,
    run: Annotated[str, Option(RUN, f"{RUN.expects}, or its zip", positional=True)] = "last",
    time: Annotated[float, Option(DURATION, "what the platform reported for it")],
    folder: FOLDER_OF_RESULTS = None,
    json: Json = False,
) -> None:
    """Note the platform's time for a zip; later runs estimate theirs from it."""
    from posebowl.cli import output
    from posebowl.errors import UsageError
    from posebowl.results import calibration, history as kept
    from posebowl.submission import archive
    from posebowl.util import hints

    place = folder or settings.submission
    if by_zip := Path(run).is_file() and Path(run).name != "result.json":
        sha256, named = archive.digest(Path(run)), []
    else:
        found = kept.find(run, place, usual=settings.submission)
        sha256, named = str(found.result.archive.get("sha256", "")), [found.result]
    same = [r.result for r in kept.runs(place)[0] if r.result.archive.get("sha256") == sha256]
    runs = {result.run_id: result for result in (*named, *same)}
    point = calibration.make(list(runs.values()), time)
    if point is None:
        raise UsageError(
            f"No run of {run} that passed is in the history.",
            why="The time of an image here is what the platform's time is compared with.",
            fix=f"Type: invoke run{' ' + hints.word(Path(run)) if by_zip else ''}",
        )
    points = [p for p in calibration.add(settings.cache, point) if p.machine == point.machine]
    text = (
        f"Noted {duration(time)} for {point.submission} {sha256[:8]}, which takes "
        f"{duration(point.image_s)} an image here. {counted(len(points), 'submission')} noted for "
        f"{point.machine}."
    )
    output.present_text({"point": point, "points": points}, text, as_json=json)


@task("compare", *BUDGET)
def compare(
    settings: Settings,
    *,
    before: Annotated[
        str,
        Option(RUN, RUN.expects, positional=True),
    ],
    after: Annotated[str, Option(RUN, "another run", positional=True)],
    html: Annotated[
        Path | None, Option(PATH, "also write the comparison as a page to this file")
    ] = None,
    top: Annotated[
        int,
        Option(
            whole(0, 12, none_at_zero="none"), "images named of those that gained and lost most"
        ),
    ] = 12,
    force: Force = False,
    folder: FOLDER_OF_RESULTS = None,
    markdown: Annotated[
        bool, Option(TRUTH, "print it as Markdown, for the summary of a workflow")
    ] = False,
    json: Json = False,
) -> int:
    """Show what changed from one run to another; check the budget on the second."""
    from posebowl.cli import budgets, output
    from posebowl.cli.views import runs as runs_shown
    from posebowl.report import compare_markdown, comparison as page
    from posebowl.results import comparison, history as kept

    if html is not None:
        _check_page(html, force=force)
    place = folder or settings.submission
    one, two = (kept.find(word, place, usual=settings.submission) for word in (before, after))
    found = comparison.compare(one, two, top=top)
    if html is not None:
        page.write(html, found, one, two)
    checked = budgets.compared(settings, found, two.result)
    if json:
        output.print_json({**vars(found), "budget": checked})
    elif markdown:
        output.print_document(compare_markdown.of(found, checked))
    else:
        runs_shown.comparison(found)
        if html is not None:
            runs_shown.written(html)
    return budgets.report(checked)


def _check_page(html: Path, *, force: bool) -> None:
    """Check that the page may be written."""
    from shlex import quote

    from posebowl.errors import UsageError
    from posebowl.util.files import refuse_existing

    if html.is_dir():
        inside = quote(str(html / "compare.html"))
        raise UsageError(f"{html} is a folder.", fix=f"Type: --html {inside}")
    refuse_existing(html, force=force)
