"""The options of the renderer, for its own command line and for `invoke data.render`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from posebowl.errors import UsageError
from posebowl.util.options import Option
from posebowl.util.values import FOLDER, PATH, TRUTH, Kind, choice, whole


class Only(StrEnum):
    """What the images of a set show."""

    PHOTOS = "photos"
    CUTOUTS = "cutouts"
    BACKGROUNDS = "backgrounds"
    CUTS = "cuts"


def _families() -> Sequence[str]:
    from posebowl.render.families import FAMILIES

    return tuple(FAMILIES)


def _family(text: str) -> str:
    if text not in _families():
        raise ValueError(text)
    return text


FAMILY: Final = Kind(
    expects="a family of spacecraft, as docs/renderer.md lists them",
    example="box-bus",
    read=_family,
    suggest=_families,
)


def _longitudes(text: str) -> tuple[float, float]:
    west, east = (float(edge) for edge in text.split(","))
    if not (-180 <= west <= 180 and -180 <= east <= 180 and west != east):
        raise ValueError(text)
    return west, east


LONGITUDES: Final = Kind(
    expects="two different degrees from -180 to 180, such as 60,120",
    example="60,120",
    read=_longitudes,
    write=lambda ends: ",".join(f"{edge:g}" for edge in ends),
)


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """What set is rendered, and to where."""

    out: Annotated[Path, Option(FOLDER, "folder: new, empty, or one to continue")]
    count: Annotated[int, Option(whole(1, 24), "how many images")] = 24
    seed: Annotated[int, Option(whole(0, 0), "which set: the same seed makes the same pixels")] = 0
    workers: Annotated[int | None, Option(whole(1, 2), "processes", "one per core")] = None
    only: Annotated[
        Only, Option(choice(Only), "what the images show; cutouts are spacecraft alone, as RGBA")
    ] = Only.PHOTOS
    family: Annotated[
        tuple[str, ...],
        Option(FAMILY, "only this family of spacecraft", "all that models train on", many=True),
    ] = ()
    held_out: Annotated[bool, Option(TRUTH, "only the families that no model is trained on")] = (
        False
    )
    meshes: Annotated[
        Path | None, Option(FOLDER, "spacecraft from mesh files: GLB, OBJ, 3DS, Orbiter's .msh")
    ] = None
    remodel: Annotated[
        bool, Option(TRUTH, "other proportions, more docked, damaged and repainted spacecraft")
    ] = False
    imagery: Annotated[
        Path | None,
        Option(FOLDER, "real maps of the Earth, Moon and planets to paint backgrounds from"),
    ] = None
    longitudes: Annotated[
        tuple[float, float] | None,
        Option(LONGITUDES, "from where eastwards to where --imagery is used", "all round"),
    ] = None
    backdrops: Annotated[
        Path | None, Option(FOLDER, "your own pictures to show instead of painted backgrounds")
    ] = None
    jpeg: Annotated[bool, Option(TRUTH, "write JPEG: smaller than PNG, for training sets")] = False
    compact: Annotated[
        bool, Option(TRUTH, "little noise and soft photos, so that PNGs are small")
    ] = False
    sheet: Annotated[
        Path | None, Option(PATH, "also write a contact sheet with the boxes drawn to this file")
    ] = None

    def check(self) -> None:
        """Check what can be checked before anything is prepared.

        Raises:
            UsageError: The options exclude each other, a folder is missing, or the sheet cannot be
                written.
        """
        from posebowl.util.files import require_folder

        for name in ("meshes", "imagery", "backdrops"):
            if (folder := getattr(self, name)) is not None:
                require_folder(folder, f"--{name}")
        if self.family and self.held_out:
            raise UsageError(
                "--family and --held-out exclude each other.",
                why="Both choose families.",
                fix="Leave one of them out.",
            )
        if self.remodel and self.compact and self.only is Only.PHOTOS:
            raise UsageError(
                "--remodel and --compact exclude each other.",
                why="Photos of a compact set show spacecraft as their families are.",
                fix="Leave one of them out.",
            )
        if self.sheet is not None:
            from posebowl.render.contact_sheet import check_sheet

            check_sheet(self.sheet)
