"""Modules of this project that run in another environment."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from posebowl import environments
from posebowl.cli import child
from posebowl.errors import EngineError
from posebowl.util import process
from posebowl.util.options import Option
from posebowl.util.process import Completed
from posebowl.util.values import whole

CACHE = Path("/envs")


@dataclass(frozen=True, kw_only=True)
class Asked:
    count: Annotated[int, Option(whole(1, 3), "how many")] = 3


def test_a_module_runs_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def run(argv: list[str], **options: object) -> Completed:
        asked.extend([argv, options["capture"], options["check"]])
        return Completed(argv=(), returncode=5, stdout="", stderr="")

    monkeypatch.setattr(environments, "ensure", lambda group, *_, **__: Path("/envs", group))
    monkeypatch.setattr(process, "run", run)
    assert child.run("render", "posebowl.render", Asked(), cache=CACHE) == 5
    argv = ["/envs/render/bin/python", "-m", "posebowl.render", "--count=3"]
    assert asked == [argv, False, False]


@pytest.mark.parametrize("code", [0, 5])
def test_programs_hear_of_a_module_that_failed(
    code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: list[str], **options: object) -> Completed:
        assert options["to_stderr"] is True
        return Completed(argv=(), returncode=code, stdout="", stderr="")

    monkeypatch.setattr(environments, "ensure", lambda group, *_, **__: Path("/envs", group))
    monkeypatch.setattr(process, "run", run)
    assert child.run("cpu", "posebowl.training.export", Asked(), cache=CACHE, as_json=True) == code
    said = capsys.readouterr().out
    if code:
        assert json.loads(said)["error"]["exit_code"] == code
    else:
        assert said == ""


def test_a_damaged_environment_is_not_entered_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environments, "ensure", lambda *_, **__: Path(sys.prefix))
    with pytest.raises(EngineError, match="is damaged"):
        child.become("cluster", "posebowl.cli", ["evaluate"], cache=CACHE)


def test_lacks() -> None:
    assert child.lacks("json", "no_such_module_here")
    assert not child.lacks("json", "sys")
