"""The options of an evaluation, as people give them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from posebowl.util.options import Option
from posebowl.util.values import EXISTING, FILE, FOLDER, TEXT, TRUTH, Kind, choice, whole

FILE_THERE: Final = replace(EXISTING, expects="a file")


def _data(text: str) -> str:
    from posebowl.batch.storage import is_uri  # noqa: PLC0415

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
TIES: Final = ("median_iou", "images_per_second", "wall_s", "peak_memory_bytes")
"""Columns of the leaderboard that can decide between equal scores."""


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What a user asks for."""

    places: Annotated[
        tuple[Path, ...], Option(EXISTING, "zips, and folders of zips", many=True, positional=True)
    ]
    data: Annotated[
        str | None,
        Option(DATA, "data folder, or s3://, gs:// or az:// with a manifest.csv", "data/"),
    ] = None
    shards: Annotated[int, Option(whole(1, 1), "pieces of the data, each run on its own")] = 1
    address: Annotated[
        str,
        Option(ADDRESS, "of Ray: local, auto or ray://host:port", "one run after the other here"),
    ] = ""
    await_nodes: Annotated[
        bool, Option(TRUTH, "wait for machines that fit and may yet join the cluster")
    ] = False
    allow_open: Annotated[
        bool, Option(TRUTH, "join a cluster that asks for no token: anyone near may use it")
    ] = False
    out: Annotated[
        Path | None, Option(FOLDER, "folder for the results", "submission/evaluation")
    ] = None
    resume: Annotated[
        bool, Option(TRUTH, "continue the evaluation in --out: run only what has no result yet")
    ] = False
    only: Annotated[
        tuple[str, ...],
        Option(TEXT, "run again: submissions of these names, or of these verdicts", many=True),
    ] = ()
    rescore: Annotated[
        bool, Option(TRUTH, "run nothing: score the stored predictions with today's labels")
    ] = False
    split: Annotated[
        Path | None,
        Option(FILE_THERE, "CSV of image_id,subset: ranks and a leaderboard for each subset"),
    ] = None
    teams: Annotated[
        Path | None, Option(FILE_THERE, "CSV of submission,team: names for the leaderboard")
    ] = None
    ties: Annotated[
        tuple[str, ...],
        Option(choice(TIES), "decides between equal scores, the first one first", many=True),
    ] = ()
    verify: Annotated[
        tuple[str, ...],
        Option(TEXT, "run this submission several times, and compare the predictions", many=True),
    ] = ()
    repeat: Annotated[int, Option(whole(2, 2), "runs of each with --verify")] = 2
    seal: Annotated[
        Path | None, Option(FILE, "zip to write with results, logs and hashes: the evidence")
    ] = None
    no_photos: Annotated[
        bool, Option(TRUTH, "reports to hand out: without photos, truth and scores")
    ] = False
