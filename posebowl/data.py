"""The data folder: which one is in use, and whether it is whole."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

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
from posebowl.errors import BadDataError, UsageError
from posebowl.files import atomic_write
from posebowl.labels import read_labels
from posebowl.paths import DATA, DEMO_DATA, flag, local
from posebowl.photos import Flaw, look_at_photos
from posebowl.predictions import read_format
from posebowl.wording import counted, first_few

_DEMO: Final = "demo"
_PLAIN_ID: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$"
_WHY_FORMAT: Final = f"{FORMAT_FILE} names the images to predict, and their order."
_FIX_UNPACK: Final = (
    "Unpack all of the competition's archives: invoke data.unpack{out} FILE.tar ..."
)
_FIX_AGAIN: Final = "Unpack them again: invoke data.unpack{out} --force FILE.tar ..."
_PHOTO_FIXES: Final = {
    Flaw.MISSING: _FIX_UNPACK,
    Flaw.LINK: "Put the files themselves there: cp -L.",
    Flaw.SPECIAL: _FIX_AGAIN,
    Flaw.UNREADABLE: "Make them readable: chmod -R u+rX {images}",
    Flaw.BROKEN: _FIX_AGAIN,
    Flaw.SIZE: "Use the photos as they were downloaded, neither scaled nor cropped.",
}


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """Where the images of a run are, and what belongs to them."""

    root: Path
    images: Path
    submission_format: Path
    """In `root`, or made from the labels in the scratch folder that `find` was given."""
    labels: Path | None
    is_demo: bool


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """A data folder that is whole."""

    folder: DataFolder
    images: int
    labels: int | None
    """Labelled images, or None without labels."""
    extra: int
    """Images that submission_format.csv does not name: a run sees them all the same."""
    deep: bool
    """The photos were decoded, not only their first and last bytes read."""
    warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Say in one sentence which data is in use and that it is whole."""
        kind = "the demo set" if self.folder.is_demo else "the data"
        labels = "no labels" if self.labels is None else f"{counted(self.labels, 'label')}"
        how = "decoded" if self.deep else "looked at"
        return (
            f"In use: {kind} in {self.folder.root}; whole: {counted(self.images, 'image')} "
            f"({how}), {labels}."
        )


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


def find(data: Path | None = None, *, home: Path = DATA, scratch: Path | None = None) -> DataFolder:
    """Choose the data folder.

    A folder that the user names is taken as it is. Otherwise data/ wins over data/demo as
    soon as anything of the competition lies in it. A training set may come without
    submission_format.csv: it is then made in `scratch` from the labels of the images at hand.

    Args:
        data: The folder that the user named.
        home: The folder of downloads, with the demo set in demo/.
        scratch: A folder of the caller's in which submission_format.csv may be made.

    Raises:
        BadDataError: The folder is missing or half filled; it says what is missing.
        UsageError: The folder that the user named does not exist.
    """
    if data is not None and not data.is_dir():
        raise no_folder(data)
    root = data or (home if _is_filled(home) else home / _DEMO)
    is_demo = root.resolve() == (home / _DEMO).resolve()
    if is_demo and not _is_filled(root):
        raise BadDataError(
            f"There is no data: neither {home} nor {root} holds any.",
            fix=f"Restore the demo set: git checkout -- {home.name}/{_DEMO}; or fill {home.name}/.",
        )
    return _complete(root, is_demo=is_demo, scratch=scratch)


def no_folder(data: Path) -> UsageError:
    """Return the error for a data folder that a user named and that is none."""
    return UsageError(
        f"{data} is no folder.",
        why="It is a file." if data.exists() else "There is nothing of that name.",
        fix=f"Name a folder that holds {IMAGES_DIR}/ and {FORMAT_FILE}, such as data/demo.",
    )


def _is_filled(root: Path) -> bool:
    """Say whether a folder holds anything of the competition."""
    return (
        (root / FORMAT_FILE).exists()
        or (root / LABELS_FILE).exists()
        or any((root / IMAGES_DIR).glob("*.png"))
    )


def _complete(root: Path, *, is_demo: bool, scratch: Path | None) -> DataFolder:
    """Check that all parts of a data folder are there, and make the format if need be."""
    images, form, labels = root / IMAGES_DIR, root / FORMAT_FILE, root / LABELS_FILE
    # A plain folder without a single photo is no better than none.
    has_images = images.is_dir() and any(images.glob("*.png"))
    if not has_images:
        fix = f"{_fix(_FIX_UNPACK, root)} Or move its tables away to use the demo set."
        if any(root.glob("*.png")):
            fix = f"Move the photos into {images}."
        raise BadDataError(f"{root} is half filled: {images} holds no photos.", fix=fix)
    if not form.is_file() and not labels.is_file():
        raise BadDataError(
            f"{root} is half filled: it has images, but neither {FORMAT_FILE} nor {LABELS_FILE}.",
            why=_WHY_FORMAT,
            fix=f"Download {FORMAT_FILE} or {LABELS_FILE} from the competition into {root}.",
        )
    if not form.is_file():
        if scratch is None:
            raise BadDataError(
                f"{root} has no {FORMAT_FILE}.",
                why=_WHY_FORMAT,
                fix=f"Make it from {LABELS_FILE}: invoke data.format{flag('folder', root, DATA)}",
            )
        form = make_format(root, scratch / FORMAT_FILE)
    return DataFolder(
        root=root,
        images=images,
        submission_format=form,
        labels=labels if labels.is_file() else None,
        is_demo=is_demo,
    )


