"""What measures a solution, on a real engine: stress, and the action that compares two versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import EngineName
from posebowl.engines import select
from tests.container.conftest import skip_unless_usable
from tests.typed import invoke

pytestmark = pytest.mark.container

ENGINE = "embedded"
MIDDLE = (
    "sed s/,0,0,0,0/,480,384,800,640/ ../data/submission_format.csv >../submission/submission.csv"
)
NOWHERE = "cp ../data/submission_format.csv ../submission/submission.csv"
BY_ORDER = (
    "awk -F, 'NR > 1 { $2 = NR; $4 = 900; $5 = 900 } { print }' OFS=, "
    "../data/submission_format.csv >../submission/submission.csv"
)


@pytest.fixture(autouse=True)
def embedded() -> None:
    skip_unless_usable(select.make(EngineName(ENGINE)))


def test_stress_finds_that_answers_follow_the_order(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("main.sh", BY_ORDER)
    line = f"stress a.zip --engine {ENGINE} --limit 3 --many 5 --json"
    done = invoke(*line.split(), cwd=tmp_path, POSEBOWL_DATA=str(paths.DEMO_DATA))
    outcomes = {row["name"]: row for row in json.loads(done.stdout)}
    assert {row["verdict"] for row in outcomes.values()} == {"OK"}
    assert {name for name, row in outcomes.items() if row["changed"]} == {"renamed", "one", "many"}
    assert done.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    argv = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(("budget", "code"), [({}, 0), ({"POSEBOWL_BUDGET_DROP": "0.01"}, 30)])
def test_the_action_compares_a_pull_request_with_its_base(
    budget: dict[str, str], code: int, tmp_path: Path
) -> None:
    main = tmp_path / "work" / "mine" / "main.sh"
    main.parent.mkdir(parents=True)
    git(tmp_path, "init", "--quiet", "work")
    main.write_text(f"{MIDDLE}\n")
    git(main.parent, "add", ".")
    git(main.parent, "commit", "--quiet", "--message", "one")
    main.write_text(f"{NOWHERE}\n")
    summary, outputs = tmp_path / "summary.md", tmp_path / "outputs"
    given = {
        "SOLUTION": "mine",
        "BEFORE": git(main.parent, "rev-parse", "HEAD"),
        "DATA": "",
        "ENGINE": ENGINE,
        "OPTIONS": "--cpus=1\n",
        "TOKEN": "",
        "GITHUB_ACTION_PATH": str(paths.ROOT),
        "GITHUB_WORKSPACE": str(tmp_path / "work"),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_OUTPUT": str(outputs),
        "RUNNER_TEMP": str(tmp_path),
        # The environment of the tests stays as it is.
        "UV_NO_SYNC": "1",
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "POSEBOWL_DATA": str(paths.DEMO_DATA),
    }
    done = subprocess.run(
        [paths.ROOT / ".ci" / "compare_submission"],
        env={**os.environ, **given, **budget},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert outputs.read_text() == "verdict=OK\nmean-iou=0.0\n"
    shown = summary.read_text()
    assert "| Mean IoU | 0.0310 | 0.0000 | -0.0310 (worse) |" in shown
    assert ("**exceeded**" in shown) == bool(code)
    assert (tmp_path / "pose-bowl" / "report.html").is_file()
