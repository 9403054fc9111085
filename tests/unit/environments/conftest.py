"""A program in the place of uv, which does what a test writes it to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FakeUv = Callable[[str], Path]

_HEAD = f"""#!{sys.executable} -IS
import json, os, sys
words = sys.argv[1:]
with open(LOG, "a") as log:
    log.write(json.dumps({{"words": words, "env": dict(os.environ)}}) + "\\n")
"""


@pytest.fixture
def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeUv:
    """Put a Python script in the place of uv; it returns the file that lists its calls."""
    folder, log = tmp_path / "bin", tmp_path / "calls.jsonl"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(script: str) -> Path:
        log.touch()
        (folder / "uv").write_text(_HEAD.replace("LOG", repr(str(log))) + script)
        (folder / "uv").chmod(0o755)
        return log

    return make
