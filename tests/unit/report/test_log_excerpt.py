from __future__ import annotations

import os
from pathlib import Path

from posebowl.report.log_excerpt import read_log, signal_name

TRACEBACK = b"""loading
Traceback (most recent call last):
  File "main.py", line 3, in <module>
    import nothing
ModuleNotFoundError: No module named 'nothing'
bye
"""


def test_signal_name() -> None:
    assert signal_name(11) == "SIGSEGV"
    assert signal_name(77) == "signal 77"


def log_of(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "log.txt"
    path.write_bytes(data)
    return path


def test_the_exception_of_a_traceback_is_the_first_error(tmp_path: Path) -> None:
    log = read_log(log_of(tmp_path, TRACEBACK), failed=True)
    assert log.failure.error == "ModuleNotFoundError: No module named 'nothing'"
    assert [line.text for line in log.lines if line.suspect] == [
        "Traceback (most recent call last):",
        "ModuleNotFoundError: No module named 'nothing'",
    ]
    assert not log.cut


def test_a_shell_error_is_found(tmp_path: Path) -> None:
    log = read_log(log_of(tmp_path, b"start\nmain.sh: 3: pyhton: not found\n"), failed=True)
    assert log.failure.error == "main.sh: 3: pyhton: not found"


def test_a_traceback_without_end_is_its_own_sign(tmp_path: Path) -> None:
    log = read_log(log_of(tmp_path, b"Traceback (most recent call last):\n  File"), failed=True)
    assert log.failure.error == "Traceback (most recent call last):"


def test_a_run_that_passed_has_no_errors(tmp_path: Path) -> None:
    log = read_log(log_of(tmp_path, b"0 errors\n"), failed=False)
    assert log.failure.error == ""
    assert [(line.text, line.suspect) for line in log.lines] == [("0 errors", False)]


def test_only_the_end_of_a_long_log_is_kept(tmp_path: Path) -> None:
    log = read_log(log_of(tmp_path, b"".join(b"line %d\n" % i for i in range(5000))), failed=False)
    assert len(log.lines) == 200
    assert log.lines[-1].text == "line 4999"
    assert log.cut


def test_a_line_without_end_is_shortened(tmp_path: Path) -> None:
    log = read_log(log_of(tmp_path, b"error " + b"x" * 3_000_000), failed=True)
    assert sum(len(line.text) for line in log.lines) <= 1000
    assert len(log.failure.error) <= 400
    assert log.failure.error.startswith("error xxx")
    assert log.cut


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    assert read_log(tmp_path / "absent", failed=True).lines == ()
    assert read_log(log_of(tmp_path, b""), failed=True).lines == ()


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert read_log(tmp_path / "fifo", failed=True).lines == ()


def test_the_end_of_a_log_that_escapes_have_made_long_is_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with log.open("wb") as file:
        for _ in range(20):
            file.write(b"\\x01" * (1 << 18) + b"\n")
        file.write(b"ValueError: at last\n")
    excerpt = read_log(log, failed=True)
    assert excerpt.lines[-1].text == excerpt.failure.error == "ValueError: at last"
    assert excerpt.total_bytes == log.stat().st_size > 20 << 20
    assert excerpt.cut


def test_a_line_that_was_redrawn_is_one_line(tmp_path: Path) -> None:
    log = log_of(
        tmp_path, b"start\r\n\r  0%|\r 50%|\r 50%|Traceback (most recent call last):\nE: x\n"
    )
    shown = read_log(log, failed=True)
    assert [line.text for line in shown.lines] == [
        "start",
        " 50%|Traceback (most recent call last):",
        "E: x",
    ]
    assert shown.failure.error == "E: x"
