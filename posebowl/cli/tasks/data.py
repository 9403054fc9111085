"""Tasks for labelled photos: render, check, unpack, format, list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from posebowl.cli.options import DATA_FOLDER, Force, Json
from posebowl.cli.task import task
from posebowl.render import RenderOptions
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.values import EXISTING, FOLDER, TRUTH


@task("data.render")
def render(settings: Settings, options: RenderOptions, *, json: Json = False) -> int:
    """Render labelled photos of spacecraft, or cut-outs and backgrounds to train on."""
    from posebowl.cli import child, output

    options.check()
    python = child.python("render", settings.cache)
    code = child.run(python, "posebowl.render", options, as_json=json)
    if json and not code:
        images = sum(1 for _ in (options.out / "images").iterdir())
        output.print_json({"folder": options.out, "images": images, "seed": options.seed})
    return code


@task("data.check")
def check(
    settings: Settings,
    *,
    folder: DATA_FOLDER = None,
    deep: Annotated[bool, Option(TRUTH, "decode every image")] = False,
    json: Json = False,
) -> None:
    """Report which data is in use and whether it is complete."""
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.data import check as check_data, folder as data_folder

    found = data_folder.find(folder or settings.data)
    report = check_data(found, deep=deep)
    output.present(report, tables.data, as_json=json)


@task("data.unpack")
def unpack(
    settings: Settings,
    *,
    archives: Annotated[
        tuple[Path, ...],
        Option(EXISTING, "the competition's tar files", many=True, positional=True),
    ],
    out: Annotated[Path | None, Option(FOLDER, "data folder", "data/")] = None,
    force: Annotated[bool, Option(TRUTH, "write every file again, over existing ones")] = False,
    json: Json = False,
) -> None:
    """Unpack the competition's archives into data/images."""
    from posebowl import paths
    from posebowl.cli import output
    from posebowl.cli.views import tables
    from posebowl.data import unpacker

    target = out or settings.data or paths.DATA
    done = unpacker.unpack(list(archives), target, force=force)
    output.present(
        done, lambda made: tables.unpacked(made, settings.data or paths.DATA), as_json=json
    )


@task("data.format")
def make_format(
    settings: Settings,
    *,
    folder: Annotated[Path | None, Option(FOLDER, "data folder", "data/")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make submission_format.csv from the labels."""
    from posebowl import data, paths
    from posebowl.challenge import FORMAT_FILE
    from posebowl.cli import output
    from posebowl.util import hints

    root = folder or settings.data or paths.DATA
    made = data.make_format(root, root / FORMAT_FILE, force=force)
    output.present_text({"path": made}, f"Wrote {hints.local(made)}", as_json=json)


@task("data.manifest")
def manifest(
    settings: Settings, *, folder: DATA_FOLDER = None, force: Force = False, json: Json = False
) -> None:
    """List size and hash of each file, for data that goes to object storage."""
    from posebowl.cli import output
    from posebowl.data import folder as data_folder, manifest as manifests
    from posebowl.scoring import read_format
    from posebowl.util import hints

    found = data_folder.find(folder or settings.data)
    ids = read_format(found.submission_format)
    made = manifests.write(found.root, ids.to_list(), force=force)
    output.present_text(made, f"Wrote {hints.local(made.path)}", as_json=json)
