"""Contact sheets: many photos on one page with their boxes drawn."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageOps

from posebowl.challenge import IMAGE_WIDTH, IMAGES_DIR
from posebowl.errors import UsageError
from posebowl.render.dataset import Row, image_name
from posebowl.util.files import atomic_write

TILE: Final = (IMAGE_WIDTH // 3, 341)
"""Width and height of one image on the sheet."""
COLOUR: Final = (0, 255, 80)
GREY: Final = (70, 70, 80, 255)
FORMATS: Final = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def write_sheet(
    path: Path, folder: Path, rows: Sequence[Row], *, jpeg: bool = False, columns: int = 4
) -> None:
    """Write a contact sheet of a set's images.

    Args:
        path: A PNG or JPEG file; replaced if it is there.
        folder: Of the set.
        rows: The images to show.
        jpeg: Whether the set's images are JPEG.
        columns: Images side by side.

    Raises:
        UsageError: The file's name ends neither with .png nor with .jpg.
    """
    kind = check_sheet(path)
    width, height = TILE
    page = Image.new("RGB", (width * columns, height * -(-len(rows) // columns)))
    for number, row in enumerate(rows):
        with Image.open(folder / IMAGES_DIR / image_name(row.image_id, jpeg=jpeg)) as image:
            page.paste(_tile(image, row), (number % columns * width, number // columns * height))
    with atomic_write(path) as file:
        page.save(file, kind)


def _tile(image: Image.Image, row: Row) -> Image.Image:
    """Return an image reduced, with its box and a caption; a cut-out lies on grey."""
    if image.mode == "RGB":
        tile = image.resize(TILE, Image.Resampling.LANCZOS)
    else:
        page = Image.alpha_composite(Image.new("RGBA", image.size, GREY), image)
        tile = ImageOps.pad(page.convert("RGB"), TILE, color=GREY[:3])
    pen = ImageDraw.Draw(tile)
    if image.mode == "RGB" and row.family:
        left, top, right, bottom = (side * TILE[0] / IMAGE_WIDTH for side in row.box)
        pen.rectangle((left - 1, top - 1, right, bottom), outline=COLOUR)
    pen.text((4, 2), f"{row.index} {row.family} / {row.background}", fill=COLOUR)
    return tile


def check_sheet(path: Path) -> str:
    """Return the image format of a contact sheet's file name."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(
            f"--sheet {path} does not end with .png or .jpg.", fix="Type: --sheet sheet.png"
        )
    if not path.parent.is_dir():
        folder = shlex.quote(str(path.parent))
        raise UsageError(
            f"{path.parent} is not a folder.", fix=f"Create it first: mkdir -p {folder}"
        )
    return kind
