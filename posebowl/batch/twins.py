"""How alike submissions are, for people to look at: no verdict follows from it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from posebowl.batch import fingerprints, likeness
from posebowl.batch.fingerprints import Fingerprint
from posebowl.batch.likeness import Matrix
from posebowl.batch.repeats import boxes
from posebowl.batch.result_store import PLAN_FILE, ResultStore
from posebowl.batch.submissions import Submission, collect
from posebowl.challenge import BOX_COLUMNS
from posebowl.errors import BadArchiveError, UsageError, Verdict
from posebowl.paths import SOLUTIONS

_LEAST_CODE: Final = 50
"""Runs of words: programs that are shorter are all alike."""
_READERS: Final = 2
"""Zips that are read at once: each may need a gibibyte."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """How alike two submissions are, each from 0 to 1; None where there is nothing to compare."""

    one: str
    two: str
    weights: float | None
    """Bytes of equal tensors, as a share of the smaller weights of the two."""
    boxes: float | None
    """Mean IoU of the boxes of one with those of the other."""
    code: float | None
    """Code that both have, as a share of all that either has."""


@dataclass(frozen=True, kw_only=True)
class Twins:
    """How alike submissions are: three matrices in the order of their names."""

    names: tuple[str, ...]
    weights: Matrix
    boxes: Matrix
    code: Matrix
    unread: tuple[str, ...]
    """The names of zips that cannot be read: only their boxes are compared."""

    @property
    def pair_count(self) -> int:
        """Return how many pairs there are."""
        return math.comb(len(self.names), 2)

    def pairs(self, most: int = 0) -> tuple[Pair, ...]:
        """Return the pairs that are most alike, all three together; 0 returns all pairs."""
        found = likeness.best_pairs((self.weights, self.boxes, self.code), most)
        return tuple(self._pair(*places) for places in found)

    def _pair(self, a: int, b: int) -> Pair:
        weights, boxes, code = (
            None if math.isnan(matrix[a, b]) else float(matrix[a, b])
            for matrix in (self.weights, self.boxes, self.code)
        )
        return Pair(one=self.names[a], two=self.names[b], weights=weights, boxes=boxes, code=code)


def compare(places: Sequence[Path], evaluation: Path | None) -> Twins:
    """Compare each submission with each other one.

    Args:
        places: Zips, and folders of zips.
        evaluation: The folder of an evaluation, whose predictions are compared too.

    Raises:
        UsageError: A place does not exist, there are not two submissions, or the folder is not
            that of an evaluation.
    """
    found = collect(places).submissions
    given = [
        fingerprints.runs_of_words(file.read_text(encoding="utf-8"))
        for file in SOLUTIONS.glob("*/*.py")
    ]
    tables = _tables(evaluation) if evaluation is not None else {}
    if len(found) < 2:
        raise UsageError(
            "Only one submission was found, and it has nothing to be compared with.",
            fix="Name more zips, or folders that hold some.",
        )
    with ThreadPoolExecutor(_READERS) as pool:
        prints = [*pool.map(_read, found)]
    return Twins(
        names=tuple(item.name for item in found),
        weights=_shared_weights(prints),
        boxes=_overlaps([tables.get(item.sha256) for item in found]),
        code=_shared_code(prints, given),
        unread=tuple(item.name for item, one in zip(found, prints, strict=True) if one is None),
    )


def _read(submission: Submission) -> Fingerprint | None:
    try:
        return fingerprints.of_zip(submission.archive)
    except (BadArchiveError, OSError):
        return None


def _shared_weights(prints: Sequence[Fingerprint | None]) -> Matrix:
    """Return the bytes of equal tensors as a share of the smaller weights of each two."""
    ids: dict[str, int] = {}
    weights: dict[str, int] = {}
    for one in prints:
        weights |= one.tensors if one else {}
    parts = [
        np.array([ids.setdefault(key, len(ids)) for key in one.tensors] if one else [], np.int64)
        for one in prints
    ]
    both = likeness.shared(parts, np.array([weights[key] for key in ids], float))
    sizes = np.array([one.tensors.total() if one else 0 for one in prints], float)
    return _share(both, np.minimum.outer(sizes, sizes))


def _shared_code(
    prints: Sequence[Fingerprint | None], given: Sequence[NDArray[np.int64]]
) -> Matrix:
    """Return the runs of words that both have as a share of all that either of two has."""
    known = np.unique(np.concatenate(given))
    none = np.array([], np.int64)
    parts = [np.setdiff1d(one.code, known, assume_unique=True) if one else none for one in prints]
    parts = [part if len(part) >= _LEAST_CODE else none for part in parts]
    sizes = np.array([len(part) for part in parts], float)
    both = likeness.shared(parts)
    either = np.add.outer(sizes, sizes) - both
    return _share(both, np.where(np.minimum.outer(sizes, sizes) > 0, either, 0))


def _share(of: NDArray[np.float64], whole: NDArray[np.float64]) -> Matrix:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, of / whole, np.nan).astype(np.float32)


def _overlaps(tables: Sequence[NDArray[np.int64] | None]) -> Matrix:
    """Return the mean IoU of the boxes of each two that have some."""
    there = [at for at, table in enumerate(tables) if table is not None]
    found = np.full((len(tables), len(tables)), np.nan, np.float32)
    if there:
        found[np.ix_(there, there)] = likeness.overlap(
            [table for table in tables if table is not None]
        )
    return found


def _tables(evaluation: Path) -> dict[str, NDArray[np.int64]]:
    """Return the predictions of those that passed, by the hash of their zip.

    Raises:
        UsageError: It is not the folder of an evaluation.
    """
    try:
        jobs = json.loads((evaluation / PLAN_FILE).read_bytes())["jobs"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{evaluation} does not hold an evaluation.",
            why=f"It has no {PLAN_FILE} that can be read.",
            fix="Name the folder that `invoke evaluate` wrote, its --out.",
        ) from None
    store = ResultStore(evaluation)
    tables = {}
    for keys in jobs.values():
        parts = [store.result(key) for key in keys]
        if all(part is not None and part.verdict is Verdict.OK for part in parts) and parts[0]:
            digest = str(parts[0].archive.get("sha256"))
            made = boxes(store.folder(key) for key in keys)
            tables[digest] = made.select(BOX_COLUMNS).to_numpy()
    return tables
