"""The words of the official runtime's Makefile, and what stands for each here.

They are those of the public repositories of DrivenData's code execution challenges, of which
spacecraft-pose-object-detection-runtime is one. docs/how-to/official-runtime.md shows the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from posebowl.errors import UsageError
from posebowl.util.text import show

TARGETS: Final = {
    "pack-example": "uv run invoke pack quickstart",
    "pack-quickstart": "uv run invoke pack quickstart",
    "pack-benchmark": "uv run invoke pack benchmark",
    "pack-submission": "uv run invoke pack NAME",
    "test-submission": "uv run nox -s test_submission-cpu",
    "test-container": "uv run nox -s test_packages-cpu",
    "interact-container": "uv run invoke shell",
    "update-lockfile": "uv lock",
    "update-lockfiles": "uv lock",
    "update-submodules": "git pull; there are no submodules",
}
"""`make TARGET`, and what to type; `build`, `pull` and `clean` have the same names here."""

VARIABLES: Final = {
    "BLOCK_INTERNET": "nothing; a run has no network unless you add --waive network",
    "CPU_OR_GPU": "--variant cpu or --variant gpu",
    "SKIP_GPU": "--variant cpu",
    "SUBMISSION_IMAGE": "--image NAME",
    "SUBMISSION_TRACK": "nothing; this is the detection track",
    "GITHUB_ACTIONS_NO_TTY": "nothing; a terminal is noticed",
}
"""`make NAME=VALUE`, and what to type."""


def target(word: str) -> str:
    """Return what to type in place of `make WORD`; nothing for a word that is not a target."""
    return TARGETS.get(word.replace("_", "-"), "")


def variable(words: Sequence[str]) -> UsageError | None:
    """Return the refusal of the first word that sets a variable of the official Makefile."""
    for word in words:
        name, equals, _ = word.partition("=")
        if equals and name in VARIABLES:
            return UsageError(
                f"{show(word)} is a setting of the official runtime's Makefile.",
                why="This project has options in place of variables behind a command.",
                fix=f"Type: {VARIABLES[name]}.",
            )
    return None
