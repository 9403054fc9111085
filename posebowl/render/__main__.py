"""The command line of the renderer: `python -m posebowl.render --count N --seed S --out DIR`."""

from __future__ import annotations

from posebowl.errors import StoppedError
from posebowl.render.contact_sheet import write_sheet
from posebowl.render.dataset import render_dataset
from posebowl.render.families import HELD_OUT
from posebowl.render.options import RenderOptions
from posebowl.util import console, program

SHEET_IMAGES = 48


def main(options: RenderOptions) -> None:
    """Render a set.

    Raises:
        UsageError: The options are unusable.
        StoppedError: It was interrupted; finished images are kept.
    """
    options.check()
    try:
        rows = render_dataset(
            options.out,
            count=options.count,
            seed=options.seed,
            workers=options.workers,
            families=chosen(options),
            meshes=options.meshes,
            imagery=options.imagery,
            longitudes=options.longitudes,
            backdrops=options.backdrops,
            only=options.only,
            jpeg=options.jpeg,
            compact=options.compact,
            remodel=options.remodel,
        )
    except KeyboardInterrupt:
        raise StoppedError(
            "Interrupted.",
            why="Finished images are kept.",
            fix="Type the same command again to continue.",
        ) from None
    if options.sheet is not None:
        write_sheet(options.sheet, options.out, rows[:SHEET_IMAGES], jpeg=options.jpeg)
    console.out.print(f"{len(rows)} images in {options.out}", markup=False)


def chosen(options: RenderOptions) -> tuple[str, ...] | None:
    """Return the families that options ask for; None for the training families."""
    return options.family or (tuple(HELD_OUT) if options.held_out else None)


if __name__ == "__main__":
    program.run(main, RenderOptions, task="data.render")
