"""The task for many submissions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from posebowl.batch import FILE_THERE, EvaluationOptions
from posebowl.cli.options import Force, Json
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.values import EXISTING, PATH, whole

if TYPE_CHECKING:
    from posebowl.batch import Evaluation, EvaluationRequest, RunOptions


@task(
    "evaluate",
    "variant",
    "engine",
    "time_limit",
    "memory",
    "cpus",
    "waive",
    "full",
    "allow_cpu",
    "runtime",
    "registry",
)
def evaluate(settings: Settings, asked: EvaluationOptions, *, json: Json = False) -> int:
    """Evaluate many submissions, here or on a Ray cluster; rank them."""
    from posebowl.batch import JSON_FILE, EvaluationRequest
    from posebowl.cli.views import leaderboard

    _move_if_needed(settings, asked, json=json)
    given = {
        **vars(asked),
        "out": asked.out or settings.submission / "evaluation",
        "data": asked.data or (str(settings.data) if settings.data else None),
    }
    request = EvaluationRequest(
        **given,
        cache=settings.cache,
        options=_run_options(settings),
        registry=settings.registry or "",
    )
    done = _evaluated(request)
    if json:
        from posebowl.cli import output

        output.print_document((done.out / JSON_FILE).read_text(encoding="utf-8"))
    else:
        leaderboard.leaderboard(done)
    failed = [row.verdict for row in done.rows if row.verdict.is_infrastructure_failure]
    return min((verdict.exit_code for verdict in failed), default=0)


def _move_if_needed(settings: Settings, asked: EvaluationOptions, *, json: bool) -> None:
    """Check --data; continue in the environment for clusters where this one lacks its packages."""
    from posebowl.batch import is_uri
    from posebowl.cli import child
    from posebowl.util.files import require_folder

    remote = asked.data is not None and is_uri(asked.data)
    if asked.data is not None and not remote:
        require_folder(Path(asked.data), "--data")
    if (asked.address or remote) and child.lacks("ray", "cloudpathlib"):
        words = ["evaluate", *evaluate.argv({**vars(settings), **vars(asked), "json": json})]
        child.become(child.python("cluster", settings.cache), "posebowl.cli", words)


def _run_options(settings: Settings) -> RunOptions:
    from posebowl.batch import RunOptions

    return RunOptions(
        variant=settings.variant,
        engine=settings.engine,
        limits=settings.limits,
        waived=settings.waive,
        full=settings.full,
        allow_cpu=settings.allow_cpu,
        runtime=settings.runtime or "",
    )


def _evaluated(request: EvaluationRequest) -> Evaluation:
    from posebowl.batch import evaluate as run_all
    from posebowl.errors import StoppedError

    try:
        return run_all(request)
    except KeyboardInterrupt:
        raise StoppedError(
            "Interrupted.",
            why="Ctrl-C, or a signal to end; finished runs are kept.",
            fix="Type the same command with --resume.",
        ) from None


@task("verify")
def verify(
    *,
    file: Annotated[Path, Option(FILE_THERE, "the zip of evaluate --seal", positional=True)],
    labels: Annotated[
        Path | None, Option(FILE_THERE, "CSV of the labels: score all predictions again")
    ] = None,
    zips: Annotated[
        tuple[Path, ...], Option(EXISTING, "a submission, or a folder of them", many=True)
    ] = (),
    json: Json = False,
) -> int:
    """Check the sealed evidence of an evaluation, offline."""
    from posebowl.batch import verify as check
    from posebowl.cli import output
    from posebowl.cli.views import leaderboard

    found = check(file, labels, zips)
    output.present(found, leaderboard.verified, as_json=json)
    return 0 if found.holds else 1


@task("twins")
def twins(
    *,
    places: Annotated[
        tuple[Path, ...], Option(EXISTING, "zips, and folders of zips", many=True, positional=True)
    ],
    evaluation: Annotated[
        Path | None, Option(EXISTING, "folder of an evaluation of them: compare the boxes too")
    ] = None,
    top: Annotated[int, Option(whole(0, 20, none_at_zero="all"), "pairs shown, 0 for all")] = 20,
    page: Annotated[Path | None, Option(PATH, "an HTML page of all pairs to write")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Show how alike submissions are in weights, boxes and code; not a verdict."""
    from posebowl.batch import compare, matrix_page
    from posebowl.cli import output
    from posebowl.cli.views import leaderboard
    from posebowl.util.files import refuse_existing, write_text

    if page is not None:
        refuse_existing(page, force=force)
    found = compare(places, evaluation)
    if page is not None:
        write_text(page, matrix_page(found))
    if json:
        output.print_json({"pairs": found.pairs(top), "unread": found.unread})
    else:
        leaderboard.twins(found, top, page)
