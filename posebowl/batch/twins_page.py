"""All pairs of submissions as a matrix on a page that, like the report, loads nothing."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Final

import numpy as np

from posebowl.batch import likeness
from posebowl.batch.likeness import Matrix
from posebowl.batch.twins import Pair, Twins
from posebowl.report import fill
from posebowl.util.text import counted, shorten, visible

_MEASURES: Final = {
    "weights": "equal tensors, as a share of the smaller weights of the two",
    "boxes": "mean IoU of the boxes of one with those of the other",
    "code": "code that both have, as a share of all that either has",
}
_MOST: Final = 2000
"""Submissions on a page: of more, those that are most like another one."""
_PAIRS: Final = 40
"""In its table, as it opens."""
_NONE: Final = 255


def matrix_page(found: Twins) -> str:
    """Return the page as HTML."""
    chosen = _chosen(found)
    matrices = {name: getattr(found, name)[np.ix_(chosen, chosen)] for name in _MEASURES}
    known = [name for name, matrix in matrices.items() if not _is_empty(matrix)]
    names = [shorten(found.names[at], 120) for at in chosen]
    return fill(
        "twins.html.j2",
        scripts=("twins.js",),
        submissions=counted(len(found.names), "submission"),
        pairs=counted(found.pair_count, "pair"),
        left_out=len(found.names) - len(chosen),
        unread=[shorten(name, 120) for name in found.unread],
        measures=[(name, _MEASURES[name]) for name in known],
        rows=[_row(pair) for pair in found.pairs(_PAIRS)],
        data=_packed(names, {name: matrices[name] for name in known}),
    )


def _chosen(found: Twins) -> list[int]:
    if len(found.names) <= _MOST:
        return [*range(len(found.names))]
    all_three = np.nansum(np.array([found.weights, found.boxes, found.code]), axis=0)
    np.fill_diagonal(all_three, -1)
    return sorted(np.argsort(-all_three.max(axis=1), kind="stable")[:_MOST].tolist())


def _is_empty(matrix: Matrix) -> bool:
    """Return whether no two can be compared."""
    return bool(np.isnan(matrix[np.triu_indices(len(matrix), 1)]).all())


def _packed(names: list[str], matrices: dict[str, Matrix]) -> str:
    """Return names, and for each measure an order and the percents above the diagonal."""
    above = np.triu_indices(len(names), 1)
    document: dict[str, Any] = {"names": [visible(name) for name in names], "measures": {}}
    for name, matrix in matrices.items():
        values = matrix[above]
        percents = np.where(np.isnan(values), _NONE, np.rint(np.nan_to_num(values) * 100))
        document["measures"][name] = {
            "order": likeness.neighbours(matrix),
            "percents": base64.b64encode(percents.astype(np.uint8).tobytes()).decode(),
        }
    return base64.b64encode(zlib.compress(json.dumps(document).encode())).decode()


def _row(pair: Pair) -> list[str]:
    values = (pair.weights, pair.boxes, pair.code)
    cells = ["" if value is None else f"{100 * value:.0f}" for value in values]
    return [*cells, shorten(pair.one, 120), shorten(pair.two, 120)]
