"""Sets of labelled photos, of cut-outs or of backgrounds, as folders.

Each has images/, render.csv and render.json; a set of photos also has submission_format.csv and
train_labels.csv. Columns of render.csv: index, image_id, the box, family, background. In a set of
cut-outs the box is all of the image, and the background is the one whose light falls on it; in a
set of backgrounds the box is 0,0,0,0 and the family empty.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posebowl.challenge import BOX_COLUMNS, COLUMNS, FORMAT_FILE, ID_COLUMN, IMAGES_DIR, LABELS_FILE
from posebowl.errors import PoseBowlError, UsageError
from posebowl.render import image as photo
from posebowl.render.backdrops import find_backdrops
from posebowl.render.families import FAMILIES, TRAINING
from posebowl.render.imagery import find_imagery
from posebowl.render.mesh_files import find_meshes, read_model
from posebowl.render.options import Only
from posebowl.render.rasterizer import INSTALL, require_renderer
from posebowl.render.spacecraft import REMODELLED, USUAL
from posebowl.util import console
from posebowl.util.files import atomic_write, write_text
from posebowl.util.host import usable_cores

if TYPE_CHECKING:
    from posebowl.render.rasterizer import Rasterizer

METADATA_FILE: Final = "render.csv"
"""Metadata of each image beside its box: for analysis, not for training."""
SETTINGS_FILE: Final = "render.json"
"""The settings of the set; marks a folder as made by the renderer."""
CHUNK: Final = 8
LABELS_EVERY: Final = 50
JPEG_QUALITY: Final = 93
PLACEHOLDER: Final = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """Everything that determines the pixels of a set; its length does not."""

    seed: int
    families: tuple[str, ...]
    only: Only
    jpeg: bool
    compact: bool
    meshes: tuple[str, ...] = ()
    """Digests of the mesh files, in the order of their names."""
    imagery: tuple[str, ...] = ()
    """Name and size of each file of imagery."""
    backdrops: tuple[str, ...] = ()
    """The same of each backdrop."""
    longitudes: tuple[float, float] | None = None
    remodel: bool = False


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where a set's meshes and imagery are; its settings have what is in them."""

    meshes: Mapping[str, Path] = field(default_factory=dict)
    imagery: Path | None = None
    backdrops: Path | None = None


NO_SOURCES: Final = Sources()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One image of a set, as its tables describe it."""

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
    meshes: Path | None = None,
    imagery: Path | None = None,
    longitudes: tuple[float, float] | None = None,
    backdrops: Path | None = None,
    only: Only = Only.PHOTOS,
    jpeg: bool = False,
    compact: bool = False,
    remodel: bool = False,
) -> list[Row]:
    """Render a set of images; one that was interrupted or shorter is continued.

    The same seed makes the same names and pixels, whatever the number of workers, and a longer
    set begins with the shorter one. The tables are written as the images appear.

    Args:
        out: A folder that is new, empty, or holds a set with the same settings.
        count: How many images.
        seed: Which set, 0 or more.
        workers: Processes; by default one for each core that this process may use.
        families: Names in FAMILIES; by default those in TRAINING, or none beside meshes.
        meshes: A folder of mesh files, each of which counts as a family.
        imagery: A folder of unpacked packages with imagery, to paint backgrounds from.
        longitudes: From where eastwards to where imagery is used, in degrees; all by default.
        backdrops: A folder of pictures to show instead of painted backgrounds.
        only: Photos, cut-outs or backgrounds.
        jpeg: Write JPEG instead of PNG: smaller and faster, for training sets.
        compact: Add sensor noise to few images and compress well, for small PNGs.
        remodel: Change the spacecraft's proportions, and dock, damage and repaint more of them.

    Returns:
        The rows of the tables, in order.

    Raises:
        UsageError: An argument or the folder is unusable; nothing was written.
        PoseBowlError: Rendering failed.
    """
    settings = _checked_settings(count, seed, families, only=only, jpeg=jpeg, compact=compact)
    settings = replace(settings, remodel=remodel)
    files = {} if meshes is None else find_meshes(meshes)
    if files:
        digests = [hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files.values()]
        names = (*(families or ()), *files)
        settings = replace(settings, families=names, meshes=tuple(digests))
    if imagery is not None:
        settings = replace(settings, imagery=sizes(find_imagery(imagery).files()))
        settings = replace(settings, longitudes=longitudes)
    elif only is Only.CUTS or longitudes is not None:
        asked = "Cuts need" if only is Only.CUTS else "--longitudes needs"
        raise UsageError(f"{asked} imagery.", fix="Add --imagery with a folder of maps.")
    if backdrops is not None:
        settings = replace(settings, backdrops=sizes(find_backdrops(backdrops)))
    processes = usable_cores() if workers is None else workers
    _require_at_least(1, "--workers", processes, "At least one process must render.")
    continued = _check(out, settings)
    require_renderer()
    for file in files.values():
        read_model(file)  # a damaged file is an error now, not in an hour
    if not continued:
        _create(out, settings)
    rows = read_rows(out, jpeg=jpeg)
    missing = [index for index in range(count) if index not in rows]
    chunks = [missing[i : i + CHUNK] for i in range(0, len(missing), CHUNK)]
    try:
        sources = Sources(meshes=files, imagery=imagery, backdrops=backdrops)
        with progress_bar(count, done=count - len(missing)) as advance:
            for number, done in enumerate(_work(out, settings, chunks, processes, sources)):
                rows.update({row.index: row for row in done})
                advance(len(done))
                if number % (LABELS_EVERY // CHUNK) == 0:
                    write_tables(out, rows, only)
    finally:
        write_tables(out, rows, only)
    return [rows[index] for index in sorted(rows)]


def _checked_settings(
    count: int, seed: int, families: Sequence[str] | None, *, only: Only, jpeg: bool, compact: bool
) -> RenderSettings:
    _require_at_least(1, "--count", count, "A set has at least one image.")
    _require_at_least(0, "--seed", seed, "Seeds are not negative.")
    if jpeg and only is Only.CUTOUTS:
        raise UsageError(
            "Cut-outs cannot be JPEGs.", why="JPEG has no transparency.", fix="Leave out --jpeg."
        )
    names = tuple(families) if families else tuple(TRAINING)
    if unknown := [name for name in names if name not in FAMILIES]:
        raise UsageError(
            f"Unknown family: {', '.join(unknown)}.", fix=f"Choose from: {', '.join(FAMILIES)}."
        )
    return RenderSettings(seed=seed, families=names, only=only, jpeg=jpeg, compact=compact)


def sizes(files: Sequence[Path]) -> tuple[str, ...]:
    """Return name and size of each file, by which another set of files is noticed."""
    return tuple(f"{file.name}:{file.stat().st_size}" for file in files)


def _require_at_least(least: int, option: str, value: int, why: str) -> None:
    if value < least:
        raise UsageError(
            f"{option} must be at least {least}, got {value}.",
            why=why,
            fix=f"Use {option} {least} or more.",
        )


def _check(out: Path, settings: RenderSettings) -> bool:
    """Return whether the folder holds the start of this set; refuse any other folder."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder.", fix="Choose another --out.")
    if (out / SETTINGS_FILE).is_file():
        found: Any = None
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((out / SETTINGS_FILE).read_text(encoding="utf-8"))
        if other := _differing(_plain(settings), found if isinstance(found, dict) else {}):
            raise UsageError(
                f"{out} holds a set that was made with other settings.",
                why=" ".join(f"{name}: {asked}, there {there}." for name, asked, there in other),
                fix="Choose another --out, or use the same settings to continue that set.",
            )
        return True
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(
            f"{out} is not empty, and the renderer did not make it.",
            fix="Choose a new folder for --out.",
        )
    return False


