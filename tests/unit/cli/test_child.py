"""Modules of this project that run in another environment."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from posebowl import paths
from posebowl.cli import child
from posebowl.errors import EngineError
from posebowl.util.options import Option
from posebowl.util.values import whole

HERE = Path(sys.executable)


@dataclass(frozen=True, kw_only=True)
class Asked:
    count: Annotated[int, Option(whole(1, 3), "how many")] = 3


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a module that prints its arguments and where it finds this project, and ends with 5."""
    text = "import os, sys; print(sys.argv[1:], os.environ['PYTHONPATH']); sys.exit(5)"
    (tmp_path / "asked_for.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return "asked_for"


def test_a_module_gets_its_options(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert child.run(HERE, module, Asked()) == 5
    assert capfd.readouterr().out == f"['--count=3'] {paths.ROOT}\n"


def test_programs_hear_of_a_module_that_failed(
    module: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert child.run(HERE, module, Asked(), as_json=True) == 5
    said = capfd.readouterr()
    assert json.loads(said.out)["error"]["exit_code"] == 5
    assert "['--count=3']" in said.err


@pytest.mark.usefixtures("module")
def test_nothing_is_printed_for_a_module_that_did_its_work(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "quiet.py").write_text("")
    assert child.run(HERE, "quiet", Asked(), as_json=True) == 0
    assert capfd.readouterr().out == ""


def test_a_damaged_environment_is_not_entered_again_and_again() -> None:
    with pytest.raises(EngineError, match="is damaged"):
        child.become(Path(sys.prefix, "bin", "python"), "posebowl.cli", ["evaluate"])


def test_lacks() -> None:
    assert child.lacks("json", "no_such_module_here")
    assert not child.lacks("json", "sys")
