"""The data folder: which one is in use, and where its parts lie."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.challenge import FORMAT_FILE, IMAGES_DIR, LABELS_FILE
from posebowl.errors import BadDataError, UsageError
from posebowl.paths import DATA, DEMO_DATA
from posebowl.util.hints import flag, local

_WHY_FORMAT: Final = f"{FORMAT_FILE} names the images to predict, and their order."
FIX_UNPACK: Final = "Unpack all of the competition's archives: invoke data.unpack{out} FILE.tar ..."
_DEMO: Final = "demo"


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """Where the images of a run are, and what belongs to them."""

    root: Path
    images: Path
    submission_format: Path
    """In `root`, or made in the scratch folder that `find` was given."""
    labels: Path | None
    is_demo: bool
    absent: tuple[str, ...] = ()
    """Images that the folder's own submission_format.csv names and this one leaves out."""
    of: int | None = None
    """How many images there are, where only some of them were chosen."""


def find(data: Path | None = None, *, home: Path = DATA, scratch: Path | None = None) -> DataFolder:
    """Choose the data folder.

    A folder that the user names is taken as it is. Otherwise data/ wins over data/demo as
    soon as anything of the competition lies in it. A training set may come without
    submission_format.csv: it is then made in `scratch` from the labels of the images that are
    there. If only some of the images are there, a table of just those is made there.

    Args:
        data: The folder that the user named.
        home: The folder of downloads, with the demo set in demo/.
        scratch: A folder of the caller's in which submission_format.csv may be made; a run
            has one. Without it, the folder is returned as it is.

    Raises:
        BadDataError: The folder is incomplete; the error says what is missing.
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
    """Return the error for a data folder that a user named and that does not exist."""
    return UsageError(
        f"{data} is not a folder.",
        why="It is a file." if data.exists() else "It does not exist.",
        fix=f"Name a folder that holds {IMAGES_DIR}/ and {FORMAT_FILE}, such as data/demo.",
    )


def _is_filled(root: Path) -> bool:
    """Check whether a folder holds anything of the competition."""
    return (
        (root / FORMAT_FILE).exists()
        or (root / LABELS_FILE).exists()
        or any((root / IMAGES_DIR).glob("*.png"))
    )


def _complete(root: Path, *, is_demo: bool, scratch: Path | None) -> DataFolder:
    """Check that all parts of a data folder are there, and make the format if need be."""
    images, form, labels = root / IMAGES_DIR, root / FORMAT_FILE, root / LABELS_FILE
    # A folder without a single photo is as bad as none.
    if not (images.is_dir() and any(images.glob("*.png"))):
        raise _no_photos(root, images)
    if not form.is_file() and (scratch is None or not labels.is_file()):
        raise _no_format(root, labels)
    absent: tuple[str, ...] = ()
    if scratch is not None and not form.is_file():
        from posebowl.data.checks import make_format

        form = make_format(root, scratch / FORMAT_FILE)
    if scratch is not None and not _has_all(form, images):
        from posebowl.data.checks import narrow_format

        form, absent = narrow_format(form, images, scratch / FORMAT_FILE)
    return DataFolder(
        root=root,
        images=images,
        submission_format=form,
        labels=labels if labels.is_file() else None,
        is_demo=is_demo,
        absent=absent,
    )


def _no_photos(root: Path, images: Path) -> UsageError | BadDataError:
    """Return the error for a data folder without photos where they belong."""
    if images.is_dir() and not os.access(images, os.R_OK | os.X_OK):
        return BadDataError(
            f"{images} cannot be read: Permission denied.",
            fix=f"Type: chmod -R a+rX {shlex.quote(str(local(images)))}",
        )
    fix = how_to_fix(FIX_UNPACK, root)
    if any(root.glob("*.png")):
        if root.name == IMAGES_DIR and _is_filled(root.parent):
            return UsageError(
                f"{root} is the folder of the photos, not a data folder.",
                fix=f"Name the folder that holds it: {local(root.parent)}",
            )
        fix = f"Move the photos into {images}."
    elif not images.is_dir() and not _is_filled(root):
        return UsageError(
            f"{root} is not a data folder: it holds neither {IMAGES_DIR}/ nor a table.",
            fix=f"Name one that does, such as data/demo. {fix}",
        )
    elif root == DATA:
        fix = f"{fix} Or move its tables away to use the demo set."
    return BadDataError(f"{root} is incomplete: {images} holds no photos.", fix=fix)


def _no_format(root: Path, labels: Path) -> BadDataError:
    """Return the error for a data folder without submission_format.csv."""
    if labels.is_file():
        return BadDataError(
            f"{root} has no {FORMAT_FILE}.",
            why=_WHY_FORMAT,
            fix=f"Make it from {LABELS_FILE}: invoke data.format{flag('folder', root, DATA)}",
        )
    return BadDataError(
        f"{root} is incomplete: it has images, but neither {FORMAT_FILE} nor {LABELS_FILE}.",
        why=_WHY_FORMAT,
        fix=f"Download {FORMAT_FILE} or {LABELS_FILE} from the competition into {root}.",
    )


def _has_all(form: Path, images: Path) -> bool:
    """Check quickly whether each row of a plain table has its photo; False if in doubt."""
    try:
        names = {entry.name for entry in os.scandir(images)}
        rows = form.read_bytes().splitlines()[1:]
    except PermissionError:
        return False
    return all(f"{row.partition(b',')[0].decode(errors='replace')}.png" in names for row in rows)


def how_to_fix(text: str, root: Path) -> str:
    """Return advice with a data folder filled in; archives do not belong in the demo set."""
    out = "" if root == DEMO_DATA else flag("out", root, DATA)
    images, folder = (shlex.quote(str(local(path))) for path in (root / IMAGES_DIR, root))
    return text.format(out=out, images=images, root=folder)
