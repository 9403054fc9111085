"""The task for many submissions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from posebowl.cli.options import Json
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.values import FILE, FOLDER, TEXT, TRUTH, whole


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
    "registry",
)
def evaluate(
    settings: Settings,
    *,
    places: Annotated[
        tuple[Path, ...], Option(FILE, "zips, and folders of zips", many=True, positional=True)
    ] = (),
    data: Annotated[
        str | None,
        Option(TEXT, "data folder, or s3://, gs:// or az:// with a manifest.csv", "data/"),
    ] = None,
    shards: Annotated[int, Option(whole(1, 1), "pieces of the data, each run on its own")] = 1,
    address: Annotated[
        str, Option(TEXT, "of Ray: local, auto or ray://host:port", "one run after the other here")
    ] = "",
    await_nodes: Annotated[
        bool, Option(TRUTH, "wait for machines that fit and may yet join the cluster")
    ] = False,
    out: Annotated[
        Path | None, Option(FOLDER, "folder for the results", "submission/evaluation")
    ] = None,
    resume: Annotated[
        bool, Option(TRUTH, "continue the evaluation in --out: run only what has no result yet")
    ] = False,
    json: Json = False,
) -> int:
    """Evaluate many submissions, here or on a Ray cluster; rank them."""
    from posebowl.batch import JSON_FILE, EvaluationRequest, RunOptions, evaluate as run_all, is_uri
    from posebowl.cli import child
    from posebowl.cli.views import leaderboard
    from posebowl.errors import StoppedError

    given = {**vars(settings), **locals()}
    place = data if data is not None and is_uri(data) else None
    if (address or place) and child.lacks("ray", "cloudpathlib"):
        words = ["evaluate", *evaluate.argv(given)]
        child.become(child.python("cluster", settings.cache), "posebowl.cli", words)
    folder = Path(data).expanduser() if data and not place else settings.data
    request = EvaluationRequest(
        places=places,
        out=out or settings.submission / "evaluation",
        data=place or (str(folder) if folder else None),
        cache=settings.cache,
        options=RunOptions(
            variant=settings.variant,
            engine=settings.engine,
            limits=settings.limits,
            waived=settings.waive,
            full=settings.full,
            allow_cpu=settings.allow_cpu,
        ),
        shards=shards,
        address=address,
        registry=settings.registry or "",
        resume=resume,
        await_nodes=await_nodes,
    )
    try:
        done = run_all(request)
    except KeyboardInterrupt:
        raise StoppedError(
            "Interrupted.",
            why="Ctrl-C, or a signal to end; finished runs are kept.",
            fix="Type the same command with --resume.",
        ) from None
    if json:
        print((done.out / JSON_FILE).read_text(), end="")
    else:
        leaderboard.leaderboard(done)
    failed = [row.verdict for row in done.rows if row.verdict.is_infrastructure_failure]
    return min((verdict.exit_code for verdict in failed), default=0)
