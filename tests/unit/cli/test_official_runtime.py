"""What people type who know the official runtime."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.cli import official_runtime
from posebowl.cli.catalog import TASKS
from tests.typed import invoke

PAGE = (paths.ROOT / "docs/how-to/official-runtime.md").read_text()


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("test-submission", "uv run nox -s test_submission-cpu"),
        ("test_submission", "uv run nox -s test_submission-cpu"),
        ("pack-benchmark", "uv run invoke pack benchmark"),
        ("interact-container", "uv run invoke shell"),
    ],
)
def test_a_target_is_answered_with_the_command(word: str, fix: str, tmp_path: Path) -> None:
    done = invoke(word, cwd=tmp_path)
    assert done.returncode == 2
    assert f"Type: {fix}; " in done.stderr


@pytest.mark.parametrize("words", ["run CPU_OR_GPU=gpu", "CPU_OR_GPU=gpu run", "run --json x=1"])
def test_a_variable_is_answered_with_the_option(words: str, tmp_path: Path) -> None:
    done = invoke(*words.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert ("--variant gpu" in done.stderr) == ("CPU_OR_GPU" in words)


def test_the_page_has_every_word() -> None:
    targets = set(re.findall(r"`make ([\w-]+)`", PAGE))
    assert set(official_runtime.TARGETS) - {"update-lockfiles"} <= targets
    variables = set(re.findall(r"^\| `([A-Z_]+)=", PAGE, re.MULTILINE))
    assert set(official_runtime.VARIABLES) - {"GITHUB_ACTIONS_NO_TTY"} == variables


def test_what_is_to_be_typed_exists() -> None:
    offered = [*official_runtime.TARGETS.values(), *re.findall(r"`(uv run [^`]+)`", PAGE)]
    named = {word for text in offered for word in re.findall(r"uv run invoke ([\w.]+)", text)}
    assert named <= {task.name for task in TASKS}
    sessions = re.findall(
        r'name="([\w-]+)"|def (\w+)\(session', (paths.ROOT / "noxfile.py").read_text()
    )
    known = {name for pair in sessions for name in pair}
    typed = {word for text in offered for word in re.findall(r"nox -s ([\w-]+)", text)}
    assert typed <= known
