"""A program on a terminal of its own, seen through another one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from posebowl import paths
from tests.keyboard import Keyboard

RELAY = """
import sys
from posebowl.util import terminal
from pathlib import Path
argv = [sys.executable, "-I", "-S", "-c", sys.argv[1]]
with Path(sys.argv[2]).open("wb") as errors:
    code = terminal.run(argv, errors=errors)
import termios
mode = termios.tcgetattr(0)[3]
print("cooked" if mode & termios.ICANON and mode & termios.ECHO else "raw", code)
"""
OWN = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"


@pytest.fixture
def errors(tmp_path: Path) -> Path:
    return tmp_path / "errors"


def relayed(code: str, errors: Path) -> Keyboard:
    """Run Python on a terminal behind this one; it has it as its own, as a sandbox takes it."""
    return Keyboard([sys.executable, "-c", RELAY, OWN + code, str(errors)], cwd=paths.ROOT)


def test_what_is_typed_arrives_and_what_is_printed_is_shown(errors: Path) -> None:
    code = (
        "import sys\nprint('name?')\nprint(sys.stdin.isatty(), input() * 2)\n"
        "print('no', file=sys.stderr)\nsys.exit(7)"
    )
    with relayed(code, errors) as keyboard:
        keyboard.hear("name?")
        keyboard.type("ab\n")
        keyboard.hear("True abab")
        keyboard.hear("cooked 7")
        assert keyboard.end() == 0
    assert errors.read_text() == "no\n"


def test_ctrl_c_is_a_key_for_the_program(errors: Path) -> None:
    code = (
        "import time\ntry:\n    print('sleeps')\n    time.sleep(100)\n"
        "except KeyboardInterrupt: print('caught')"
    )
    with relayed(code, errors) as keyboard:
        keyboard.hear("sleeps")
        keyboard.type("\x03")
        keyboard.hear("caught")
        keyboard.hear("cooked 0")
        assert keyboard.end() == 0


def test_the_size_of_the_window_is_passed_on(errors: Path) -> None:
    code = (
        "import os, signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])\n"
        "print(os.get_terminal_size(), flush=True)\n"
        "while 'columns=80,' in str(os.get_terminal_size()): signal.sigwait([signal.SIGWINCH])\n"
        "print(os.get_terminal_size())"
    )
    with relayed(code, errors) as keyboard:
        keyboard.hear("columns=80, lines=24")
        keyboard.resize(50, 132)
        keyboard.hear("columns=132, lines=50")
        keyboard.hear("cooked 0")
        assert keyboard.end() == 0


def test_the_terminal_is_restored_when_this_program_is_ended(errors: Path) -> None:
    code = "import os, signal, time\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(100)"
    handler = "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
    argv = [sys.executable, "-c", handler + RELAY]
    with Keyboard([*argv, OWN + code, str(errors)], cwd=paths.ROOT) as keyboard:
        keyboard.hear("KeyboardInterrupt")
        assert keyboard.end() != 0
