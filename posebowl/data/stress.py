"""Data folders that put a solution to the test: made from some images, which stay as they are."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from posebowl.challenge import COLUMNS, FORMAT_FILE, IMAGE_HEIGHT, IMAGE_WIDTH, IMAGES_DIR
from posebowl.data.checks import plain_ids
from posebowl.data.folder import DataFolder
from posebowl.data.sampling import evenly
from posebowl.util.files import make_folder, write_text

_IEND: Final = b"\0\0\0\0IEND\xaeB`\x82"
"""With this end, the quick check of a data folder takes half of a photo for a whole one."""
_FEW: Final = 8
PLAIN: Final = "plain"
MANY: Final = "many"


@dataclass(frozen=True, kw_only=True)
class Stressed:
    """A data folder, and what its images should give."""

    name: str
    about: str
    root: Path
    images: int
    same: dict[str, str]
    """An image_id here -> that of the same picture in the plain folder."""


def stressed(folder: DataFolder, scratch: Path, *, count: int, many: int) -> Iterator[Stressed]:
    """Make each folder when it is asked for; the first is the plain one.

    Args:
        folder: What `folder.find` returned.
        scratch: Where they are made: hard links, where the file system can, otherwise copies.
        count: Images of the plain folder, chosen evenly by name.
        many: Images of the last folder, of which each shows one of the plain ones; 0 for none.

    Raises:
        BadDataError: The table of ids is broken.
        OSError: They cannot be made.
    """
    ids = plain_ids(folder).sort().to_list()
    ids = evenly(ids, min(count, len(ids)))
    photos = {i: folder.images / f"{i}.png" for i in ids}
    plain = _make(scratch, PLAIN, "the images as they are", photos, same=ids)
    yield plain
    yield Stressed(**{**vars(plain), "name": "again", "about": "the same once more"})
    # From here on all links stay within one file system.
    photos = {i: plain.root / IMAGES_DIR / f"{i}.png" for i in ids}
    yield _renamed(scratch, photos)
    middle = ids[len(ids) // 2]
    yield _make(scratch, "one", "one image alone", {middle: photos[middle]}, same=[middle])
    for name in ("black", "white"):
        blank = _blank(scratch / f"{name}.png", name)
        empty = dict.fromkeys(ids[:_FEW], blank)
        yield _make(scratch, name, f"{name} images, with nothing to find", empty, same=[])
    broken: tuple[tuple[str, str, Callable[[Path, Path], Path]], ...] = (
        ("truncated", "one image ends half-way", _truncated),
        ("16 bits", "one image has 16 bits a pixel", _deep),
    )
    for name, about, change in broken:
        changed = photos | {middle: change(photos[middle], scratch / f"{name}.png")}
        yield _make(scratch, name, about, changed, same=[i for i in ids if i != middle])
    if many:
        yield _many(scratch, photos, many)


def _make(
    scratch: Path, name: str, about: str, photos: dict[str, Path], same: Sequence[str]
) -> Stressed:
    """Make a folder of photos in this order."""
    return _folder(scratch, name, about, photos, dict(zip(same, same, strict=True)))


def _folder(
    scratch: Path, name: str, about: str, photos: dict[str, Path], same: dict[str, str]
) -> Stressed:
    root = make_folder(scratch / name.replace(" ", "-"))
    images = make_folder(root / IMAGES_DIR)
    for image_id, photo in photos.items():
        target = images / f"{image_id}.png"
        try:
            target.hardlink_to(photo)
        except FileNotFoundError:
            continue  # for the check of the run to report
        except OSError:
            shutil.copy2(photo, target, follow_symlinks=False)
    zeros = ",0" * (len(COLUMNS) - 1)
    rows = [",".join(COLUMNS), *(f"{image_id}{zeros}" for image_id in photos)]
    write_text(root / FORMAT_FILE, "\n".join(rows) + "\n")
    (root / FORMAT_FILE).chmod(0o644)
    return Stressed(name=name, about=about, root=root, images=len(photos), same=same)


def _renamed(scratch: Path, photos: dict[str, Path]) -> Stressed:
    """Give all images other names, and another order."""
    order = list(photos)
    random.Random(0).shuffle(order)  # noqa: S311  # the same each time
    same = {hashlib.sha256(i.encode()).hexdigest()[:32]: i for i in order}
    renamed = {new: photos[old] for new, old in same.items()}
    return _folder(scratch, "renamed", "other names, in another order", renamed, same)


def _many(scratch: Path, photos: dict[str, Path], many: int) -> Stressed:
    ids = list(photos)
    same = {f"{at:032x}": ids[at % len(ids)] for at in range(many)}
    linked = {new: photos[old] for new, old in same.items()}
    return _folder(scratch, MANY, f"{many:,} images, for the growth of memory", linked, same)


def _blank(target: Path, colour: str) -> Path:
    Image.new("RGB", (IMAGE_WIDTH, IMAGE_HEIGHT), colour).save(target)
    return _readable(target)


def _truncated(photo: Path, target: Path) -> Path:
    content = photo.read_bytes()
    target.write_bytes(content[: len(content) // 2] + _IEND)
    return _readable(target)


def _deep(photo: Path, target: Path) -> Path:
    with Image.open(photo) as image:
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(target, compress_level=1)
    return _readable(target)


def _readable(path: Path) -> Path:
    path.chmod(0o644)
    return path
