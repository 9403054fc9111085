"""Measure an exported network: mean IoU, in all, by size, by spacecraft and by background.

python -m posebowl.training.evaluate --data DIR --weights model.onnx
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.table import Table

from posebowl import challenge
from posebowl.errors import BadDataError
from posebowl.training import solution_modules
from posebowl.training.dataset import Sample, read_labels
from posebowl.training.metrics import MISSED, ious
from posebowl.training.options import EvaluateOptions
from posebowl.util import console, program
from posebowl.util.console import note, plain
from posebowl.util.files import write_text

WIDTHS: Final = (0, 30, 60, 120, 300, challenge.IMAGE_WIDTH + 1)
"""Limits of the size bins: true width of the box, in photo pixels."""
RENDERED: Final = "render.csv"
"""The renderer's table with spacecraft and background of each photo."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The accuracy on a group of photos."""

    name: str
    photos: int
    mean_iou: float
    median_iou: float
    missed: float
    """Share with an IoU under 0.1."""
    first_look: float
    """Mean IoU before the second look."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One network on one folder of photos."""

    weights: str
    data: str
    total: Group
    by_width: tuple[Group, ...]
    by_family: tuple[Group, ...]
    """Worst first; empty where the folder has no render.csv."""
    by_background: tuple[Group, ...]
    """The same by what is behind the spacecraft."""


def evaluate(weights: Path, data: Path) -> Evaluation:
    """Measure a network on all photos of a folder, with the solution's search.

    Args:
        weights: A file that `benchmark.export` made.
        data: A data folder with labels; with render.csv, also measured by family and background.

    Raises:
        UsageError: The weights cannot be used.
        BadDataError: Labels or photos are missing.
    """
    samples = read_labels(data)
    loaded = solution_modules.load_network(weights)
    scores = ious(loaded.run, samples, loaded.looks, loaded.refiner)
    described = read_described(data, samples)
    return Evaluation(
        weights=str(weights),
        data=str(data),
        total=summarize("all", scores),
        by_width=tuple(_by_width(samples, scores)),
        by_family=tuple(_by_name(described, "family", scores)),
        by_background=tuple(_by_name(described, "background", scores)),
    )


def _by_name(described: pl.DataFrame, column: str, scores: npt.NDArray[np.float64]) -> list[Group]:
    """Return the accuracy on each group of photos with the same value, worst first."""
    names = described[column].to_numpy()
    groups = [summarize(name, scores[names == name]) for name in sorted(set(names))]
    return sorted(groups, key=lambda one: one.mean_iou)


def _by_width(samples: Sequence[Sample], scores: npt.NDArray[np.float64]) -> Iterator[Group]:
    widths = np.array([sample.box[2] - sample.box[0] for sample in samples])
    for low, high in itertools.pairwise(WIDTHS):
        name = f"{low} to {high - 1}" if low else f"under {high}"
        if high == WIDTHS[-1]:
            name = f"{low} and more"
        chosen = (widths >= low) & (widths < high)
        if chosen.any():
            yield summarize(name, scores[chosen])


def summarize(name: str, scores: npt.NDArray[np.float64]) -> Group:
    """Return the accuracy on a group; scores are IoU before and after the second look, (n, 2)."""
    return Group(
        name=name,
        photos=len(scores),
        mean_iou=float(scores[:, 1].mean()),
        median_iou=float(np.median(scores[:, 1])),
        missed=float((scores[:, 1] < MISSED).mean()),
        first_look=float(scores[:, 0].mean()),
    )


def read_described(data: Path, samples: Sequence[Sample]) -> pl.DataFrame:
    """Return family and background of each photo; no rows where the folder has no render.csv.

    Raises:
        BadDataError: The renderer's table cannot be read.
    """
    columns = [challenge.ID_COLUMN, "family", "background"]
    types = dict.fromkeys(columns, pl.String)
    if not (data / RENDERED).is_file():
        return pl.DataFrame(schema=types)
    try:
        table = pl.read_csv(data / RENDERED, columns=columns, schema_overrides=types)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadDataError(
            f"Cannot read {data / RENDERED}.",
            why=str(error),
            fix="Render the photos again with `invoke data.render`, or remove the file.",
        ) from None
    wanted = pl.DataFrame({challenge.ID_COLUMN: [sample.path.stem for sample in samples]})
    known = table.unique(challenge.ID_COLUMN)
    joined = wanted.join(known, on=challenge.ID_COLUMN, how="left", maintain_order="left")
    return joined.fill_null("unknown")


def table(found: Evaluation) -> Table:
    """Return an evaluation as a table for the terminal."""
    shown = Table(title=plain(f"{found.weights} on {found.data}"), title_justify="left")
    shown.add_column("photos")
    for heading in ("number", "mean IoU", "median", "missed", "first look"):
        shown.add_column(heading, justify="right")
    parts = (
        ("", (found.total,)),
        ("width ", found.by_width),
        ("", found.by_family),
        ("over ", found.by_background),
    )
    for heading, groups in parts:
        for one in groups:
            figures = (f"{one.mean_iou:.3f}", f"{one.median_iou:.3f}")
            share = f"{100 * one.missed:.1f} %"
            name = plain(heading + one.name)
            shown.add_row(name, str(one.photos), *figures, share, f"{one.first_look:.3f}")
        if groups:
            shown.add_section()
    return shown


def main(options: EvaluateOptions) -> None:
    """Evaluate as the options ask."""
    options.check()
    found = []
    for folder in options.data:
        note(f"Evaluating on {folder}.")
        found.append(evaluate(options.weights, folder))
    if options.figures:
        write_text(options.figures, json.dumps([asdict(one) for one in found], indent=2) + "\n")
    else:
        for one in found:
            console.out.print(table(one))


if __name__ == "__main__":
    program.run(main, EvaluateOptions, task="benchmark.evaluate")
