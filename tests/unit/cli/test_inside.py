"""`invoke shell` and `invoke debug` need a terminal, and leave nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl import paths
from tests.typed import invoke


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("shell --engine embedded", "A shell needs a terminal."),
        ("debug quickstart --engine embedded", "A debugger needs a terminal."),
    ],
)
def test_without_a_terminal(line: str, what: str, tmp_path: Path) -> None:
    place = str(tmp_path / "cache")
    done = invoke(*line.split(), cwd=tmp_path, POSEBOWL_CACHE=place)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"error: {what}"
    assert "invoke shell --command" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_opens_the_debugger_is_python_of_any_version() -> None:
    source = (paths.RUNTIME / "debug" / "sitecustomize.py").read_text()
    compile(source, "sitecustomize.py", "exec")
    assert "pdb" in source
