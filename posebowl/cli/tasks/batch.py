"""The task for many submissions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from posebowl.cli.options import Force, Json
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.values import EXISTING, FILE, FOLDER, PATH, TEXT, TRUTH, Kind, choice, whole

if TYPE_CHECKING:
    from posebowl.batch import Evaluation, EvaluationRequest, RunOptions


def _data(text: str) -> str:
    from posebowl.batch import is_uri

    if "://" in text and not is_uri(text):
        raise ValueError(text)
    return text if is_uri(text) else str(FOLDER.read(text))


def _address(text: str) -> str:
    if not re.fullmatch(r"local|auto|(ray://)?[^\s/]+:\d+", text):
        raise ValueError(text)
    return text


DATA: Final = Kind(
    expects="a folder or an address such as s3://bucket/folder",
    example="data/demo",
    read=_data,
)
ADDRESS: Final = Kind(
    expects="local, auto or the address of a cluster, such as ray://host:10001",
    example="local",
    read=_address,
    suggest=lambda: ("local", "auto"),
)
FILE_THERE: Final = replace(EXISTING, expects="a file")
TIES: Final = ("median_iou", "images_per_second", "wall_s", "peak_memory_bytes")
"""Columns of the leaderboard that can decide between equal scores."""


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
def evaluate(
    settings: Settings,
    *,
    places: Annotated[
        tuple[Path, ...], Option(EXISTING, "zips, and folders of zips", many=True, positional=True)
    ],
    data: Annotated[
        str | None,
        Option(DATA, "data folder, or s3://, gs:// or az:// with a manifest.csv", "data/"),
    ] = None,
    shards: Annotated[int, Option(whole(1, 1), "pieces of the data, each run on its own")] = 1,
    address: Annotated[
        str,
        Option(ADDRESS, "of Ray: local, auto or ray://host:port", "one run after the other here"),
    ] = "",
    await_nodes: Annotated[
        bool, Option(TRUTH, "wait for machines that fit and may yet join the cluster")
    ] = False,
    allow_open: Annotated[
        bool, Option(TRUTH, "join a cluster that asks for no token: anyone near may use it")
    ] = False,
    out: Annotated[
        Path | None, Option(FOLDER, "folder for the results", "submission/evaluation")
    ] = None,
    resume: Annotated[
        bool, Option(TRUTH, "continue the evaluation in --out: run only what has no result yet")
    ] = False,
    only: Annotated[
        tuple[str, ...],
        Option(TEXT, "run again: submissions of these names, or of these verdicts", many=True),
    ] = (),
    rescore: Annotated[
        bool, Option(TRUTH, "run nothing: score the stored predictions with today's labels")
    ] = False,
    split: Annotated[
        Path | None,
        Option(FILE_THERE, "CSV of image_id,subset: ranks and a leaderboard for each subset"),
    ] = None,
    teams: Annotated[
        Path | None, Option(FILE_THERE, "CSV of submission,team: names for the leaderboard")
    ] = None,
    ties: Annotated[
        tuple[str, ...],
        Option(choice(TIES), "decides between equal scores, the first one first", many=True),
    ] = (),
    verify: Annotated[
        tuple[str, ...],
        Option(TEXT, "run this submission several times, and compare the predictions", many=True),
    ] = (),
    repeat: Annotated[int, Option(whole(2, 2), "runs of each with --verify")] = 2,
    seal: Annotated[
        Path | None, Option(FILE, "zip to write with results, logs and hashes: the evidence")
    ] = None,
    no_photos: Annotated[
        bool, Option(TRUTH, "reports to hand out: without photos, truth and scores")
    ] = False,
    json: Json = False,
) -> int:
    """Evaluate many submissions, here or on a Ray cluster; rank them."""
    from posebowl.batch import JSON_FILE, EvaluationRequest
    from posebowl.cli.views import leaderboard

    _move_if_needed(settings, data, address, locals())
    request = EvaluationRequest(
        places=places,
        out=out or settings.submission / "evaluation",
        data=data or (str(settings.data) if settings.data else None),
        cache=settings.cache,
        options=_run_options(settings),
        shards=shards,
        address=address,
        registry=settings.registry or "",
        resume=resume,
        only=only,
        rescore=rescore,
        await_nodes=await_nodes,
        allow_open=allow_open,
        split=split,
        teams=teams,
        ties=ties,
        verify=verify,
        repeat=repeat,
        seal=seal,
        no_photos=no_photos,
    )
    done = _evaluated(request)
    if json:
        from posebowl.cli import output

        output.print_document((done.out / JSON_FILE).read_text(encoding="utf-8"))
    else:
        leaderboard.leaderboard(done)
    failed = [row.verdict for row in done.rows if row.verdict.is_infrastructure_failure]
    return min((verdict.exit_code for verdict in failed), default=0)


def _move_if_needed(
    settings: Settings, data: str | None, address: str, given: Mapping[str, Any]
) -> None:
    """Check --data; continue in the environment for clusters where this one lacks its packages."""
    from posebowl.batch import is_uri
    from posebowl.cli import child
    from posebowl.errors import UsageError

    remote = data is not None and is_uri(data)
    if data is not None and not remote and not Path(data).is_dir():
        raise UsageError(f"{data} is not a folder.", fix="Check the path behind --data.")
    if (address or remote) and child.lacks("ray", "cloudpathlib"):
        words = ["evaluate", *evaluate.argv({**vars(settings), **given})]
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
    """Show how alike submissions are in weights, boxes and code; no verdict follows from it."""
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
