"""Tasks for labelled photos: render, check, unpack, format."""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from posebowl.cli.task import JSON, command
from posebowl.settings import resolve


@command(
    iterable=["family"],
    help={
        "count": "how many images (24)",
        "seed": "which set: the same seed gives the same pixels (0)",
        "out": "folder: new, empty, or one to continue",
        "workers": "processes (one a core)",
        "only": "photos, cutouts (spacecraft alone, RGBA) or backgrounds (photos)",
        "family": "only this family of spacecraft; may be repeated",
        "held_out": "the families that no model is trained on",
        "jpeg": "write JPEG instead of PNG: smaller, for training sets",
        "compact": "little noise and soft photos, so that PNGs are small",
        "sheet": "also write a contact sheet with the boxes drawn, to this file",
        "json": JSON,
    },
)
def render(
    _: Context,
    count: int = 24,
    seed: int = 0,
    out: str = "",
    workers: int = 0,
    only: str = "photos",
    family: list[str] | None = None,
    held_out: bool = False,
    jpeg: bool = False,
    compact: bool = False,
    sheet: str = "",
    json: bool = False,
) -> int:
    """Render labelled photos of spacecraft, or cut-outs and backgrounds to train on."""
    from posebowl.cli import options

    options.required("data.render", out=out)
    words = options.flags(out=out, workers=workers, only=only, held_out=held_out)
    words += options.flags(jpeg=jpeg, compact=compact, sheet=sheet)
    words += [word for name in family or [] for word in ("--family", name)]
    words += ["--count", str(count), "--seed", str(seed)]
    code = options.in_environment("render", "posebowl.render", *words, as_json=json)
    if json and not code:
        images = sum(1 for _ in Path(out, "images").iterdir())
        options.print_json({"folder": out, "images": images, "seed": seed})
    return code


@command(
    name="check",
    help={
        "folder": "data folder (data/, or data/demo)",
        "deep": "decode every image",
        "json": JSON,
    },
)
def check_data(_: Context, folder: str = "", deep: bool = False, json: bool = False) -> None:
    """Say which data is in use and whether it is whole."""
    from posebowl.cli import options
    from posebowl.cli.views import tables
    from posebowl.data import check, folder as data_folder

    found = data_folder.find(resolve.load(data=folder).data)
    options.present(check(found, deep=deep), tables.data, as_json=json)


@command(
    name="unpack",
    positional=["archives"],
    iterable=["archives"],
    help={
        "archives": "the competition's tar files",
        "out": "data folder (data/)",
        "force": "write every file anew, over those that are there",
        "json": JSON,
    },
)
def unpack_data(
    _: Context, archives: list[str], out: str = "", force: bool = False, json: bool = False
) -> None:
    """Unpack the competition's archives into data/images."""
    from posebowl import paths
    from posebowl.cli import options
    from posebowl.cli.views import tables
    from posebowl.data import unpacker as unpacking

    options.required("data.unpack", archives=archives)
    target = resolve.load(data=out).data or paths.DATA
    done = unpacking.unpack([Path(name) for name in archives], target, force=force)
    options.present(done, tables.unpacked, as_json=json)


@command(
    name="format",
    help={
        "folder": "data folder (data/)",
        "force": "replace a submission_format.csv",
        "json": JSON,
    },
)
def format_data(_: Context, folder: str = "", force: bool = False, json: bool = False) -> None:
    """Make submission_format.csv from the labels."""
    from posebowl import paths
    from posebowl.challenge import FORMAT_FILE
    from posebowl.cli import options
    from posebowl.data import make_format

    root = resolve.load(data=folder).data or paths.DATA
    made = make_format(root, root / FORMAT_FILE, force=force)
    options.show({"path": made}, f"Wrote {paths.local(made)}", as_json=json)
