"""Tasks of everyday work on a solution: start one, and test it after each edit."""

from __future__ import annotations

from typing import Annotated

from posebowl.cli.options import BUDGET, OF_A_RUN, SOLUTION, Images, Json, Note
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.util.options import Option
from posebowl.util.values import TEXT, TRUTH


@task("test", *OF_A_RUN, *BUDGET, "budget_against")
def try_out(
    settings: Settings,
    *,
    name: Annotated[
        str, Option(SOLUTION, SOLUTION.expects, "the one tested last", positional=True)
    ] = "",
    limit: Images = None,
    note: Note = "",
    open: Annotated[bool, Option(TRUTH, "open the report in the browser")] = False,  # noqa: A002
    watch: Annotated[
        bool, Option(TRUTH, "test again whenever a file of the solution changes")
    ] = False,
    json: Json = False,
) -> int:
    """Pack a solution, check it, run it, score it, and show the result."""
    from posebowl.cli import trial

    trying = trial.Trial(settings=settings, limit=limit, note=note, opens_report=open, as_json=json)
    folder = trial.chosen(name, settings)
    return trying.repeat(folder) if watch else trying.once(folder)


@task("debug", "data", "variant", "engine", "memory", "cpus")
def debug(
    settings: Settings,
    *,
    name: Annotated[
        str, Option(SOLUTION, SOLUTION.expects, "the one tested last", positional=True)
    ] = "",
    limit: Images = None,
) -> int:
    """Run a solution here, without a time limit; pdb opens where it fails."""
    import tempfile
    from pathlib import Path

    from posebowl.cli import trial
    from posebowl.cli.inside import Visit
    from posebowl.submission import packer

    folder = trial.chosen(name, settings)
    with tempfile.TemporaryDirectory(prefix="posebowl-debug-") as scratch:
        packed = packer.pack(folder, Path(scratch) / "submission.zip")
        Path(scratch).chmod(0o755)
        return Visit(
            settings=settings,
            archive=packed.path,
            imports=packed.archive.imports,
            command="exec sh main.sh",
            terminal=True,
            debugger=True,
            most_images=limit,
        ).make()


@task("new")
def new(
    *,
    name: Annotated[str, Option(TEXT, "name of the new folder in solutions/", positional=True)],
    from_: Annotated[str, Option(SOLUTION, "the solution to copy")] = "template",
    json: Json = False,
) -> None:
    """Start a solution of your own: a copy of the template, or of another one."""
    from posebowl.cli import output
    from posebowl.submission import start_solution
    from posebowl.util import hints

    made = start_solution(name, source=from_)
    text = f"Made {hints.local(made)}. Edit main.py in it, then type: uv run invoke test {name}"
    output.present_text({"path": made}, text, as_json=json)
