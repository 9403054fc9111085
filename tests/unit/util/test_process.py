"""The wrapper around helper programs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from posebowl.util import console, process
from posebowl.util.process import ProcessError

PYTHON = sys.executable


def test_output_and_code_come_back() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = process.run([PYTHON, "-c", code], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert done.argv == (PYTHON, "-c", code)


def test_words_are_never_read_by_a_shell(tmp_path: Path) -> None:
    done = process.run([PYTHON, "-c", "import sys; print(sys.argv[1:])", "$(id) *; x", tmp_path])
    assert done.stdout == f"{['$(id) *; x', str(tmp_path)]}\n"


def test_a_program_reads_nothing_unless_told(tmp_path: Path) -> None:
    code = "import sys; print(repr(sys.stdin.read()))"
    assert process.run([PYTHON, "-c", code]).stdout == "''\n"
    (tmp_path / "in").write_text("hello")
    with (tmp_path / "in").open("rb") as file:
        assert process.run([PYTHON, "-c", code], stdin=file).stdout == "'hello'\n"


def test_variables_are_set_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    code = "import os; print(os.environ['KEPT'], os.environ['ADDED'])"
    assert process.run([PYTHON, "-c", code], env={"ADDED": "2"}).stdout == "1 2\n"


def test_bytes_that_are_no_text_do_not_fail() -> None:
    code = r"import sys; sys.stdout.buffer.write(b'a\xff')"
    assert process.run([PYTHON, "-c", code]).stdout == "a\N{REPLACEMENT CHARACTER}"


def test_a_missing_program() -> None:
    with pytest.raises(ProcessError, match=r"^no-such-program is not installed") as caught:
        process.run(["no-such-program"], fix="Type: get it")
    assert caught.value.fix == "Type: get it"
    assert caught.value.__suppress_context__


def test_a_program_that_may_not_be_executed(tmp_path: Path) -> None:
    program = tmp_path / "plain.txt"
    program.write_text("hello")
    with pytest.raises(ProcessError, match=r"plain\.txt is not executable\.$"):
        process.run([program])


def test_a_program_that_is_none(tmp_path: Path) -> None:
    program = tmp_path / "odd"
    program.write_bytes(b"\0\1\2")
    program.chmod(0o755)
    with pytest.raises(ProcessError, match="odd could not be started: Exec format error"):
        process.run([program])


@pytest.mark.parametrize("kind", ["none", "file"])
def test_a_folder_to_run_in_that_is_none(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProcessError, match=f"could not be started: .*{kind} is not a folder"):
        process.run([PYTHON, "--version"], cwd=tmp_path / kind)


def test_a_zero_byte_in_a_word() -> None:
    with pytest.raises(ProcessError, match="zero byte"):
        process.run([PYTHON, "a\0b"])


def test_a_failure_tells_code_and_the_end_of_stderr() -> None:
    code = "import sys; [print(n, file=sys.stderr) for n in range(20)]; print('x'); sys.exit(4)"
    with pytest.raises(ProcessError, match=r"failed with exit code 4\.") as caught:
        process.run([PYTHON, "-c", code])
    assert caught.value.why.split() == [str(number) for number in range(12, 20)]


def test_a_failure_that_printed_nothing_or_to_stdout_only() -> None:
    with pytest.raises(ProcessError) as caught:
        process.run([PYTHON, "-c", "exit(1)"])
    assert caught.value.why == "It printed nothing."
    with pytest.raises(ProcessError) as caught:
        process.run([PYTHON, "-c", "print('said here'); exit(1)"])
    assert caught.value.why == "said here"


def test_a_program_that_takes_too_long_is_ended() -> None:
    code = "import signal; signal.pause()"
    with pytest.raises(ProcessError, match=r"did not end within 0\.2 s"):
        process.run([PYTHON, "-c", code], timeout_s=0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the CPU clock of another process")
def test_a_program_that_computes_too_long_is_ended() -> None:
    with pytest.raises(ProcessError, match=r"did not end within 0\.1 s of CPU time"):
        process.run([PYTHON, "-c", "while True: pass"], cpu_s=0.1, timeout_s=300)
    with pytest.raises(ProcessError, match=r"did not end within 0\.1 s\."):
        process.run([PYTHON, "-c", "import signal; signal.pause()"], cpu_s=300, timeout_s=0.1)
    assert process.run([PYTHON, "-c", "print(1)"], cpu_s=300).stdout == "1\n"


def test_echo_shows_what_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(process, "note", said.append)
    process.run([PYTHON, "-c", "", "two words"], echo=True)
    assert said == [f"$ {PYTHON} -c '' 'two words'"]
    process.run([PYTHON, "-c", ""])
    assert len(said) == 1
    assert process.note is not console.note


def test_output_may_go_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    done = process.run([PYTHON, "-c", "print('seen')"], capture=False)
    assert done.stdout == ""
    assert capfd.readouterr().out == "seen\n"


def test_output_of_programs_can_leave_stdout_to_the_result(
    capfd: pytest.CaptureFixture[str],
) -> None:
    process.run(["echo", "progress"], capture=False, to_stderr=True)
    assert capfd.readouterr() == ("", "progress\n")
    process.run(["echo", "progress"], capture=False)
    assert capfd.readouterr() == ("progress\n", "")
