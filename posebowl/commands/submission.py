"""Tasks for one submission: pack it, check it, run it, score it, clean up."""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from posebowl.command import JSON, command

ZIP = "submission.zip"


@command(
    help={
        "solution": "name of a folder in solutions/",
        "source": "any other folder, instead of --solution",
        "out": "the zip to write (submission/submission.zip)",
        "force": "replace a zip that is there",
    }
)
def pack(
    _: Context, solution: str = "", source: str = "", out: str = "", force: bool = False
) -> None:
    """Pack a solution into submission.zip."""
    from posebowl import cli, paths, shown
    from posebowl import pack as packing

    folder = cli.solution_folder(solution, source)
    shown.packed(packing.pack(folder, cli.existing(out, paths.SUBMISSION / ZIP), force=force))


@command(help={"zip": "the zip to inspect (submission/submission.zip)"})
def check(_: Context, zip: str = "") -> None:  # noqa: A002
    """Inspect a submission.zip without running it."""
    from posebowl import archive, cli, paths, shown

    shown.checked(archive.inspect(cli.existing(zip, paths.SUBMISSION / ZIP)))


@command(
    help={
        "zip": "the zip to run (submission/submission.zip)",
        "data": "data folder (data/, or data/demo while that is empty)",
        "variant": "cpu or gpu",
        "engine": "auto, docker, podman or embedded",
        "time_limit": "wall time, such as 90s, 10m or 1h (105m)",
        "memory": "such as 512m or 4g (4g)",
        "cpus": "processor cores (3)",
        "out": "folder for the results (submission/)",
        "full": "embedded engine: the whole cpu group, whatever the submission imports",
        "allow_cpu": "variant gpu: run without a GPU where there is none",
        "waive": "limits that need not hold, such as memory,cpus",
        "json": JSON,
    }
)
def run(
    _: Context,
    zip: str = "",  # noqa: A002
    data: str = "",
    variant: str = "cpu",
    engine: str = "auto",
    time_limit: str = "",
    memory: str = "",
    cpus: int = 0,
    out: str = "",
    full: bool = False,
    allow_cpu: bool = False,
    waive: str = "",
    json: bool = False,
) -> int:
    """Run a submission as the platform would; score it."""
    from posebowl import cli, console, paths, summary
    from posebowl import run as running
    from posebowl.challenge import Variant
    from posebowl.display import Display

    kind = cli.one_of(Variant, variant, "variant")
    request = running.Request(
        archive=cli.existing(zip, paths.SUBMISSION / ZIP),
        out=cli.existing(out, paths.SUBMISSION),
        data=Path(data).expanduser() if data else None,
        variant=kind,
        engine=cli.engine(engine),
        limits=cli.limits(kind, time_limit=time_limit, memory=memory, cpus=cpus),
        waived=cli.waived(waive),
        full=full,
        allow_cpu=allow_cpu,
    )
    result = running.run(request, Display())
    if json:
        print(result.to_json(), end="")
    else:
        summary.show(result, cli.local(request.out), console.out)
    return result.verdict.exit_code


@command(positional=["predictions", "labels"], help={"json": JSON})
def score(_: Context, predictions: str, labels: str, json: bool = False) -> None:
    """Score a CSV of predictions against one of labels."""
    from posebowl import cli, shown
    from posebowl import score as scoring

    result = scoring.score_files(Path(predictions), Path(labels))
    if json:
        fields = ("mean_iou", "median_iou", "count", "unscored")
        cli.print_json({name: getattr(result, name) for name in fields})
    else:
        shown.scored(result)


@command(help={"folder": "the folder of the results (submission/)"})
def clean(_: Context, folder: str = "") -> None:
    """Remove what runs left; never a zip that you made."""
    from posebowl import clean as cleaning
    from posebowl import cli, paths, shown
    from posebowl.errors import UsageError
    from posebowl.folder import held

    place = cli.existing(folder, paths.SUBMISSION)
    if not place.is_dir():
        raise UsageError(f"{place} is no folder.", fix="Type: invoke clean")
    with held(place):
        shown.cleaned(cleaning.clean(place))
