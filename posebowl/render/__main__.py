"""The command line of the renderer: `python -m posebowl.render --count N --seed S --out DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from posebowl.errors import PoseBowlError
from posebowl.render.contact_sheet import check_sheet, write_sheet
from posebowl.render.dataset import render_dataset
from posebowl.render.families import FAMILIES, HELD_OUT
from posebowl.render.image import Only
from posebowl.util import console, os_errors
from posebowl.util.parser import Parser

SHEET_IMAGES = 48


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    make = Parser(task="data.render", prog="python -m posebowl.render", description=__doc__)
    make.add_argument("--count", type=int, required=True, help="how many images")
    make.add_argument("--seed", type=int, required=True, help="which set; same seed, same pixels")
    make.add_argument("--out", type=Path, required=True, help="folder: new, empty, or to continue")
    make.add_argument("--workers", type=int, help="processes; by default one a core")
    which = make.add_mutually_exclusive_group()
    which.add_argument(
        "--family", action="append", choices=list(FAMILIES), help="only these; may be repeated"
    )
    which.add_argument(
        "--held-out",
        action="store_const",
        const=list(HELD_OUT),
        dest="family",
        help="the families that are never trained on; by default those that are",
    )
    make.add_argument(
        "--only",
        choices=[str(only) for only in Only],
        default=Only.PHOTOS,
        help="photos (default), spacecraft alone as RGBA PNGs, or photos without a spacecraft",
    )
    make.add_argument("--jpeg", action="store_true", help="write JPEG: smaller, for training sets")
    make.add_argument(
        "--compact", action="store_true", help="few noisy images, so that PNGs are small"
    )
    make.add_argument("--sheet", type=Path, help="also write a contact sheet with the boxes drawn")
    return make


def main(argv: Sequence[str] | None = None) -> int:
    """Render a set as the command line says, and return the exit code."""
    try:
        options = parser().parse_args(argv)
        if options.sheet is not None:
            check_sheet(options.sheet)
        rows = render_dataset(
            options.out,
            count=options.count,
            seed=options.seed,
            workers=options.workers,
            families=options.family,
            only=Only(options.only),
            jpeg=options.jpeg,
            compact=options.compact,
        )
        if options.sheet is not None:
            write_sheet(options.sheet, options.out, rows[:SHEET_IMAGES], jpeg=options.jpeg)
    except PoseBowlError as error:
        console.show_error(error)
        return error.exit_code
    except OSError as error:
        why, fix = os_errors.explain(error)
        problem = PoseBowlError(f"{error.filename}: {error.strerror}.", why=why, fix=fix)
        console.show_error(problem)
        return problem.exit_code
    except KeyboardInterrupt:
        console.note("Interrupted. What is done is kept: the same command continues.")
        return 130
    console.out.print(f"{len(rows)} images in {options.out}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
