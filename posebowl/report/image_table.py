"""All images of a run as compact data, of which the page's script draws the rows in view."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Final

import polars as pl

from posebowl.challenge import BOX_COLUMNS, ID_COLUMN
from posebowl.report.gallery import NAME_LENGTH
from posebowl.report.insights import KINDS
from posebowl.scoring import TRUE_COLUMNS, Score
from posebowl.util.text import shorten, visible

MOST_BYTES: Final = 3_600_000
"""Of the data as it stands in the page, which all together is to stay below 5 MB."""
_MOST_ROWS: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class ImageTable:
    """The images that the table lists: all, or the worst of very many."""

    rows: int
    of: int
    scored: bool
    data: str
    """zlib and base64 of JSON: `ids`, the columns of boxes, and numbers of `kinds`. Where there is
    a `truth`, `pred` holds differences from it, which take half the bytes."""


def image_table(predictions: pl.DataFrame | None, score: Score | None) -> ImageTable | None:
    """Pack the boxes of all images; None if there are none.

    Args:
        predictions: image_id and boxes; None if a run left none.
        score: With labels; its frame is used instead.
    """
    frame = score.frame if score is not None else predictions
    if frame is None or frame.is_empty():
        return None
    shown = _worst(frame, _MOST_ROWS)
    while len(data := _pack(shown, scored=score is not None)) > MOST_BYTES:
        shown = _worst(shown, int(shown.height * 0.9 * MOST_BYTES / len(data)))
    return ImageTable(rows=shown.height, of=frame.height, scored=score is not None, data=data)


def _worst(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return at most so many rows, those with the lowest IoU if that is known, in their order."""
    if frame.height <= most:
        return frame
    if "iou" not in frame.columns:
        return frame.head(most)
    rows = pl.int_range(pl.len()).sort_by("iou", maintain_order=True)
    return frame[frame.select(rows).to_series().head(most).sort()]


def _pack(frame: pl.DataFrame, *, scored: bool) -> str:
    columns: dict[str, object] = {
        "ids": [shorten(visible(name), NAME_LENGTH) for name in frame[ID_COLUMN]]
    }
    if scored:
        columns["truth"] = [frame[name].to_list() for name in TRUE_COLUMNS]
        pairs = zip(BOX_COLUMNS, TRUE_COLUMNS, strict=True)
        columns["pred"] = [(frame[a] - frame[b]).to_list() for a, b in pairs]
        columns["kinds"] = {
            kind: frame[kind].to_physical().to_list() for kind in KINDS if kind in frame.columns
        }
    else:
        columns["pred"] = [frame[name].to_list() for name in BOX_COLUMNS]
    text = json.dumps(columns, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 4)).decode()
