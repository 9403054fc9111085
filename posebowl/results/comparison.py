"""Two runs side by side: what changed in verdict, score, speed and memory, and for which images."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from posebowl.challenge import BOX_COLUMNS, ID_COLUMN
from posebowl.results.figures import SAME, Figure, figures, unlike_load
from posebowl.results.history import Run
from posebowl.results.meters import METERS
from posebowl.results.result import Result
from posebowl.scoring import TRUE_COLUMNS, iou
from posebowl.util.text import counted
from posebowl.util.units import quantity

Box = tuple[int, int, int, int]
Floats = NDArray[np.float64]

TOP: Final = 12
"""How many of the images that gained most are named, and of those that lost most."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two runs."""

    name: str
    run_id: str
    started_at: str
    submission: str
    """What it is called: the solution's name, or that of the zip."""
    note: str
    """What the user wrote when it was packed."""
    archive: str
    sha256: str
    verdict: str
    message: str
    engine: str
    data: str
    images: int | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A property in which two runs differ."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """An image that both runs predicted."""

    image_id: str
    before: Box
    after: Box
    truth: Box | None
    iou_before: float | None
    iou_after: float | None
    overlap: float
    """IoU of the two predictions with each other."""


@dataclass(frozen=True, kw_only=True)
class Images:
    """How the predictions of two runs differ."""

    count: int
    only_before: int
    only_after: int
    moved: int
    """How many have another box."""
    overlap: float
    """Mean IoU of the two predictions with each other."""
    better: int | None
    worse: int | None
    equal: int | None
    difference: float | None
    """Mean of IoU after minus IoU before; None without labels."""
    interval: tuple[float, float] | None
    """That holds the mean difference with 95 % confidence; see `paired_interval`."""
    gains: tuple[Change, ...]
    losses: tuple[Change, ...]
    """Without labels: the images whose two boxes overlap least."""

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs side by side."""

    before: Side
    after: Side
    figures: tuple[Figure, ...]
    limits: tuple[Difference, ...]
    environment: tuple[Difference, ...]
    images: Images | None
    notes: tuple[str, ...]
    """What to keep in mind when reading the rest."""


def compare(before: Run, after: Run, *, top: int = TOP) -> Comparison:
    """Compare two runs.

    Args:
        before: The run to compare with.
        after: The run whose changes are reported.
        top: How many images are named of those that gained most, and of those that lost most.

    Raises:
        PoseBowlError: Predictions that were kept cannot be read.
    """
    a, b = before.result, after.result
    images, notes = _images(before.images(), after.images(), top)
    if images is None and a.run_id != b.run_id:
        without = " and ".join(run.name for run in (before, after) if run.predictions is None)
        if without:
            notes.append(f"Single images are not compared: {without} left no predictions.")
    return Comparison(
        before=_side(before),
        after=_side(after),
        figures=figures(a, b),
        limits=_limits(a, b),
        environment=_environment(a, b),
        images=images,
        notes=tuple(dict.fromkeys(filter(None, [before.note, after.note, *notes, *_doubts(a, b)]))),
    )


def _doubts(a: Result, b: Result) -> Iterator[str]:
    """Yield what makes the times of two runs hard to compare."""
    for run, which in ((a, "first"), (b, "second")):
        if run.part:
            yield f"The {which} run had only {run.part}: its score is not that of all."
    counts = a.data.get("images"), b.data.get("images")
    if None not in counts and counts[0] != counts[1]:
        yield f"The runs had {counts[0]} and {counts[1]} images: times are not comparable."
    if unlike_load(a, b):
        yield (
            f"Other programs took {a.other_cores or 0.0:.1f} and {b.other_cores or 0.0:.1f} cores "
            "meanwhile: times are not comparable. Judge the speed by the CPU time of an image."
        )
    if a.engine != b.engine and a.engine and b.engine:
        yield f"The engines differ ({a.engine}, {b.engine}), and so may speed and memory."


def paired_interval(differences: Floats) -> tuple[float, float] | None:
    """Return the interval that holds the mean difference with 95 % confidence.

    It is the normal interval of paired differences, mean +- 1.96 s / sqrt(n), with s their
    standard deviation (n - 1): images are the sample, and each is measured twice.

    Args:
        differences: IoU after minus IoU before, of each image (n,).

    Returns:
        Its ends; None for fewer than two images.
    """
    if differences.size < 2:
        return None
    half = 1.96 * float(differences.std(ddof=1)) / math.sqrt(differences.size)
    mean = float(differences.mean())
    return mean - half, mean + half


def paired_ious(before: Run, after: Run) -> tuple[pl.Series, pl.Series] | None:
    """Return the IoU of each image (n,) that both runs scored, before and after, if any.

    Raises:
        PoseBowlError: Predictions that were kept cannot be read.
    """
    return paired(before.images(), after.images())


def paired(
    one: pl.DataFrame | None, two: pl.DataFrame | None
) -> tuple[pl.Series, pl.Series] | None:
    """Return the IoU of each image (n,) that two tables of predictions have, if any."""
    if one is None or two is None or "iou" not in one.columns or "iou" not in two.columns:
        return None
    both = one.select(ID_COLUMN, "iou").join(
        two.select(ID_COLUMN, pl.col("iou").alias("after")), on=ID_COLUMN
    )
    if both.is_empty():
        return None
    return both["iou"], both["after"]


