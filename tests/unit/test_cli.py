"""What turns the library into tasks: errors in words, options read, results printed."""

from __future__ import annotations

import inspect
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import invoke
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from posebowl import cli, console, environments, process
from posebowl.challenge import LIMITS, Variant
from posebowl.engines.base import EngineName, Limit
from posebowl.errors import BadDataError, PoseBowlError, UsageError, Verdict
from posebowl.process import Completed


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Give back the handlers of signals that a task sets."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Catch all that is said."""
    caught = io.StringIO()
    made = Console(file=caught, highlight=False, emoji=False, soft_wrap=True, width=80)
    monkeypatch.setattr(console, "out", made)
    monkeypatch.setattr(console, "err", made)
    monkeypatch.setattr(sys, "argv", ["invoke", "task"])
    return caught


def raising(error: BaseException) -> Callable[[], int]:
    def task() -> int:
        raise error

    return task


HOST_FIX = "  fix: Check the path, its permissions and the disk.\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PoseBowlError("Broken.", fix="Mend it."), 1, "error: Broken.\n  fix: Mend it.\n"),
        (UsageError("Wrong."), 2, "error: Wrong.\n"),
        (BadDataError("Torn."), 23, "error: Torn.\n"),
        (KeyboardInterrupt(), 130, "Interrupted; nothing is left half-written.\n"),
        (BrokenPipeError(), 1, ""),
        (
            PermissionError(13, "Permission denied", "/closed"),
            1,
            f"error: /closed: Permission denied.\n{HOST_FIX}",
        ),
        (
            OSError("odd"),
            1,
            f"error: odd.\n{HOST_FIX}",
        ),
    ],
)
def test_errors_are_words_and_exit_codes(
    error: BaseException, code: int, said: str, screen: io.StringIO
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli._guarded(raising(error))()
    assert caught.value.code == code
    assert screen.getvalue() == said


@pytest.mark.parametrize("code", [None, 0])
def test_a_task_that_went_well_just_returns(code: int | None, screen: io.StringIO) -> None:
    assert cli._guarded(lambda: code)() is None
    assert screen.getvalue() == ""


def test_a_task_may_return_its_exit_code(screen: io.StringIO) -> None:
    with pytest.raises(SystemExit) as caught:
        cli._guarded(lambda: 17)()
    assert caught.value.code == 17
    assert screen.getvalue() == ""


def test_a_mistake_of_ours_is_not_hidden(screen: io.StringIO) -> None:
    with pytest.raises(ZeroDivisionError):
        cli._guarded(raising(ZeroDivisionError()))()
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("words", "debugging"),
    [
        (["invoke", "-d", "run"], True),
        (["invoke", "--debug", "run"], True),
        (["invoke", "-e", "-d", "run"], True),
        (["invoke", "run", "--debug"], True),
        (["invoke", "run"], False),
        (["invoke", "run", "-d", "folder"], False),
        (["invoke", "data.check", "-d"], False),
        (["invoke"], False),
    ],
)
def test_a_traceback_shows_only_when_invoke_debugs(
    words: list[str], debugging: bool, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(PoseBowlError if debugging else SystemExit):
        cli._guarded(raising(UsageError("Wrong.")))()
    assert screen.getvalue() == ("" if debugging else "error: Wrong.\n")


@pytest.mark.usefixtures("screen")
def test_a_stopped_service_ends_like_ctrl_c() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def task() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        return 0

    with pytest.raises(SystemExit) as caught:
        cli._guarded(task)()
    assert caught.value.code == Verdict.INTERRUPTED.exit_code


@pytest.mark.usefixtures("screen")
def test_nohup_stays_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cli._guarded(lambda: 0)()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_other_flags_keep_their_types() -> None:
    def task(_: invoke.Context, full: bool = False, name: str = "") -> None:
        raise AssertionError(full, name)

    parameters = inspect.signature(cli._guarded(task)).parameters
    assert parameters["full"].default is False
    assert parameters["name"].default == ""
    assert list(parameters) == ["_", "full", "name"]


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
