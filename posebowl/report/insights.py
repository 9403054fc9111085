"""What a report says beside the score: the weakest group, and the change against earlier runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from posebowl.challenge import ID_COLUMN, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import PoseBowlError, Verdict
from posebowl.results import Result, history
from posebowl.scoring import TRUE_COLUMNS, Score
from posebowl.util.text import counted, shorten

_FEWEST: Final = 4
_SHARE: Final = 0.02
"""A group counts from 4 images, and from this share of all."""
_LEAST_GAP: Final = 0.05
_ERRORS: Final = 2.0
"""A group is weak if its mean lies below that of the others by 0.05 IoU or more, and by more than
twice the standard error of the difference."""
RENDERED_FILE: Final = "render.csv"
KINDS: Final = ("family", "background")
"""Columns of that file, which `invoke data.render` writes beside the photos."""
_TEXTS: Final = dict.fromkeys((ID_COLUMN, *KINDS), pl.String)
_MOST_KINDS: Final = 200
_MOST_BYTES: Final = 64 << 20
_X, _Y, _X2, _Y2 = (pl.col(column) for column in TRUE_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Weakness:
    """The group of images with the lowest mean IoU."""

    name: str
    mean_iou: float
    images: int
    others: float
    """The mean IoU of all other images."""
    pick: str
    """What selects its images in the table; see `Bar.pick`."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """The change of the score against an earlier run."""

    against: str
    run: str
    was: float
    change: float


def weakest_group(score: Score) -> Weakness | None:
    """Return the group that is clearly weaker than the other images, if one is."""
    frame, fewest = score.frame, max(_FEWEST, _SHARE * score.count)
    found = []
    groups = [*_groups(), *_kinds(frame)]
    sizes = frame.select(rule.alias(name) for name, rule, _ in groups)
    for name, _, pick in groups:
        inside, outside = (frame["iou"].filter(mask) for mask in (sizes[name], ~sizes[name]))
        if len(inside) < fewest or len(outside) < fewest:
            continue
        (mean, error), (others, other_error) = _spread(inside), _spread(outside)
        gap = others - mean
        if gap >= _LEAST_GAP and gap > _ERRORS * math.hypot(error, other_error):
            weak = Weakness(name=name, mean_iou=mean, images=len(inside), others=others, pick=pick)
            found.append(weak)
    return min(found, key=lambda weak: weak.mean_iou, default=None)


def _groups() -> Iterator[tuple[str, pl.Expr, str]]:
    """Yield groups that may be weak: name, which images they hold, and how the table finds them."""
    width, across, down = _X2 - _X, (_X + _X2) / 2, (_Y + _Y2) / 2
    for most in (32, 64, 128):
        yield f"true box under {most} pixels wide", width < most, f"w 0 {most}"
    for least in (256, 512):
        yield f"true box {least} pixels wide or more", width >= least, f"w {least} 2048"
    edge = (_X <= 0) | (_Y <= 0) | (_X2 >= IMAGE_WIDTH) | (_Y2 >= IMAGE_HEIGHT)
    yield "true box touches the border", edge, "edge 1 2"
    height = _Y2 - _Y
    long = (width > height * 3) | (height > width * 3)
    yield "true box over 3 times longer than wide", long, "aspect 3.000001 9999"
    for name, value, axis, size in (
        (("left", "right"), across, "cx", IMAGE_WIDTH),
        (("upper", "lower"), down, "cy", IMAGE_HEIGHT),
    ):
        third = size / 3
        yield f"{name[0]} third of the photo", value < third, f"{axis} 0 {third:.6f}"
        yield (
            f"{name[1]} third of the photo",
            value >= 2 * third,
            f"{axis} {2 * third:.6f} {size + 1}",
        )


def with_kinds(score: Score, images: Path | None) -> Score:
    """Return a score whose images have the kinds that the renderer notes beside their folder.

    Args:
        score: Of a run.
        images: The folder of the photos; None if there is none at hand.
    """
    noted = None if images is None else images.parent / RENDERED_FILE
    if noted is None or not noted.is_file() or noted.stat().st_size > _MOST_BYTES:
        return score
    try:
        rows = pl.read_csv(noted, columns=[ID_COLUMN, *KINDS], schema_overrides=_TEXTS)
    except (OSError, pl.exceptions.PolarsError):
        return score  # a note of another tool, which is not worth the page
    rows = rows.unique(ID_COLUMN, keep="first").drop_nulls()
    if any(rows[kind].n_unique() > _MOST_KINDS for kind in KINDS):
        return score
    texts = [pl.col(kind).cast(pl.Enum(rows[kind].unique().sort())) for kind in KINDS]
    frame = score.frame.join(rows.with_columns(texts), on=ID_COLUMN, how="left")
    return replace(score, frame=frame)


def _kinds(frame: pl.DataFrame) -> Iterator[tuple[str, pl.Expr, str]]:
    """Yield the images of each kind that `with_kinds` added."""
    for kind in KINDS:
        held = frame.schema.get(kind)
        for code, name in enumerate(held.categories if isinstance(held, pl.Enum) else ()):
            rule = (pl.col(kind) == name).fill_null(value=False)
            yield f"{kind} {shorten(name, 60)}", rule, f"{kind} {code} {code + 1}"


def _spread(ious: pl.Series) -> tuple[float, float]:
    """Return the mean and its standard error."""
    values = ious.to_list()
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


def steps(result: Result, out: Path | None) -> tuple[Step, ...]:
    """Return the change of the score against the last run on the same images, and the best.

    Args:
        result: The run.
        out: The results folder with the history of earlier runs; None if there is none.
    """
    if out is None or result.score is None or result.verdict is not Verdict.OK:
        return ()
    try:
        runs, _ = history.runs(out)
    except (OSError, PoseBowlError):
        return ()  # it is the history's to report, and not worth the page
    earlier = [
        (run.result, run.result.score.mean_iou)
        for run in runs
        if run.result.score is not None
        and run.result.verdict is Verdict.OK
        and run.result.run_id != result.run_id
        and _images(run.result) == _images(result)
    ]
    if not earlier:
        return ()
    last, best = earlier[0], max(earlier, key=lambda pair: pair[1])
    pairs = [("the last run", *last)]
    if best[0].run_id != last[0].run_id:
        pairs.append(("the best run", *best))
    return tuple(
        Step(
            against=against,
            run=shorten(found.note or found.submission or found.run_id, 80),
            was=was,
            change=result.score.mean_iou - was,
        )
        for against, found, was in pairs
    )


def _images(result: Result) -> tuple[object, ...]:
    """Return what two runs must share for their scores to be comparable."""
    score = result.score
    data = result.data
    return data.get("root"), data.get("of"), score.images if score else None


def score_of(result: Result, score: Score) -> str:
    """Return what the score is of: "on 24 demo images"."""
    demo = bool(result.data.get("demo"))
    images = counted(score.count, "demo image" if demo else "image")
    return f"on only {result.part}" if result.part else f"on {images}"
