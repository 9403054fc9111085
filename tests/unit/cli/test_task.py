"""Tasks: their options, the settings that they get, and how they are called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import pytest

from posebowl.challenge import EngineName
from posebowl.cli.catalog import TASKS
from posebowl.cli.task import Task, task
from posebowl.errors import UsageError
from posebowl.settings import Settings
from posebowl.util import program
from posebowl.util.options import SHORT, Option
from posebowl.util.values import PATH, TRUTH, whole

got: list[object] = []


@task("data.go", "engine", "cpus")
def go(
    settings: Settings,
    *,
    out: Annotated[Path, Option(PATH, "where to")],
    count: Annotated[int, Option(whole(1, 24), "how many")] = 24,
    full: Annotated[bool, Option(TRUTH, "all")] = False,
) -> int:
    """Go there.

    More of it.
    """
    got[:] = [settings.engine, settings.limits.cpus, out, count, full]
    return 3


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("POSEBOWL_")]:
        monkeypatch.delenv(name)


def test_a_task_says_what_it_is() -> None:
    assert (go.name, go.summary) == ("data.go", "Go there.")
    assert [option.name for option in go.options] == ["engine", "cpus", "out", "count", "full"]


def test_a_task_gets_values_and_settings() -> None:
    typed = {"out": "o", "count": "3", "engine": "docker", "cpus": None, "full": True}
    assert go(typed) == 3
    assert got == [EngineName.DOCKER, 3, Path("o"), 3, True]
    go({"out": "o"})
    assert got == [None, 3, Path("o"), 24, False]


def test_settings_of_the_environment_hold_where_no_flag_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBOWL_CPUS", "2")
    go({"out": "o"})
    assert got[1] == 2
    go({"out": "o", "cpus": "1"})
    assert got[1] == 1


@pytest.mark.parametrize("name", ["out", "count", "engine", "cpus"])
@pytest.mark.parametrize("text", ["", "\0"])
def test_a_flag_with_nothing_in_it_is_refused(name: str, text: str) -> None:
    got[:] = []
    with pytest.raises(UsageError, match=f"--{name} must be"):
        go({"out": "o", name: text})
    assert got == []


def test_another_process_is_asked_for_the_same() -> None:
    values = {"out": Path("o"), "count": 1, "full": True, "engine": EngineName.PODMAN, "cpus": 2}
    words = go.argv(values)
    assert words == ["--engine=podman", "--cpus=2", "--out=o", "--count=1", "--full"]
    go(vars(program.parser(go.options).parse_args(words)))
    assert got == [EngineName.PODMAN, 2, Path("o"), 1, True]


def numeric() -> list[tuple[Task, Option]]:
    """Return every option of every task that takes a number."""
    return [
        (one, option) for one in TASKS for option in one.options if option.kind.toml in {int, float}
    ]


def test_there_are_numbers() -> None:
    names = {f"{one.name} {option.flag}" for one, option in numeric()}
    assert names >= {
        "evaluate --shards", "data.render --workers", "data.render --count", "data.render --seed",
        "history --limit", "compare --top", "run --cpus", "run --memory", "run --time-limit",
        "benchmark.train --threads", "benchmark.train --minutes", "benchmark.train --pasted",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "option"), numeric(), ids=[f"{one.name} {option.flag}" for one, option in numeric()]
)
def test_every_number_is_checked_before_anything_is_done(one: Task, option: Option) -> None:
    """No task has a use for numbers below zero, for text, or for none; 0 reaches the check."""
    for text in ("-1", "abc", "", "nan", "1_0"):
        with pytest.raises(UsageError, match=f"{option.flag} must be .*, got .*"):
            one({option.name: text})
    zero_is_allowed = {"seed", "top", "pasted", "frozen", "history"} | {
        "history --limit",
        "budget_drop",
        "many",
    }
    if not zero_is_allowed.isdisjoint({option.name, f"{one.name} {option.flag}"}):
        assert option.read("0") == 0
    else:
        with pytest.raises(UsageError, match=f"{option.flag} must be .*, got .*0"):
            one({option.name: "0"})


def test_an_option_of_one_name_means_one_thing() -> None:
    letters = {SHORT[option.name]: option.name for one in TASKS for option in one.options
               if option.name in SHORT}  # fmt: skip
    assert letters == {"f": "force", "j": "json", "o": "out"}
    text = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    for letter, name in letters.items():
        assert f"| `-{letter}` | `--{name}` |" in text
