"""Sets of labelled photos, of cut-outs or of backgrounds, as folders.

Each has images/, render.csv and render.json; a set of photos also has submission_format.csv and
train_labels.csv. Columns of render.csv: index, image_id, the box, family, background. In a set of
cut-outs the box is all of the image, and the background is the one whose light falls on it; in a
set of backgrounds the box is 0,0,0,0 and the family empty.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posebowl.challenge import BOX_COLUMNS, COLUMNS, FORMAT_FILE, ID_COLUMN, IMAGES_DIR, LABELS_FILE
from posebowl.errors import PoseBowlError, UsageError
from posebowl.render import image as photo
from posebowl.render.families import FAMILIES, TRAINING
from posebowl.render.image import Only
from posebowl.render.rasterizer import INSTALL, require_renderer
from posebowl.util import console
from posebowl.util.files import atomic_write, write_text

if TYPE_CHECKING:
    from posebowl.render.rasterizer import Window

METADATA_FILE: Final = "render.csv"
"""What is known about each image beside its box: for analysis, not for training."""
RECIPE_FILE: Final = "render.json"
"""What the set was made with: marks a folder as the renderer's own."""
CHUNK: Final = 8
LABELS_EVERY: Final = 50
JPEG_QUALITY: Final = 93
PLACEHOLDER: Final = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What decides the pixels of a set; its length does not."""

    seed: int
    families: tuple[str, ...]
    only: Only
    jpeg: bool
    compact: bool


@dataclass(frozen=True, kw_only=True)
class Row:
    """One image of a set as its tables tell it."""

    index: int
    image_id: str
    box: tuple[int, int, int, int]
    family: str
    background: str


def render_dataset(
    out: Path,
    *,
    count: int,
    seed: int,
    workers: int | None = None,
    families: Sequence[str] | None = None,
    only: Only = Only.PHOTOS,
    jpeg: bool = False,
    compact: bool = False,
) -> list[Row]:
    """Render a set of images; one that was interrupted or shorter is continued.

    The same seed gives the same names and pixels, whatever the number of workers, and the
    longer set begins with the shorter one. The tables grow while the images do.

    Args:
        out: A folder that is new, empty, or was made by this function with the same recipe.
        count: How many images.
        seed: Which set, 0 or more.
        workers: Processes; by default one for each core that this process may use.
        families: Of FAMILIES; those of TRAINING by default.
        only: Photos, cut-outs or backgrounds.
        jpeg: Write JPEG instead of PNG: smaller and faster, for training sets.
        compact: Give few images sensor noise and take time to compress, for small PNGs.

    Returns:
        The rows of the tables, in order.

    Raises:
        UsageError: An argument or the folder will not do; nothing was written.
        PoseBowlError: Rendering failed.
    """
    recipe = _recipe(count, seed, families, only=only, jpeg=jpeg, compact=compact)
    processes = workers if workers is not None else _cores()
    if processes < 1:
        raise UsageError(
            f"--workers is {processes}.", why="It is a number of processes.", fix="Give 1 or more."
        )
    continued = _check(out, recipe)
    require_renderer()
    if not continued:
        _create(out, recipe)
    rows = read_rows(out, jpeg=jpeg)
    missing = [index for index in range(count) if index not in rows]
    chunks = [missing[i : i + CHUNK] for i in range(0, len(missing), CHUNK)]
    try:
        with progress_bar(count, done=count - len(missing)) as advance:
            for number, done in enumerate(_work(out, recipe, chunks, processes)):
                rows.update({row.index: row for row in done})
                advance(len(done))
                if number % max(1, LABELS_EVERY // CHUNK) == 0:
                    write_tables(out, rows, only)
    finally:
        write_tables(out, rows, only)
    return [rows[index] for index in sorted(rows)]


def _recipe(
    count: int, seed: int, families: Sequence[str] | None, *, only: Only, jpeg: bool, compact: bool
) -> Recipe:
    if count < 1:
        raise UsageError(
            f"--count is {count}.", why="It is a number of images.", fix="Give 1 or more."
        )
    if seed < 0:
        raise UsageError(f"--seed is {seed}.", why="No seed is negative.", fix="Give 0 or more.")
    if jpeg and only is Only.CUTOUTS:
        raise UsageError(
            "Cut-outs cannot be JPEGs.", why="JPEG holds no transparency.", fix="Leave out --jpeg."
        )
    names = tuple(families) if families else tuple(TRAINING)
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise UsageError(
            f"There is no family {', '.join(unknown)}.", fix=f"Choose from: {', '.join(FAMILIES)}."
        )
    return Recipe(seed=seed, families=names, only=only, jpeg=jpeg, compact=compact)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check(out: Path, recipe: Recipe) -> bool:
    """Say whether the folder holds the beginning of this set; refuse what is not ours."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder.", fix="Give another --out.")
    if (out / RECIPE_FILE).is_file():
        found = _load(out / RECIPE_FILE)
        if found != _plain(recipe):
            raise UsageError(
                f"{out} holds a set that was made with other settings.",
                why=f"There: {found}. Asked for: {_plain(recipe)}.",
                fix="Give another --out, or the same settings to continue that set.",
            )
        return True
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(
            f"{out} is not empty, and not a folder that the renderer made.",
            fix="Give a new folder as --out.",
        )
    return False


