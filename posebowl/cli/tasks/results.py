"""Tasks for runs that are over: list them, compare two."""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from posebowl.cli.task import JSON, command
from posebowl.settings import resolve

FOLDER = "the folder of the results (submission/)"


@command(help={"limit": "how many at most, 0 for all (20)", "folder": FOLDER, "json": JSON})
def history(_: Context, limit: int = 20, folder: str = "", json: bool = False) -> None:
    """List the runs that were kept, the newest first."""
    from posebowl.cli import options
    from posebowl.cli.views import runs as runs_shown
    from posebowl.errors import UsageError
    from posebowl.results import history as kept
    from posebowl.util import console
    from posebowl.util.text import first_few

    if limit < 0:
        raise UsageError(
            f"--limit is {limit}.",
            why="It is a number of runs.",
            fix="Give 1 or more, or 0 for all.",
        )
    place = options.existing(folder, resolve.load().submission)
    runs, broken = kept.runs(place)
    shown = runs[:limit] if limit else runs
    if broken:
        console.warn(
            f"Left out, for their result.json is broken: {first_few(broken, len(broken))}."
        )
    if json:
        options.print_json(runs_shown.history_rows(shown))
    else:
        runs_shown.history(shown, more=len(runs) - len(shown), folder=place)


@command(
    positional=["before", "after"],
    help={
        "before": "a run: id or the begin of one, last, previous, or a folder with result.json",
        "after": "another one",
        "html": "also write the comparison as a page to this file",
        "top": "images named of those that gained and lost most (12)",
        "force": "replace a page that is there",
        "folder": FOLDER,
        "json": JSON,
    },
)
def compare(
    _: Context,
    before: str,
    after: str,
    html: str = "",
    top: int = 12,
    force: bool = False,
    folder: str = "",
    json: bool = False,
) -> None:
    """Say what changed from one run to another."""
    from shlex import quote

    from posebowl.cli import options
    from posebowl.cli.views import runs as runs_shown
    from posebowl.errors import UsageError
    from posebowl.report import comparison
    from posebowl.results import comparison as comparing, history as kept
    from posebowl.util.files import refuse_existing

    if top < 0:
        raise UsageError(f"--top is {top}.", why="It is a number of images.", fix="Give 0 or more.")
    options.required("compare", before=before, after=after)
    page = Path(html).expanduser() if html else None
    if page is not None and page.is_dir():
        inside = page / "compare.html"
        raise UsageError(f"{page} is a folder.", fix=f"Type: --html {quote(str(inside))}")
    if page is not None:
        refuse_existing(page, force=force)
    place = options.existing(folder, resolve.load().submission)
    one, two = kept.find(before, place), kept.find(after, place)
    found = comparing.compare(one, two, top=top)
    if page is not None:
        comparison.write(page, found, one, two)
    if json:
        options.print_json(found)
        return
    runs_shown.comparison(found)
    if page is not None:
        runs_shown.written(page)