def make_format(root: Path, target: Path, *, force: bool = False) -> Path:
    """Make a submission_format.csv from the labels of those images that are there.

    Args:
        root: A data folder with images/ and train_labels.csv.
        target: The file to write; all its boxes are 0.
        force: Replace it if it is there.

    Raises:
        BadDataError: The labels are broken, or none of their images is there.
        UsageError: The file is there already.
    """
    if target.exists() and not force:
        raise UsageError(
            f"{target} is there already.",
            why="Nothing of yours is replaced unasked.",
            fix="Add --force to replace it.",
        )
    here = pl.Series([path.stem for path in (root / IMAGES_DIR).glob("*.png")], dtype=pl.String)
    ids = read_labels(root / LABELS_FILE)[ID_COLUMN]
    kept = ids.filter(ids.is_in(here.implode()))
    if kept.is_empty():
        what = f"None of the {len(ids):,} images of {LABELS_FILE} is in {root / IMAGES_DIR}."
        raise BadDataError(what, fix=_fix(_FIX_UNPACK, root))
    zeros = [pl.lit(0).alias(column) for column in BOX_COLUMNS]
    with atomic_write(target) as file:
        kept.to_frame(ID_COLUMN).with_columns(zeros).write_csv(file)
    return target


def check(folder: DataFolder, *, deep: bool = False) -> DataReport:
    """Check that a data folder is whole.

    Args:
        folder: What `find` gave.
        deep: Decode every photo, instead of reading its first and last bytes.

    Raises:
        BadDataError: Something is missing or broken: each kind with its count and first names.
    """
    ids = read_format(folder.submission_format)
    # First of all, since the names of files are made from them.
    odd = ids.filter(~ids.str.contains(_PLAIN_ID)).to_list()
    if odd:
        fix = f"Download {FORMAT_FILE} again: an image_id is the name of a file."
        fault = _Fault(kind="image_ids are no plain names", names=odd, of=len(ids), fix=fix)
        _refuse(folder, [fault])
    photos = look_at_photos(folder.images, ids.to_list(), deep=deep)
    faults = [
        _Fault(
            kind=f"images {flaw}",
            names=photos.flawed[flaw],
            of=len(ids),
            fix=_fix(_PHOTO_FIXES[flaw], folder.root),
        )
        for flaw in Flaw
        if flaw in photos.flawed
    ]
    labels = None
    if folder.labels is not None:
        labels = read_labels(folder.labels)
        faults += _label_faults(ids, labels)
    if faults:
        _refuse(folder, faults)
    return DataReport(
        folder=folder,
        images=len(ids),
        labels=None if labels is None else labels.height,
        extra=len(photos.extra),
        deep=deep,
        warnings=_warnings(folder, photos.extra, home=folder.root.parent),
    )


def _fix(text: str, root: Path) -> str:
    """Put a data folder into what is to be typed; the demo set is not where archives belong."""
    out = "" if root == DEMO_DATA else flag("out", root, DATA)
    return text.format(out=out, images=shlex.quote(str(local(root / IMAGES_DIR))))


def _label_faults(ids: pl.Series, labels: pl.DataFrame) -> list[_Fault]:
    """Find images without a label, and labels that no photo can have."""
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


def _refuse(folder: DataFolder, faults: Sequence[_Fault]) -> NoReturn:
    """Raise one error for all faults."""
    also = "; ".join(str(fault) for fault in faults[1:])
    raise BadDataError(
        f"The data in {folder.root} is not whole: {faults[0]}.",
        why=f"Also: {also}." if also else "",
        fix=" ".join(dict.fromkeys(fault.fix for fault in faults)),
    )


def _warnings(folder: DataFolder, extra: Sequence[str], *, home: Path) -> tuple[str, ...]:
    """Find what does not hinder a run, but is hardly meant."""
    warnings = []
    if extra:
        names = first_few(extra, len(extra), 3)
        warnings.append(
            f"{counted(len(extra), 'photo')} in {folder.images} that {FORMAT_FILE} does not name: "
            f"{names}."
        )
    if folder.submission_format.parent != folder.root:
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