def _plain(recipe: Recipe) -> Any:
    return json.loads(json.dumps(asdict(recipe)))


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _create(out: Path, recipe: Recipe) -> None:
    try:
        (out / IMAGES_DIR).mkdir(parents=True, exist_ok=True)
        write_text(out / RECIPE_FILE, json.dumps(_plain(recipe), indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"{out} cannot be made.", why=f"{error.strerror}.", fix="Give another --out."
        ) from None


def read_rows(out: Path, *, jpeg: bool) -> dict[int, Row]:
    """Read the rows, by number, of the images that are really there.

    Raises:
        UsageError: The table is damaged.
    """
    path = out / METADATA_FILE
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [_row(line) for line in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{path} is damaged.",
            why="It does not read as the renderer wrote it.",
            fix="Give another --out.",
        ) from None
    there = {file.name for file in (out / IMAGES_DIR).iterdir()}
    return {row.index: row for row in rows if image_name(row.image_id, jpeg=jpeg) in there}


def _row(line: dict[str, str]) -> Row:
    xmin, ymin, xmax, ymax = (int(line[column]) for column in BOX_COLUMNS)
    return Row(
        index=int(line["index"]),
        image_id=line[ID_COLUMN],
        box=(xmin, ymin, xmax, ymax),
        family=line["family"],
        background=line["background"],
    )


def image_name(image_id: str, *, jpeg: bool) -> str:
    """Name an image's file."""
    return f"{image_id}.{'jpg' if jpeg else 'png'}"


def write_tables(out: Path, rows: dict[int, Row], only: Only = Only.PHOTOS) -> None:
    """Write the tables of a set, in the order of the images' numbers."""
    ordered = [rows[index] for index in sorted(rows)]
    if only is Only.PHOTOS:
        placeholders = [(row.image_id, *PLACEHOLDER) for row in ordered]
        _write_csv(out / FORMAT_FILE, COLUMNS, placeholders)
        _write_csv(out / LABELS_FILE, COLUMNS, [(row.image_id, *row.box) for row in ordered])
    _write_csv(
        out / METADATA_FILE,
        ("index", *COLUMNS, "family", "background"),
        [(row.index, row.image_id, *row.box, row.family, row.background) for row in ordered],
    )


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    lines = (",".join(str(value) for value in line) for line in (header, *rows))
    write_text(path, "\n".join(lines) + "\n")


@contextlib.contextmanager
def progress_bar(count: int, *, done: int) -> Iterator[Callable[[int], None]]:
    """Show how far the rendering is; gives a function that counts images."""
    columns = (
        TextColumn("rendering"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, console=console.err) as progress:
        task = progress.add_task("", total=count, completed=done, rate="")

        def advance(images: int) -> None:
            progress.advance(task, images)
            speed = progress.tasks[0].speed
            progress.update(task, rate=f"{speed:.1f} images/s" if speed else "")

        yield advance


def _work(
    out: Path, recipe: Recipe, chunks: list[list[int]], processes: int
) -> Iterator[list[Row]]:
    """Render chunks in processes of their own, and give them as they are done."""
    # Even a single worker is a process of its own: VTK crashes where OpenGL has no driver.
    # Started afresh, not forked: threads and windows do not survive a fork.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(render_chunk, out, recipe, chunk) for chunk in chunks]
        try:
            for job in as_completed(jobs):
                yield job.result()
        except BrokenProcessPool:
            raise PoseBowlError(
                "A rendering process died.",
                why="Often there is no OpenGL driver, or memory ran out.",
                fix=f"{INSTALL}. Or try again with --workers 1: what is done is kept.",
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


@cache
def _window() -> Window:
    from posebowl.render.rasterizer import Window  # noqa: PLC0415  only workers need PyVista

    return Window()


def render_chunk(out: Path, recipe: Recipe, indices: Sequence[int]) -> list[Row]:
    """Render some images of a set and write their files."""
    rows = []
    for index in indices:
        image = photo.render(
            _window(),
            seed=recipe.seed,
            index=index,
            families=recipe.families,
            only=recipe.only,
            compact=recipe.compact,
        )
        path = out / IMAGES_DIR / image_name(image.image_id, jpeg=recipe.jpeg)
        picture = Image.fromarray(image.pixels)
        with atomic_write(path) as file:
            if recipe.jpeg:
                picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
            else:
                level = 9 if recipe.compact else 1
                picture.save(file, "PNG", optimize=recipe.compact, compress_level=level)
        rows.append(
            Row(
                index=index,
                image_id=image.image_id,
                box=image.box,
                family=image.family,
                background=image.background,
            )
        )
    return rows
