"""Options that several tasks have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from posebowl import paths
from posebowl.util.options import Option
from posebowl.util.values import FILE, FOLDER, TEXT, TRUTH, Kind, whole

SOLUTION: Final = Kind(
    expects="the name of a folder in solutions/, or any folder",
    example="benchmark",
    read=TEXT.read,
    suggest=lambda: sorted(script.parent.name for script in paths.SOLUTIONS.glob("*/main.sh")),
)
ZIP = Annotated[Path | None, Option(FILE, "the zip", "submission/submission.zip", positional=True)]
ZIP_TO_UNPACK = Annotated[
    Path | None, Option(FILE, "a submission to unpack first", positional=True)
]
FOLDER_OF_RESULTS = Annotated[Path | None, Option(FOLDER, "folder of the results", "submission/")]
DATA_FOLDER = Annotated[Path | None, Option(FOLDER, "data folder", "data/, or data/demo")]
Json = Annotated[bool, Option(TRUTH, "print the result as JSON on stdout")]
Images = Annotated[
    int | None,
    Option(whole(1, 5), "only so many images, chosen evenly by name: a quick look", "all"),
]
Note = Annotated[str, Option(TEXT, "what you tried: shown in the history, report and comparison")]
OF_A_RUN: Final = (
    "data",
    "variant",
    "engine",
    "time_limit",
    "memory",
    "cpus",
    "full",
    "allow_cpu",
    "runtime",
    "image",
    "waive",
)
"""The settings that a task which runs a submission has as flags."""
BUDGET: Final = ("budget_time", "budget_memory", "budget_mean_iou", "budget_drop")
"""The settings that a task which judges a run has as flags."""
Force = Annotated[bool, Option(TRUTH, "overwrite what already exists")]
