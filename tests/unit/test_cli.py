"""What tasks share: options read, results printed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from posebowl import cli, console, environments, process
from posebowl.challenge import LIMITS, Variant
from posebowl.engines.base import EngineName, Limit
from posebowl.errors import UsageError
from posebowl.process import Completed


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Catch all that is said."""
    caught = io.StringIO()
    made = Console(file=caught, highlight=False, emoji=False, soft_wrap=True, width=80)
    monkeypatch.setattr(console, "out", made)
    return caught


def test_one_of() -> None:
    assert cli.one_of(Variant, "gpu", "variant") is Variant.GPU
    for text in ("", "GPU", "tpu"):
        with pytest.raises(UsageError, match="--variant is ") as caught:
            cli.one_of(Variant, text, "variant")
        assert caught.value.fix == "Choose one of: cpu, gpu."


def test_engine() -> None:
    assert cli.engine("auto") is None
    assert cli.engine("podman") is EngineName.PODMAN
    with pytest.raises(UsageError, match="--engine is 'lxc'") as caught:
        cli.engine("lxc")
    assert caught.value.fix == "Choose one of: auto, docker, podman, embedded."


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", set()),
        ("memory", {Limit.MEMORY}),
        ("memory, wall-time", {Limit.MEMORY, Limit.WALL_TIME}),
        ("cpus,,cpus,", {Limit.CPUS}),
    ],
)
def test_waived(text: str, limits: set[Limit]) -> None:
    assert cli.waived(text) == limits


def test_waived_by_a_wrong_name() -> None:
    with pytest.raises(UsageError, match="--waive is 'disk'"):
        cli.waived("memory,disk")


@pytest.mark.parametrize("variant", list(Variant))
def test_limits_are_the_variant_s_unless_changed(variant: Variant) -> None:
    assert cli.limits(variant, time_limit="", memory="", cpus=0) == LIMITS[variant]
    changed = cli.limits(variant, time_limit="10m", memory="512m", cpus=1)
    assert (changed.wall_time_s, changed.memory_bytes, changed.cpus) == (600, 512 << 20, 1)
    assert changed.output_bytes == LIMITS[variant].output_bytes


@pytest.mark.parametrize(
    "wrong", [{"time_limit": "soon"}, {"memory": "lots"}, {"memory": "0"}, {"cpus": -1}]
)
def test_limits_that_are_none(wrong: dict[str, object]) -> None:
    options = {"time_limit": "", "memory": "", "cpus": 0} | wrong
    with pytest.raises(UsageError) as caught:
        cli.limits(Variant.CPU, **options)  # type: ignore[arg-type]
    assert caught.value.fix


def test_existing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.existing("", Path("default")) == Path("default")
    assert cli.existing("a/b", Path("default")) == Path("a/b")
    assert cli.existing("~/b", Path("default")) == tmp_path / "b"


def test_local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert cli.local(here / "a" / "b") == Path("a/b")
    assert cli.local(Path("a")) == Path("a")
    assert cli.local(here) == Path()
    assert cli.local(tmp_path / "else") == tmp_path / "else"
    assert cli.local(Path("../else")) == Path("../else")


def test_json_is_for_programs(screen: io.StringIO) -> None:
    value = {"path": Path(":smile:/[red]x[/]"), "long": "word " * 100, "odd": "\x1b"}
    cli.print_json(value)
    assert json.loads(screen.getvalue()) == {**value, "path": str(value["path"])}


def test_solution_or_source(tmp_path: Path) -> None:
    assert cli.solution_folder("", str(tmp_path)) == tmp_path
    assert cli.solution_folder("quickstart", "").name == "quickstart"
    for both in (("", ""), ("quickstart", str(tmp_path))):
        with pytest.raises(UsageError, match="either --solution NAME or --source DIR"):
            cli.solution_folder(*both)
    with pytest.raises(UsageError, match="no solution named"):
        cli.solution_folder("[red]x[/]", "")


def test_required() -> None:
    cli.required("push", registry="r", other=1)
    with pytest.raises(UsageError, match="push needs --a-registry") as caught:
        cli.required("push", variant="cpu", a_registry="")
    assert caught.value.fix == "Type: invoke --help push"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"out": "x y", "seed": 3}, ["--out", "x y", "--seed", "3"]),
        ({"one_look": True, "force": False}, ["--one-look"]),
        ({"a": None, "b": "", "c": 0, "d": False}, []),
        ({"one": 1, "half": 0.5}, ["--one", "1", "--half", "0.5"]),
        ({"out": Path("p")}, ["--out", "p"]),
    ],
)
def test_flags(options: dict[str, object], words: list[str]) -> None:
    assert cli.flags(**options) == words


@given(st.dictionaries(st.sampled_from(["a", "b_c", "out"]), st.text(min_size=1), max_size=3))
def test_flags_keep_every_text_as_one_word(options: dict[str, str]) -> None:
    words = cli.flags(**options)
    assert words[1::2] == list(options.values())
    assert words[::2] == [f"--{name.replace('_', '-')}" for name in options]


def test_a_module_runs_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def run(argv: list[str], **options: object) -> Completed:
        asked.extend([argv, options["capture"], options["check"]])
        return Completed(argv=(), returncode=5, stdout="", stderr="")

    monkeypatch.setattr(environments, "ensure", lambda group, **_: Path("/envs", group))
    monkeypatch.setattr(process, "run", run)
    assert cli.in_environment("render", "posebowl.render", "--count", "3") == 5
    argv = ["/envs/render/bin/python", "-m", "posebowl.render", "--count", "3"]
    assert asked == [argv, False, False]
