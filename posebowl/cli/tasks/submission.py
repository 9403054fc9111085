"""Tasks for one submission: pack it, check it, run it, score it, clean up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from posebowl.cli.options import (
    BUDGET,
    FOLDER_OF_RESULTS,
    OF_A_RUN,
    SOLUTION,
    ZIP,
    Force,
    Images,
    Json,
    Note,
)
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.values import FILE, FOLDER, PATH, TRUTH, whole

if TYPE_CHECKING:
    from posebowl.environments import Missing
    from posebowl.submission import Archive


@task("pack")
def pack(
    settings: Settings,
    *,
    name: Annotated[str, Option(SOLUTION, SOLUTION.expects, positional=True)] = "",
    solution: Annotated[str, Option(SOLUTION, "the same, of solutions/ only")] = "",
    source: Annotated[Path | None, Option(FOLDER, "the same, any folder")] = None,
    out: Annotated[
        Path | None, Option(PATH, "the zip to write", "submission/submission.zip")
    ] = None,
    force: Force = False,
    keep: Annotated[bool, Option(TRUTH, "leave a zip that exists as it is, and exit 0")] = False,
    note: Note = "",
    json: Json = False,
) -> None:
    """Pack a solution into submission.zip."""
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.submission import packer, write_record

    folder = _to_pack(name, solution, source)
    target = out or settings.archive
    if keep and target.is_file():
        output.present({"path": target, "kept": True}, tables.kept, as_json=json)
        return
    packed = packer.pack(folder, target, force=force)
    write_record(target, packed.sha256, solution=folder.resolve().name, note=note)
    output.present(packed, lambda made: tables.packed(made, settings.archive), as_json=json)


def _to_pack(name: str, solution: str, source: Path | None) -> Path:
    """Return the folder that exactly one of three options names."""
    from posebowl.errors import UsageError
    from posebowl.submission import find_folder, find_solution

    given = sum(map(bool, (name, solution, source)))
    if given != 1:
        raise UsageError(
            "pack needs one solution.",
            why=f"{'Several options name' if given else 'Nothing names'} the folder to pack.",
            fix="Type: invoke pack benchmark",
        )
    if name:
        return find_folder(name)
    return source or find_solution(solution)


@task("check", "variant", "engine", "full")
def check(settings: Settings, *, zip: ZIP = None, json: Json = False) -> None:  # noqa: A002
    """Inspect a submission.zip without running it."""
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.submission import archive

    found = archive.inspect(zip or settings.archive)
    missing = _missing(found, settings)
    if json:
        output.print_json(vars(found) | {"missing": missing})
    else:
        tables.checked(found, missing)


def _missing(found: Archive, settings: Settings) -> tuple[Missing, ...]:
    """Compare what a zip imports with the lock, and with the engine that is named."""
    from posebowl import environments
    from posebowl.errors import EngineError
    from posebowl.util.console import warn

    if not found.uses:
        return ()
    try:
        lock = offer = environments.of_lock(settings.variant.value, settings.cache)
    except EngineError as error:
        warn(f"Its imports were not compared with uv.lock: {error}")
        return ()
    if settings.engine is not None:
        from posebowl import engines

        offer = engines.offered(
            settings.engine, settings.variant, found.imports, settings.cache, full=settings.full
        )
    return environments.missing(found, lock, offer)


@task("run", *OF_A_RUN, *BUDGET, "budget_against")
def run(
    settings: Settings,
    *,
    zip: ZIP = None,  # noqa: A002
    out: Annotated[Path | None, Option(FOLDER, "folder for the results", "submission/")] = None,
    limit: Images = None,
    repeat: Annotated[
        int, Option(whole(1, 3), "run so often, and print the median and spread of the times")
    ] = 1,
    json: Json = False,
) -> int:
    """Run a submission as the platform would; score it."""
    from posebowl.cli import budgets, running

    archive = zip or settings.archive
    request = running.request(settings, archive, out=out, most_images=limit, judged=True)
    return running.carry_out_often(request, json, repeat, budgets.accept)


@task("stress", *OF_A_RUN)
def stress(
    settings: Settings,
    *,
    zip: ZIP = None,  # noqa: A002
    limit: Annotated[int, Option(whole(1, 24), "images of most runs, chosen evenly by name")] = 24,
    many: Annotated[
        int,
        Option(whole(0, 10_000, none_at_zero="none"), "images of the run for memory's growth"),
    ] = 10_000,
    json: Json = False,
) -> int:
    """Run a zip on data out of the ordinary; list what differs from its plain run."""
    from posebowl.cli import output, stress as trials
    from posebowl.cli.views import stress as shown

    outcomes = trials.stress(settings, zip or settings.archive, count=limit, many=many)
    output.present(outcomes, shown.show, as_json=json)
    return trials.exit_code(outcomes)


@task("score")
def score(
    *,
    predictions: Annotated[Path, Option(FILE, "the CSV to score", positional=True)],
    labels: Annotated[Path, Option(FILE, "the CSV of the true boxes", positional=True)],
    partial: Annotated[bool, Option(TRUTH, "leave out predictions that have no label")] = False,
    json: Json = False,
) -> None:
    """Score a CSV of predictions against one of labels."""
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.scoring import metric

    result = metric.score_files(predictions, labels, partial=partial)
    if json:
        fields = ("mean_iou", "median_iou", "count", "unscored", "unlabelled")
        output.print_json({name: getattr(result, name) for name in fields})
    else:
        tables.scored(result)


@task("clean")
def clean(
    settings: Settings,
    *,
    folder: FOLDER_OF_RESULTS = None,
    history: Annotated[bool, Option(TRUTH, "the history of runs too")] = False,
    json: Json = False,
) -> None:
    """Remove what runs left; never a zip, and the history only if asked."""
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.errors import UsageError
    from posebowl.results import cleaning, held, is_of_results

    usual = settings.submission
    place = folder or usual
    if not place.is_dir():
        raise UsageError(
            f"{place} is not a folder.",
            why="Only a folder that holds the results of runs can be cleaned.",
            fix="Type: invoke clean",
        )
    if place.resolve() != usual.resolve() and not is_of_results(place):
        raise UsageError(
            f"{place} is not a folder that a run wrote its results to.",
            why="Files of yours there may have the names of results.",
            fix="Type: invoke clean",
        )
    with held(place, leave=False):
        done = cleaning.clean(place, with_history=history)
        output.present(done, tables.cleaned, as_json=json)
