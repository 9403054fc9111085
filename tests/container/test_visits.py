"""`invoke shell` and `invoke debug` as people use them: on a terminal, on each engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import EngineName
from posebowl.engines import Engine
from posebowl.engines.oci import argv as oci_argv, client as oci_client
from posebowl.engines.oci.container import Container
from posebowl.settings import resolve
from posebowl.util.process_identity import owner
from tests.keyboard import Keyboard

pytestmark = pytest.mark.container

MAIN = """
def predict(boxes):
    scale = 0
    return boxes / scale

answer = 41
predict(answer)
"""


@pytest.fixture
def engine(engine: Engine) -> EngineName:
    """Return the name of each engine in turn, as it is typed."""
    return engine.name


@pytest.fixture
def solution(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "main.sh").write_text("python main.py\n")
    (folder / "main.py").write_text(MAIN)
    return folder


def argv(*words: str) -> list[str]:
    return [sys.executable, "-m", "invoke", "--search-root", str(paths.ROOT), *words]


def test_pdb_opens_where_main_py_fails(engine: EngineName, solution: Path) -> None:
    words = argv("debug", str(solution), "--engine", engine, "--limit", "3")
    with Keyboard(words, cwd=solution) as keyboard:
        keyboard.hear("ZeroDivisionError")
        for typed, heard in (
            ("p scale", "0"),
            ("u", "-> predict(answer)"),
            ("p answer + 1", "42"),
            ("import os; len(os.listdir('../data/images'))", "3"),
            ("open('../submission/x', 'w').write('yes')", "3"),
            ("os.listdir('../data')", "images"),
        ):
            keyboard.hear("(Pdb) ")
            keyboard.type(f"{typed}\n")
            keyboard.hear("\n")  # what was typed, as it is echoed
            keyboard.hear(heard)
        keyboard.hear("(Pdb) ")
        keyboard.type("q\n")
        assert keyboard.end() == 1
    assert [path.name for path in solution.parent.iterdir()] == ["mine"]


def test_a_breakpoint_stops_and_ctrl_c_ends(engine: EngineName, solution: Path) -> None:
    code = "import sys, time\nx = 41\nbreakpoint()\nx += 1\nsys.exit(x)\n"
    (solution / "main.py").write_text(code)
    words = argv("debug", str(solution), "--engine", engine)
    with Keyboard(words, cwd=solution) as keyboard:
        keyboard.hear("(Pdb) ")
        keyboard.type("c\n")
        assert keyboard.end() == 42
    (solution / "main.py").write_text("import time\nprint('sle' 'eps')\ntime.sleep(1000)\n")
    with Keyboard(words, cwd=solution) as keyboard:
        keyboard.hear("sleeps")
        keyboard.type("\x03")
        keyboard.hear("KeyboardInterrupt")
        assert keyboard.end() != 0


def test_a_shell_is_where_main_would_be(engine: EngineName, solution: Path) -> None:
    with Keyboard(argv("shell", "--engine", engine), cwd=solution) as keyboard:
        keyboard.hear("$ ")
        keyboard.type("ls ..; pwd; echo $((6*7)); sh -c 'echo o''n; exec sleep 1000'\n")
        keyboard.hear("submission")
        keyboard.hear("/code_execution/workdir\r\n")
        keyboard.hear("42")
        keyboard.hear("on\r\n")
        keyboard.type("\x03")
        keyboard.hear("$ ")
        keyboard.type("exit 9\n")
        assert keyboard.end() == 9


def test_a_command_needs_no_terminal(engine: EngineName, solution: Path) -> None:
    packed = subprocess.run(
        argv("pack", ".", "--out", "../a.zip"), cwd=solution, capture_output=True, check=True
    )
    assert packed.returncode == 0
    command = "ls; python -c 'import socket; socket.create_connection((\"1.1.1.1\", 53))'; exit 9"
    done = subprocess.run(
        argv("shell", "../a.zip", "--engine", engine, "--command", command),
        cwd=solution,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9
    assert done.stdout.split() == ["main.py", "main.sh"]
    assert "OSError" in done.stderr  # the network is unreachable


def test_a_terminal_that_closes_leaves_nothing(engine: EngineName, solution: Path) -> None:
    """The client of an engine ends with the terminal, but its container went on."""
    with Keyboard(argv("shell", "--engine", engine), cwd=solution) as keyboard:
        keyboard.hear("$ ")
        keyboard.hang_up()
        assert keyboard.wait() != 0
    mine = f"{owner().rpartition(':')[0].rpartition(':')[0]}:{keyboard.pid}:"
    folders = resolve.load().cache / "shells"
    assert not list(folders.glob(mine.replace(":", "+") + "*"))
    if engine is not EngineName.EMBEDDED:
        client = oci_client.connect(engine)
        for name in client.run(*oci_argv.listing()).stdout.split():
            labels = Container(client=client, name=name).labels() or {}
            assert not labels[oci_argv.OWNER_LABEL].startswith(mine)
