"""How alike submissions are, for people to look at: no verdict follows from it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from posebowl.batch import fingerprints
from posebowl.batch.fingerprints import Fingerprint
from posebowl.batch.repeats import boxes, overlaps
from posebowl.batch.result_store import PLAN_FILE, ResultStore
from posebowl.batch.submissions import Submission, collect
from posebowl.errors import BadArchiveError, UsageError, Verdict
from posebowl.paths import SOLUTIONS

_LEAST_CODE: Final = 50
"""Runs of words: programs that are shorter are all alike."""


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

    @property
    def likeness(self) -> float:
        """Return the sum of the three."""
        return sum(value or 0.0 for value in (self.weights, self.boxes, self.code))


@dataclass(frozen=True, kw_only=True)
class Twins:
    """All pairs, the most alike first."""

    pairs: tuple[Pair, ...]
    unread: tuple[str, ...]
    """The names of zips that cannot be read: only their boxes are compared."""


def compare(places: Sequence[Path], evaluation: Path | None) -> Twins:
    """Compare each submission with each other one.

    Args:
        places: Zips, and folders of zips.
        evaluation: The folder of an evaluation, whose predictions are compared too.

    Raises:
        UsageError: A place does not exist, or the folder is not that of an evaluation.
    """
    found = collect(places).submissions
    given = frozenset().union(
        *(fingerprints.runs_of_words(file.read_text()) for file in SOLUTIONS.glob("*/*.py"))
    )
    prints, unread = {}, []
    for item in found:
        try:
            prints[item.name] = fingerprints.of_zip(item.archive)
        except (BadArchiveError, OSError):
            unread.append(item.name)
    tables = _tables(evaluation) if evaluation is not None else {}
    pairs = sorted(_pairs(found, prints, tables, given), key=lambda pair: -pair.likeness)
    return Twins(pairs=tuple(pairs), unread=tuple(unread))


def _pairs(
    found: Sequence[Submission],
    prints: Mapping[str, Fingerprint],
    tables: Mapping[str, pl.DataFrame],
    given: frozenset[int],
) -> Iterator[Pair]:
    for one, two in itertools.combinations(found, 2):
        a, b = prints.get(one.name), prints.get(two.name)
        here, there = tables.get(one.sha256), tables.get(two.sha256)
        yield Pair(
            one=one.name,
            two=two.name,
            weights=_shared(a, b) if a and b else None,
            boxes=None if here is None or there is None else _overlap(here, there),
            code=_alike(a.code - given, b.code - given) if a and b else None,
        )


def _shared(a: Fingerprint, b: Fingerprint) -> float | None:
    least = min(a.tensors.total(), b.tensors.total())
    return (a.tensors & b.tensors).total() / least if least else None


def _alike(a: frozenset[int], b: frozenset[int]) -> float | None:
    return len(a & b) / len(a | b) if min(len(a), len(b)) >= _LEAST_CODE else None


def _overlap(one: pl.DataFrame, two: pl.DataFrame) -> float:
    return float(overlaps(one, two).mean() or 0.0)  # type: ignore[arg-type]


def _tables(evaluation: Path) -> dict[str, pl.DataFrame]:
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
            fix="Name the folder that invoke evaluate wrote, its --out.",
        ) from None
    store = ResultStore(evaluation)
    tables = {}
    for keys in jobs.values():
        parts = [store.result(key) for key in keys]
        if all(part is not None and part.verdict is Verdict.OK for part in parts) and parts[0]:
            digest = str(parts[0].archive.get("sha256"))
            tables[digest] = boxes(store.folder(key) for key in keys)
    return tables
