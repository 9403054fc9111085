"""The first error in a log, and the line of the solution behind it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from posebowl.results.failure import Failure, first_error, of_log

CHAINED = b"""  1% of 1,700
Traceback (most recent call last):
  File "/code_execution/workdir/main.py", line 40, in <module>
    main()
    ^^^^^^
  File "/code_execution/workdir/lib/net.py", line 12, in predict
    return self.session.run(None, {"x": photo})[0]
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/opt/env/lib/python3.11/site-packages/onnxruntime/session.py", line 220, in run
    raise ValueError("bad input")
ValueError: bad input

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/code_execution/workdir/main.py", line 99, in other
    raise KeyError("x")
KeyError: 'x'
"""
START = b"Traceback (most recent call last):\n"


def test_the_innermost_line_of_the_solution_in_the_first_traceback() -> None:
    found = first_error(CHAINED)
    assert found == Failure(
        error="ValueError: bad input",
        file="lib/net.py",
        line=12,
        function="predict",
        source='return self.session.run(None, {"x": photo})[0]',
    )
    assert found.place == f"lib/net.py line 12, in predict: {found.source}"


@pytest.mark.parametrize(
    ("log", "place"),
    [
        (b"", ""),
        (b"main.sh: 3: pyhton: not found\n", ""),
        (START + b'  File "<string>", line 1, in <module>\nE: x', ""),
        (START + b'  File "main.py", line 2\n    if x\nE:', "main.py line 2: if x"),
        (START + b'  File "a.py", line 7, in f\nE: x', "a.py line 7, in f"),
        (START + b'  File "a.py", line 7, in f', ""),
        (b'  File "a.py", line 7, in f\n    x\nerror: y\n', ""),
    ],
)
def test_logs_with_less(log: bytes, place: str) -> None:
    assert first_error(log).place == place


def test_what_python_itself_prints(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import json\n\ndef read():\n    json.loads('{')\n\nread()\n")
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, check=False
    )
    found = first_error(done.stderr.replace(bytes(tmp_path), b"/code_execution/workdir"))
    assert found.error.startswith("json.decoder.JSONDecodeError: ")
    assert found.place == "main.py line 4, in read: json.loads('{')"


def test_a_log_of_frames_without_end_is_read_quickly() -> None:
    frame = b'  File "/code_execution/workdir/a.py", line 1, in f\n    f()\n'
    found = first_error(START + frame * 50_000 + b"E: x\n")
    assert (found.error, found.line) == ("E: x", 1)


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    assert of_log(tmp_path / "absent") == Failure()
    assert of_log(tmp_path) == Failure()
