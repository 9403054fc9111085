"""The data folder: whether it is whole, and the format that a training set comes without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from posebowl.challenge import (
    BOX_COLUMNS,
    FORMAT_FILE,
    ID_COLUMN,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    IMAGES_DIR,
    LABELS_FILE,
)
from posebowl.data.folder import FIX_UNPACK, DataFolder, how_to_fix, no_folder
from posebowl.data.images import Flaw, Photos, look_at_photos
from posebowl.errors import BadDataError
from posebowl.scoring import read_format, read_labels
from posebowl.util.files import atomic_write, closed_to_runs, refuse_existing
from posebowl.util.text import counted, first_few

_PLAIN_ID: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$"
_FIX_AGAIN: Final = "Unpack them again: invoke data.unpack{out} --force FILE.tar ..."
_PHOTO_FIXES: Final = {
    Flaw.MISSING: FIX_UNPACK,
    Flaw.LINK: "Put the files themselves there: cp -L.",
    Flaw.SPECIAL: _FIX_AGAIN,
    Flaw.UNREADABLE: "Make them readable: chmod -R u+rX {images}",
    Flaw.CLOSED: "Make all of it readable: chmod -R a+rX {root}",
    Flaw.BROKEN: _FIX_AGAIN,
    Flaw.SIZE: "Use the photos as they were downloaded, neither scaled nor cropped.",
}


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """A data folder that is whole."""

    folder: DataFolder
    images: int
    labels: int | None
    """Labelled images, or None without labels."""
    extra: int
    """Images that submission_format.csv does not name; a run sees them nevertheless."""
    missing: int
    """Images that it names and that are not there; a run goes without them."""
    deep: bool
    """The photos were decoded; otherwise only their first and last bytes were read."""
    warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Return in one sentence which data is in use, and how much of it is there."""
        kind = "the demo set" if self.folder.is_demo else "the data"
        labels = "no labels" if self.labels is None else f"{counted(self.labels, 'label')}"
        how = "decoded" if self.deep else "looked at"
        images = f"whole: {counted(self.images, 'image')}"
        if self.missing:
            images = f"in part: {self.images:,} of {counted(self.images + self.missing, 'image')}"
        return f"In use: {kind} in {self.folder.root}; {images} ({how}), {labels}."


@dataclass(frozen=True, kw_only=True)
class _Fault:
    """One way in which a data folder is broken."""

    kind: str
    names: Sequence[str]
    of: int
    fix: str

    def __str__(self) -> str:
        listed = first_few(self.names, len(self.names))
        return f"{len(self.names):,} of {self.of:,} {self.kind}: {listed}"


def make_format(root: Path, target: Path, *, force: bool = False) -> Path:
    """Make a submission_format.csv from the labels of those images that are there.

    Args:
        root: A data folder with images/ and train_labels.csv.
        target: The file to write; all its boxes are 0.
        force: Overwrite it if it exists.

    Raises:
        BadDataError: The labels are missing or broken, or none of their images is there.
        UsageError: There is no such folder, or the file already exists.
    """
    refuse_existing(target, force=force)
    if not root.is_dir():
        raise no_folder(root)
    if not (root / LABELS_FILE).is_file():
        raise BadDataError(
            f"{root} has no {LABELS_FILE}.",
            why=f"{FORMAT_FILE} is made from the labels.",
            fix=f"Download {LABELS_FILE} from the competition into {root}.",
        )
    here = pl.Series([path.stem for path in (root / IMAGES_DIR).glob("*.png")], dtype=pl.String)
    ids = read_labels(root / LABELS_FILE)[ID_COLUMN]
    kept = ids.filter(ids.is_in(here.implode()))
    if kept.is_empty():
        what = f"None of the {len(ids):,} images of {LABELS_FILE} is in {root / IMAGES_DIR}."
        raise BadDataError(what, fix=how_to_fix(FIX_UNPACK, root))
    zeros = [pl.lit(0).alias(column) for column in BOX_COLUMNS]
    with atomic_write(target) as file:
        kept.to_frame(ID_COLUMN).with_columns(zeros).write_csv(file)
    return target


def narrow_format(form: Path, images: Path, target: Path) -> tuple[Path, tuple[str, ...]]:
    """Write those rows of a submission_format.csv whose photos are there.

    Args:
        form: The whole table.
        images: The folder of photos.
        target: The table to write; all columns stay as they are.

    Returns:
        The table to use, and the image_ids that it lacks; the whole one, if none is there or
        none is missing.

    Raises:
        BadDataError: The table is broken.
    """
    ids = read_format(form)
    here = pl.Series([path.stem for path in images.glob("*.png")], dtype=pl.String)
    is_here = ids.is_in(here.implode())
    if is_here.all() or not is_here.any():
        return form, ()
    rows = pl.read_csv(form.read_bytes(), infer_schema=False).filter(is_here)
    with atomic_write(target) as file:
        rows.write_csv(file)
    return target, tuple(ids.filter(~is_here))


