"""Some images of a data folder, for a quick look: chosen evenly, and shown to a run as all."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl

from posebowl.challenge import FORMAT_FILE, IMAGES_DIR
from posebowl.data.checks import plain_ids
from posebowl.data.folder import DataFolder
from posebowl.util.files import atomic_write, make_folder

_T = TypeVar("_T")


def sample(folder: DataFolder, count: int, scratch: Path) -> DataFolder:
    """Return a data folder with at most `count` of the images, chosen evenly by name.

    Its table names only these, and its folder of photos holds no others: hard links to the photos
    where the file system can, otherwise copies.

    Args:
        folder: What `folder.find` returned.
        count: At least 1; the folder itself is returned if it has no more images.
        scratch: Where the table and the photos are made.

    Raises:
        BadDataError: The table of ids is broken.
        OSError: They cannot be made.
    """
    ids = plain_ids(folder)
    if count >= len(ids):
        return folder
    chosen = evenly(sorted(ids), count)
    images = make_folder(scratch / IMAGES_DIR)
    for image_id in chosen:
        _link(folder.images / f"{image_id}.png", images / f"{image_id}.png")
    rows = pl.read_csv(folder.submission_format.read_bytes(), infer_schema=False)
    with atomic_write(scratch / FORMAT_FILE) as file:
        rows.filter(ids.is_in(pl.Series(chosen).implode())).write_csv(file)
    return dataclasses.replace(
        folder, images=images, submission_format=scratch / FORMAT_FILE, of=len(ids)
    )


def evenly(items: Sequence[_T], count: int) -> list[_T]:
    """Return `count` items, each from the middle of a share of all."""
    return [items[(2 * at + 1) * len(items) // (2 * count)] for at in range(count)]


def _link(source: Path, target: Path) -> None:
    """Show a photo under another name; one that is missing is for the check to report."""
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        return
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
