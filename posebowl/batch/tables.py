"""Tables that an organizer gives: the subset of each image, and the team of each submission."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from posebowl.challenge import ID_COLUMN
from posebowl.errors import UsageError
from posebowl.scoring import read_columns
from posebowl.util.text import counted, first_few, show

SUBSET_COLUMN: Final = "subset"
TEAM_COLUMNS: Final = ("submission", "team")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_SPLIT_FIX: Final = f"Write a CSV of {ID_COLUMN},{SUBSET_COLUMN} with a row for each image."

Subsets = Mapping[str, NDArray[np.int64]]
"""The name of a subset -> the positions of its images in submission_format.csv."""


def read_subsets(path: Path, ids: Sequence[str]) -> Subsets:
    """Read which image belongs to which subset: the first one is `public`, if there is one.

    Args:
        path: A CSV of image_id and subset; it may name more images than there are.
        ids: The images, in their order.

    Raises:
        BadDataError: The file is not such a CSV.
        UsageError: An image is missing or named twice, or the name of a subset cannot name a file.
    """
    rows = _pairs(path, (ID_COLUMN, SUBSET_COLUMN), _SPLIT_FIX)
    wrong = [name for name in dict.fromkeys(rows.values()) if not _NAME.fullmatch(name)]
    if wrong:
        raise UsageError(
            f"{path} has a subset {show(wrong[0])}.",
            why="Subsets name files: they have letters, digits, - and _, at most 40.",
            fix="Rename it, to public or private for example.",
        )
    if absent := [image_id for image_id in ids if image_id not in rows]:
        raise UsageError(
            f"{path} gives no subset for {counted(len(absent), 'image')}: "
            f"{first_few(absent, len(absent))}.",
            why=f"The data has {counted(len(ids), 'image')}.",
            fix=_SPLIT_FIX,
        )
    present = dict.fromkeys(rows[image_id] for image_id in ids)
    names = sorted(present, key=lambda name: name != "public")
    return {
        name: np.array([at for at, image_id in enumerate(ids) if rows[image_id] == name])
        for name in names
    }


def read_teams(path: Path, names: Sequence[str]) -> Mapping[str, str]:
    """Read the team of each submission.

    Args:
        path: A CSV of submission and team; it may name more submissions than there are.
        names: The submissions.

    Raises:
        BadDataError: The file is not such a CSV.
        UsageError: A submission is missing or named twice.
    """
    fix = f"Write a CSV of {','.join(TEAM_COLUMNS)} with a row for each submission."
    rows = _pairs(path, TEAM_COLUMNS, fix)
    if absent := [name for name in names if name not in rows]:
        raise UsageError(
            f"{path} gives no team for {counted(len(absent), 'submission')}: "
            f"{first_few(absent, len(absent))}.",
            why="Names are compared as the leaderboard shows them.",
            fix=fix,
        )
    return rows


def _pairs(path: Path, columns: tuple[str, str], fix: str) -> dict[str, str]:
    """Read two columns as a table without repeated keys or empty values."""
    found: dict[str, str] = {}
    for number, (key, value) in enumerate(read_columns(path, columns, fix=fix).iter_rows(), 1):
        if not key or not value or key in found:
            what = f"names {show(key)} again" if key in found else "is incomplete"
            raise UsageError(f"Row {number} of {path} {what}.", fix=fix)
        found[key] = value
    return found