def check(folder: DataFolder, *, deep: bool = False) -> DataReport:
    """Check that a data folder is whole, or that what is there of it is sound.

    Args:
        folder: What `folder.find` returned.
        deep: Decode every photo, instead of reading its first and last bytes.

    Raises:
        BadDataError: Something is missing or broken: each kind with its count and first names.
    """
    ids = plain_ids(folder)
    photos = look_at_photos(folder.images, ids.to_list(), deep=deep)
    missing = folder.absent
    if len(photos.flawed.get(Flaw.MISSING, ())) < len(ids):
        missing += tuple(photos.flawed.pop(Flaw.MISSING, ()))
        ids = ids.filter(~ids.is_in(pl.Series(missing, dtype=pl.String).implode()))
    labels = None if folder.labels is None else read_labels(folder.labels)
    faults = [*_photo_faults(folder, photos, len(ids)), *_closed(folder)]
    faults += [] if labels is None else _label_faults(ids, labels)
    if faults:
        raise _not_whole(folder, faults)
    return DataReport(
        folder=folder,
        images=len(ids),
        labels=None if labels is None else labels.height,
        extra=len(photos.extra),
        missing=len(missing),
        deep=deep,
        warnings=(
            *_on_missing(folder, missing, len(ids)),
            *_warnings(folder, photos.extra, home=folder.root.parent),
        ),
    )


def plain_ids(folder: DataFolder) -> pl.Series:
    """Read the image_ids, and check that the names of files can be made of them.

    Raises:
        BadDataError: They cannot, or the table is broken.
    """
    ids = read_format(folder.submission_format)
    odd = ids.filter(~ids.str.contains(_PLAIN_ID)).to_list()
    if odd:
        fix = f"Download {FORMAT_FILE} again: an image_id is the name of a file."
        fault = _Fault(kind="image_ids are not plain names", names=odd, of=len(ids), fix=fix)
        raise _not_whole(folder, [fault])
    return ids


def _photo_faults(folder: DataFolder, photos: Photos, of: int) -> Iterator[_Fault]:
    """Yield a fault for each way in which photos are flawed."""
    for flaw in filter(photos.flawed.__contains__, Flaw):
        fix = how_to_fix(_PHOTO_FIXES[flaw], folder.root)
        yield _Fault(kind=f"images {flaw}", names=photos.flawed[flaw], of=of, fix=fix)


def _closed(folder: DataFolder) -> list[_Fault]:
    """Return a fault if the user of a run may not read the folder of photos or the table."""
    places = (folder.images, folder.submission_format)
    closed = [place.name for place in places if closed_to_runs(place.stat())]
    if not closed:
        return []
    fix = how_to_fix(_PHOTO_FIXES[Flaw.CLOSED], folder.root)
    return [_Fault(kind=f"parts {Flaw.CLOSED}", names=closed, of=len(places), fix=fix)]


def _on_missing(folder: DataFolder, missing: Sequence[str], there: int) -> list[str]:
    """Return a warning of images that are missing from a run."""
    if not missing:
        return []
    names = first_few(missing, len(missing))
    text = (
        f"{len(missing):,} of {there + len(missing):,} images are missing: {names}. A run predicts "
        f"and scores the {there:,} that are there. {how_to_fix(FIX_UNPACK, folder.root)}"
    )
    return [text]


def _label_faults(ids: pl.Series, labels: pl.DataFrame) -> list[_Fault]:
    """Return faults for images without a label, and for labels that no photo can have."""
    unlabelled = ids.filter(~ids.is_in(labels[ID_COLUMN].implode())).to_list()
    xmin, ymin, xmax, ymax = (pl.col(column) for column in BOX_COLUMNS)
    outside = (xmin < 0) | (ymin < 0) | (xmax > IMAGE_WIDTH) | (ymax > IMAGE_HEIGHT)
    off = labels.filter(outside)[ID_COLUMN].to_list()
    fix = f"Use {LABELS_FILE} and {FORMAT_FILE} of the same download."
    faults = [
        _Fault(kind="images have no label", names=unlabelled, of=len(ids), fix=fix),
        _Fault(kind="labels lie off the image", names=off, of=labels.height, fix=fix),
    ]
    return [fault for fault in faults if fault.names]


def _not_whole(folder: DataFolder, faults: Sequence[_Fault]) -> BadDataError:
    """Return one error for all faults."""
    also = "; ".join(str(fault) for fault in faults[1:])
    return BadDataError(
        f"The data in {folder.root} is not whole: {faults[0]}.",
        why=f"Also: {also}." if also else "",
        fix=" ".join(dict.fromkeys(fault.fix for fault in faults)),
    )


def _warnings(folder: DataFolder, extra: Sequence[str], *, home: Path) -> tuple[str, ...]:
    """Return warnings of what does not stop a run but is probably not intended."""
    warnings = []
    if extra:
        names = first_few(extra, len(extra), 3)
        warnings.append(
            f"{counted(len(extra), 'photo')} in {folder.images} that {FORMAT_FILE} does not name: "
            f"{names}."
        )
    if not (folder.root / FORMAT_FILE).is_file():
        warnings.append(
            f"{FORMAT_FILE} was made from the labels of the images that are there: "
            f"{folder.root} has none of its own."
        )
    archives = sorted(path.name for path in home.glob("*.tar*"))
    if folder.is_demo and archives:
        warnings.append(
            f"{counted(len(archives), 'archive')} in {home} not unpacked: "
            f"invoke data.unpack {home.name}/{archives[0]}."
        )
    return tuple(warnings)
