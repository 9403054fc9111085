"""The two tables: submission_format.csv with the photos, submission.csv with the boxes."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

HEADER = ("image_id", "xmin", "ymin", "xmax", "ymax")
WIDTH, HEIGHT = 1280, 1024

Pixels = tuple[int, int, int, int]


class TableError(Exception):
    """A table that cannot be read or written."""


def read_ids(path: Path) -> list[str]:
    """Read the first column of submission_format.csv: about 100 bytes of memory per photo.

    Raises:
        TableError: It has no such column.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if "image_id" not in (rows.fieldnames or ()):
            raise TableError(f"{path} has no column image_id")
        return [row["image_id"] for row in rows]


class Predictions:
    """One box for each photo, in order; 16 bytes each."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self.boxes: npt.NDArray[np.int32] = np.full((len(ids), 4), -1, np.int32)

    def set(self, index: int, pixels: Pixels | None) -> None:
        """Record the box of a photo; None if nothing was found.

        A photo may be larger than the challenge's; a box may not, or the whole table is invalid.
        """
        if pixels is None:
            return
        xmin, ymin, xmax, ymax = np.clip(pixels, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
        if xmin < xmax and ymin < ymax:
            self.boxes[index] = xmin, ymin, xmax, ymax

    @property
    def missing(self) -> int:
        """Return the number of photos without a box."""
        return int((self.boxes[:, 0] < 0).sum())

    def fallback(self) -> Pixels:
        """Return the box for photos without one: median size at the median position."""
        found = self.boxes[self.boxes[:, 0] >= 0]
        if len(found) == 0:
            return WIDTH // 4, HEIGHT // 4, 3 * WIDTH // 4, 3 * HEIGHT // 4
        wide, high = np.median(found[:, 2:] - found[:, :2], axis=0)
        x, y = np.median(found[:, 2:] + found[:, :2], axis=0) / 2
        edges = np.array([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2])
        low = np.clip(np.rint(edges), 0, [WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT])
        xmin, ymin, xmax, ymax = (int(edge) for edge in low)
        return xmin, ymin, max(xmax, xmin + 1), max(ymax, ymin + 1)

    def write(self, path: Path) -> None:
        """Write submission.csv whole or not at all, with the fallback box where one is missing."""
        fallback = self.fallback()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            for name, box in zip(self.ids, self.boxes.tolist(), strict=True):
                writer.writerow((name, *(box if box[0] >= 0 else fallback)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