def _differing(asked: dict[str, Any], there: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what differs; a setting that a set of an earlier version lacks was not asked for."""
    pairs = [(name, asked.get(name), there.get(name)) for name in sorted({*asked, *there})]
    return [(name, one, other) for name, one, other in pairs if (one or None) != (other or None)]


def _plain(settings: RenderSettings) -> Any:
    return json.loads(json.dumps(asdict(settings)))


def _create(out: Path, settings: RenderSettings) -> None:
    try:
        (out / IMAGES_DIR).mkdir(parents=True, exist_ok=True)
        write_text(out / SETTINGS_FILE, json.dumps(_plain(settings), indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"Cannot create {out}.", why=f"{error.strerror}.", fix="Choose another --out."
        ) from None


def read_rows(out: Path, *, jpeg: bool) -> dict[int, Row]:
    """Read the rows, by number, of the images that exist.

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
            why="The renderer cannot read its own table back.",
            fix="Choose another --out.",
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
    """Return the file name of an image."""
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
    """Show a progress bar; yield a function that advances it by a number of images."""
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
    out: Path,
    settings: RenderSettings,
    chunks: list[list[int]],
    processes: int,
    sources: Sources,
) -> Iterator[list[Row]]:
    """Render chunks in worker processes, and yield them as they finish."""
    # Even a single worker is a process of its own: VTK crashes where OpenGL has no driver.
    # Spawned, not forked: threads and windows do not survive a fork.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(render_chunk, out, settings, chunk, sources) for chunk in chunks]
        try:
            for job in as_completed(jobs):
                yield job.result()
        except BrokenProcessPool:
            raise PoseBowlError(
                "A rendering process crashed.",
                why="Usually an OpenGL driver is missing, or memory ran out.",
                fix=f"{INSTALL}. Or try again with --workers 1: finished images are kept.",
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


@cache
def _rasterizer() -> Rasterizer:
    from posebowl.render.rasterizer import Rasterizer  # noqa: PLC0415  only workers need PyVista

    return Rasterizer()


def render_chunk(
    out: Path,
    settings: RenderSettings,
    indices: Sequence[int],
    sources: Sources = NO_SOURCES,
) -> list[Row]:
    """Render some images of a set and write their files."""
    return [_render_row(out, settings, index, sources) for index in indices]


def _render_row(out: Path, settings: RenderSettings, index: int, sources: Sources) -> Row:
    spec = photo.ImageSpec(
        seed=settings.seed,
        index=index,
        families=settings.families,
        meshes=sources.meshes,
        imagery=sources.imagery,
        longitudes=settings.longitudes,
        backdrops=sources.backdrops,
        only=settings.only,
        compact=settings.compact,
        changes=REMODELLED if settings.remodel else USUAL,
    )
    image = photo.render(_rasterizer(), spec)
    path = out / IMAGES_DIR / image_name(spec.image_id, jpeg=settings.jpeg)
    picture = Image.fromarray(image.pixels)
    with atomic_write(path) as file:
        if settings.jpeg:
            picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        else:
            level = 9 if settings.compact else 1
            picture.save(file, "PNG", optimize=settings.compact, compress_level=level)
    return Row(
        index=index,
        image_id=spec.image_id,
        box=image.box,
        family=image.family,
        background=image.background,
    )
