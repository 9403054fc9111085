"""Tasks for one submission: pack it, check it, run it, score it, clean up."""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from posebowl.cli.task import JSON, command
from posebowl.settings import helps, resolve


@command(
    help={
        "solution": "name of a folder in solutions/",
        "source": "any other folder, instead of --solution",
        "out": "the zip to write (submission/submission.zip)",
        "force": "replace a zip that is there",
        "keep": "leave a zip that is there as it is, and end well",
        "json": JSON,
    }
)
def pack(
    _: Context,
    solution: str = "",
    source: str = "",
    out: str = "",
    force: bool = False,
    keep: bool = False,
    json: bool = False,
) -> None:
    """Pack a solution into submission.zip."""
    from posebowl.cli import options
    from posebowl.cli.views import tables
    from posebowl.submission import packer as packing

    folder = options.solution_folder(solution, source)
    target = options.existing(out, resolve.load().archive)
    if keep and target.is_file():
        options.present({"path": target, "kept": True}, tables.kept, as_json=json)
        return
    options.present(packing.pack(folder, target, force=force), tables.packed, as_json=json)


@command(help={"zip": "the zip to inspect (submission/submission.zip)", "json": JSON})
def check(_: Context, zip: str = "", json: bool = False) -> None:  # noqa: A002
    """Inspect a submission.zip without running it."""
    from posebowl.cli import options
    from posebowl.cli.views import tables
    from posebowl.submission import archive

    found = archive.inspect(options.existing(zip, resolve.load().archive))
    options.present(found, tables.checked, as_json=json)


@command(
    help={
        "zip": "the zip to run (submission/submission.zip)",
        **helps("data", "variant", "engine", "time_limit", "memory", "cpus"),
        "out": "folder for the results (submission/)",
        **helps("full", "allow_cpu", "waive"),
        "json": JSON,
    }
)
def run(
    _: Context,
    zip: str = "",  # noqa: A002
    data: str = "",
    variant: str = "",
    engine: str = "",
    time_limit: str = "",
    memory: str = "",
    cpus: str = "",
    out: str = "",
    full: bool = False,
    allow_cpu: bool = False,
    waive: str = "",
    json: bool = False,
) -> int:
    """Run a submission as the platform would; score it."""
    from posebowl import paths
    from posebowl.cli import options
    from posebowl.cli.views import result as summary
    from posebowl.run import Display, pipeline as running
    from posebowl.util import console

    settings = resolve.load(
        data=data,
        variant=variant,
        engine=engine,
        time_limit=time_limit,
        memory=memory,
        cpus=cpus,
        submission=out,
        full=full,
        allow_cpu=allow_cpu,
        waive=waive,
    )
    request = running.Request(
        archive=options.existing(zip, resolve.load().archive),
        out=settings.submission,
        data=settings.data,
        variant=settings.variant,
        engine=settings.engine,
        limits=settings.limits,
        waived=settings.waive,
        full=settings.full,
        allow_cpu=settings.allow_cpu,
        cache=settings.cache,
        keep_runs=settings.history,
    )
    result = running.run(request, Display())
    if json:
        print(result.to_json(), end="")
    else:
        summary.show(result, paths.local(request.out), console.out)
    return result.verdict.exit_code


@command(
    positional=["predictions", "labels"],
    help={"predictions": "the CSV to score", "labels": "the CSV of the truth", "json": JSON},
)
def score(_: Context, predictions: str, labels: str, json: bool = False) -> None:
    """Score a CSV of predictions against one of labels."""
    from posebowl.cli import options
    from posebowl.cli.views import tables
    from posebowl.scoring import metric as scoring

    options.required("score", predictions=predictions, labels=labels)
    result = scoring.score_files(Path(predictions), Path(labels))
    if json:
        fields = ("mean_iou", "median_iou", "count", "unscored")
        options.print_json({name: getattr(result, name) for name in fields})
    else:
        tables.scored(result)


@command(
    help={
        "folder": "the folder of the results (submission/)",
        "history": "the history of runs too",
        "json": JSON,
    }
)
def clean(_: Context, folder: str = "", history: bool = False, json: bool = False) -> None:
    """Remove what runs left; never a zip that you made, the history only if asked."""
    from posebowl.cli import options
    from posebowl.cli.views import tables
    from posebowl.errors import UsageError
    from posebowl.results import cleaning, held, is_of_results

    usual = resolve.load().submission
    place = options.existing(folder, usual)
    if not place.is_dir():
        raise UsageError(
            f"{place} is no folder.",
            why="Only a folder that holds the results of runs can be cleaned.",
            fix="Type: invoke clean",
        )
    if place.resolve() != usual.resolve() and not is_of_results(place):
        raise UsageError(
            f"{place} is no folder that a run was given for its results.",
            why="Files of yours there may have the names of results.",
            fix="Type: invoke clean",
        )
    with held(place, leave=False):
        done = cleaning.clean(place, with_history=history)
        options.present(done, tables.cleaned, as_json=json)
