"""How programs end: errors in words, exit codes; and command lines read by declared options."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from posebowl import paths
from posebowl.errors import BadDataError, PoseBowlError, UsageError, Verdict
from posebowl.util import program
from posebowl.util.options import Option
from posebowl.util.values import FOLDER, TRUTH, choice, whole

HOST_FIX = "  fix: Check the path, its permissions and the disk.\n"


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Restore the handlers of signals that a program sets."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


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
                "error: /closed: Permission denied.\n"
                "  why: You do not have permission to do that there.\n"
                "  fix: Use a folder of yours, or check who may (type: ls -ld /).\n"
            ),
        ),
        (OSError("odd"), 1, f"error: odd.\n{HOST_FIX}"),
    ],
)
def test_errors_are_words_and_exit_codes(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.guard(raising(error)) == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (17, 17)])
def test_a_program_may_return_its_exit_code(
    returned: int | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.guard(lambda: returned) == code
    assert capsys.readouterr() == ("", "")


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        program.guard(raising(ZeroDivisionError()))


def test_errors_are_raised_for_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="Wrong"):
        program.guard(raising(UsageError("Wrong.")), debug=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code"), [(BadDataError("Torn.", why="w", fix="f"), 23), (KeyboardInterrupt(), 130)]
)
def test_errors_for_programs_go_to_stdout(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.guard(raising(error), as_json=True) == code
    said = capsys.readouterr()
    parts = json.loads(said.out)["error"]
    assert set(parts) == {"what", "why", "fix", "exit_code"}
    assert parts["exit_code"] == code
    assert all(parts.values())
    assert said.err.startswith(f"error: {parts['what']}")


def test_a_stopped_service_ends_like_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def main() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        return 0

    assert program.guard(main) == Verdict.INTERRUPTED.exit_code
    assert "Interrupted." in capsys.readouterr().err


def test_nohup_stays_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert program.guard(lambda: 0) == 0
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_reader_that_went_away_ends_a_program_quietly() -> None:
    line = "from posebowl.util import program; import sys; sys.exit(program.guard({}))"
    argv = [sys.executable, "-c", line.format("lambda: print('word ' * 100_000)")]
    with subprocess.Popen(
        argv, cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()
        assert started.stderr.read() == b""
    assert started.returncode == 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    out: Annotated[Path, Option(FOLDER, "where to")]
    count: Annotated[int, Option(whole(1, 24), "how many")] = 24
    only: Annotated[str, Option(choice(("photos", "cutouts")), "what")] = "photos"
    full: Annotated[bool, Option(TRUTH, "all")] = False
    family: Annotated[tuple[str, ...], Option(choice(("tug", "probe")), "which", many=True)] = ()
    place: Annotated[Path | None, Option(FOLDER, "from", positional=True)] = None


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("--out a", Asked(out=Path("a"))),
        ("--out=a --count 3 --full", Asked(out=Path("a"), count=3, full=True)),
        ("--family tug --out a --family probe", Asked(out=Path("a"), family=("tug", "probe"))),
        ("b --only cutouts --out a", Asked(out=Path("a"), only="cutouts", place=Path("b"))),
        ("--out a -- -b", Asked(out=Path("a"), place=Path("-b"))),
    ],
)
def test_a_command_line_fills_a_dataclass(line: str, asked: Asked) -> None:
    assert program.read(Asked, line.split(), task="data.render") == asked


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("--out a --count many", '--count must be a whole number of 1 or more, got "many".', ""),
        ("--out a --count 0", "--count must be at least 1, got 0.", "Type: --count 24"),
        ("--out a --only some", '--only must be photos or cutouts, got "some".', ""),
        ("--out a --only cutout", "--only must be photos or", "Type: --only cutouts"),
        ("--other", "Unrecognized arguments: --other.", "with --help lists the options."),
        ("--ou=a", "Unrecognized arguments: --ou=a.", "with --help lists the options."),
        ("--count", "--count: expected one argument.", "with --help lists the options."),
        ("--count 3", "data.render needs --out.", "Type: invoke data.render --out ~/folder"),
    ],
)
def test_what_is_wrong_is_a_sentence_with_a_way_on(line: str, what: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        program.read(Asked, line.split(), task="data.render")
    assert caught.value.what.startswith(what)
    assert caught.value.what.endswith(".")
    assert fix in caught.value.fix


GUARDED = "import sys; from posebowl.cli import output; "
GUARDED += "from posebowl.util import console, program; sys.exit(program.guard({}))"


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a device of Linux")
@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "shown", ["console.out.print('word')", "output.print_document('w' * 9**5)"]
)
def test_a_result_that_cannot_be_printed_is_a_sentence(shown: str, *, as_json: bool) -> None:
    line = GUARDED.format(f"lambda: {shown}, as_json={as_json}")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", line],
            cwd=paths.ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith("error: The result cannot be printed: No space")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes the streams")
def test_closed_streams_are_not_those_of_a_file_that_is_opened(tmp_path: Path) -> None:
    line = GUARDED.format("lambda: open('note', 'w').write('mine') and print('gone') or 7")
    argv = ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", sys.executable, "-c", line]
    paths_of = os.environ | {"PYTHONPATH": str(paths.ROOT)}
    assert subprocess.run(argv, cwd=tmp_path, env=paths_of, check=False).returncode == 7
    assert (tmp_path / "note").read_text() == "mine"
