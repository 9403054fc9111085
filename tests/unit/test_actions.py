"""What runs on GitHub: the action at the root, and the workflows in the documentation."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from posebowl import paths

ACTION = paths.ROOT / "action.yml"
SCRIPT = paths.ROOT / ".ci" / "compare_submission"
TEXTS = [ACTION, *(paths.ROOT / ".github").rglob("*.yml"), *(paths.ROOT / "docs").rglob("*.md")]


def test_foreign_actions_are_pinned_by_hash_with_their_version() -> None:
    used = [line for path in TEXTS for line in re.findall(r"uses: (?!\./).*", path.read_text())]
    assert used
    for line in used:
        assert re.fullmatch(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_no_expression_is_in_a_script() -> None:
    scripts = ACTION.read_text().split("run: ")[1:]
    assert scripts
    assert not any("${{" in script.partition("\n    -")[0] for script in scripts)


def test_inputs_of_the_action_are_what_the_script_reads() -> None:
    given = set(re.findall(r"^        ([A-Z]+): \$\{\{", ACTION.read_text(), re.MULTILINE))
    read = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", SCRIPT.read_text()))
    foreign = {name for name in read if not name.startswith(("GITHUB_", "RUNNER_"))}
    assert given == foreign


@pytest.mark.parametrize("before", ["main", "--upload-pack=x", "0123; true", "A" * 40])
def test_only_the_hash_of_a_commit_is_fetched(before: str, tmp_path: Path) -> None:
    given = {"SOLUTION": "s", "BEFORE": before, "DATA": "", "ENGINE": "embedded", "OPTIONS": ""}
    places = dict.fromkeys(("GITHUB_WORKSPACE", "RUNNER_TEMP", "GITHUB_ACTION_PATH"), str(tmp_path))
    done = subprocess.run(
        [SCRIPT], env=os.environ | given | places, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "the hash of a commit" in done.stdout
    assert list(tmp_path.iterdir()) == []
