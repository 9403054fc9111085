"""What turns a function into a task: errors in words, exit codes, flags with their types."""

from __future__ import annotations

import inspect
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator

import invoke
import pytest
from rich.console import Console

from posebowl.cli import task as command
from posebowl.errors import BadDataError, PoseBowlError, UsageError, Verdict
from posebowl.util import console


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
        (
            KeyboardInterrupt(),
            130,
            (
                "error: Interrupted.\n"
                "  why: Ctrl-C, or a signal to end; nothing is left half-written.\n"
                "  fix: Type the same command again.\n"
            ),
        ),
        (BrokenPipeError(), 1, ""),
        (
            PermissionError(13, "Permission denied", "/closed"),
            1,
            (
                "error: /closed: Permission denied.\n  why: You have no right to do that there.\n"
                "  fix: Take a folder of yours, or see who may (type: ls -ld /).\n"
            ),
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
        command._guarded(raising(error))()
    assert caught.value.code == code
    assert screen.getvalue() == said


@pytest.mark.parametrize("code", [None, 0])
def test_a_task_that_went_well_just_returns(code: int | None, screen: io.StringIO) -> None:
    assert command._guarded(lambda: code)() is None
    assert screen.getvalue() == ""


def test_a_task_may_return_its_exit_code(screen: io.StringIO) -> None:
    with pytest.raises(SystemExit) as caught:
        command._guarded(lambda: 17)()
    assert caught.value.code == 17
    assert screen.getvalue() == ""


def test_a_mistake_of_ours_is_not_hidden(screen: io.StringIO) -> None:
    with pytest.raises(ZeroDivisionError):
        command._guarded(raising(ZeroDivisionError()))()
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
        command._guarded(raising(UsageError("Wrong.")))()
    assert screen.getvalue() == ("" if debugging else "error: Wrong.\n")


@pytest.mark.usefixtures("screen")
def test_a_stopped_service_ends_like_ctrl_c() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def task() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        return 0

    with pytest.raises(SystemExit) as caught:
        command._guarded(task)()
    assert caught.value.code == Verdict.INTERRUPTED.exit_code


@pytest.mark.usefixtures("screen")
def test_nohup_stays_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    command._guarded(lambda: 0)()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_other_flags_keep_their_types() -> None:
    def task(_: invoke.Context, full: bool = False, name: str = "") -> None:
        raise AssertionError(full, name)

    parameters = inspect.signature(command._guarded(task)).parameters
    assert parameters["full"].default is False
    assert parameters["name"].default == ""
    assert list(parameters) == ["_", "full", "name"]


@pytest.mark.parametrize(
    ("error", "code"), [(BadDataError("Torn.", why="w", fix="f"), 23), (KeyboardInterrupt(), 130)]
)
def test_errors_for_programs_go_to_stdout(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def task(*, json: bool) -> int:
        assert json
        raise error

    with pytest.raises(SystemExit) as caught:
        command._guarded(task)(json=True)
    assert caught.value.code == code
    said = capsys.readouterr()
    parts = json.loads(said.out)["error"]
    assert set(parts) == {"what", "why", "fix", "exit_code"}
    assert parts["exit_code"] == code
    assert all(parts.values())
    assert said.err.startswith(f"error: {parts['what']}")
