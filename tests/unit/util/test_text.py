"""Strangers' words, lists and commands in messages."""

from __future__ import annotations

import pytest

from posebowl.util.text import typed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Type: invoke run", "Type: uv run invoke run"),
        ("Type: uv run invoke base, then again.", "Type: uv run invoke base, then again."),
        ("`invoke pack --source X` does so.", "`uv run invoke pack --source X` does so."),
        ("Type: invoke --help run", "Type: uv run invoke --help run"),
        ("or type: nox -s tests", "or type: uv run nox -s tests"),
        ("pip install uv", "pip install uv"),
        ("/usr/bin/invoke run", "/usr/bin/invoke run"),
        ("reinvoke it", "reinvoke it"),
        ("invoke", "invoke"),
        ("", ""),
    ],
)
def test_commands_work_as_they_are_shown(text: str, shown: str) -> None:
    assert typed(text) == shown
    assert typed(typed(text)) == typed(text)