def _side(run: Run) -> Side:
    result = run.result
    count = result.data.get("images")
    return Side(
        name=run.name,
        run_id=result.run_id,
        started_at=result.timing.started_at if result.timing else "",
        submission=result.submission,
        note=result.note,
        archive=str(result.archive.get("path", "")),
        sha256=str(result.archive.get("sha256", "")),
        verdict=result.verdict.value,
        message=result.message,
        engine=result.engine,
        data=str(result.data.get("root", "")),
        images=count if isinstance(count, int) else None,
    )


def _limits(a: Result, b: Result) -> tuple[Difference, ...]:
    found = [
        Difference(
            name=f"{kind.label} limit",
            before=quantity(a.meters[name].limit, kind.unit),
            after=quantity(b.meters[name].limit, kind.unit),
        )
        for name, kind in METERS.items()
        if name in a.meters and name in b.meters and a.meters[name].limit != b.meters[name].limit
    ]
    for name in dict.fromkeys([*a.unenforced, *b.unenforced]):
        before, after = (
            "differs from the platform" if name in side.unenforced else "holds" for side in (a, b)
        )
        if before != after:
            found.append(Difference(name=name, before=before, after=after))
    return tuple(found)


def _environment(a: Result, b: Result) -> tuple[Difference, ...]:
    def facts(result: Result) -> dict[str, str]:
        return {
            "engine": result.engine,
            "variant": result.variant,
            "data": str(result.data.get("root", "")),
            "archive": str(result.archive.get("sha256", ""))[:12],
            **result.environment,
        }

    one, two = facts(a), facts(b)
    return tuple(
        Difference(name=name, before=one.get(name, ""), after=two.get(name, ""))
        for name in dict.fromkeys([*one, *two])
        if one.get(name, "") != two.get(name, "")
    )


def _images(
    before: pl.DataFrame | None, after: pl.DataFrame | None, top: int
) -> tuple[Images | None, list[str]]:
    if before is None or after is None:
        return None, []
    joined = before.join(after, on=ID_COLUMN, how="inner", suffix="_after", maintain_order="left")
    if joined.is_empty():
        return None, ["The runs have no image in common."]
    notes = []
    labelled = "iou" in before.columns and "iou" in after.columns
    if labelled and (changed := _changed(joined, TRUE_COLUMNS).size):
        notes.append(f"The labels of {counted(changed, 'image')} differ between the runs.")
    after_boxes = [f"{column}_after" for column in BOX_COLUMNS]
    overlap = joined.select(iou(BOX_COLUMNS, after_boxes)).to_series().to_numpy()
    table = _Table(frame=joined, overlap=overlap, labelled=labelled)
    moved = _changed(joined, BOX_COLUMNS)
    found = Images(
        count=joined.height,
        only_before=before.height - joined.height,
        only_after=after.height - joined.height,
        moved=len(moved),
        overlap=float(overlap.mean()),
        better=None,
        worse=None,
        equal=None,
        difference=None,
        interval=None,
        gains=(),
        losses=table.changes(moved[np.argsort(overlap[moved], kind="stable")][:top]),
    )
    return (_scored(found, table, top) if labelled else found), notes


def _scored(found: Images, table: _Table, top: int) -> Images:
    difference = table.difference
    order = np.argsort(difference, kind="stable")
    worse, better = int((difference < -SAME).sum()), int((difference > SAME).sum())
    return dataclasses.replace(
        found,
        better=better,
        worse=worse,
        equal=found.count - better - worse,
        difference=float(difference.mean()),
        interval=paired_interval(difference),
        gains=table.changes(order[::-1][: min(top, better)]),
        losses=table.changes(order[: min(top, worse)]),
    )


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Images that both runs predicted, the columns of the second with `_after`."""

    frame: pl.DataFrame
    overlap: Floats
    labelled: bool

    @property
    def difference(self) -> Floats:
        return (self.frame["iou_after"] - self.frame["iou"]).to_numpy().astype(np.float64)

    def changes(self, rows: NDArray[np.integer]) -> tuple[Change, ...]:
        return tuple(self._change(int(row)) for row in rows)

    def _change(self, index: int) -> Change:
        row = self.frame.row(index, named=True)

        def box(pattern: str) -> Box:
            xmin, ymin, xmax, ymax = (int(row[pattern.format(c)]) for c in BOX_COLUMNS)
            return xmin, ymin, xmax, ymax

        return Change(
            image_id=str(row[ID_COLUMN]),
            before=box("{}"),
            after=box("{}_after"),
            truth=box("true_{}_after") if self.labelled else None,
            iou_before=float(row["iou"]) if self.labelled else None,
            iou_after=float(row["iou_after"]) if self.labelled else None,
            overlap=float(self.overlap[index]),
        )


def _changed(joined: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.integer]:
    """Return the rows in which one of some columns differs between the runs."""
    other = pl.any_horizontal(pl.col(c) != pl.col(f"{c}_after") for c in columns)
    return joined.select(other.alias("other")).to_series().arg_true().to_numpy()
