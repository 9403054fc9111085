"""Settings: each declared once, and documented."""

from __future__ import annotations

import dataclasses
import re

from posebowl import paths
from posebowl.settings.schema import SETTINGS, Settings, rows

DOCS = paths.ROOT / "docs" / "configuration.md"


def test_help_says_what_is_allowed_and_what_holds_unset() -> None:
    assert SETTINGS["cpus"].explained == "processor cores of a run (3)"
    engines = "what executes a run: auto, docker, podman or embedded (auto)"
    assert SETTINGS["engine"].explained == engines


def test_settings_have_no_defaults_of_their_own() -> None:
    assert list(SETTINGS) == [item.name for item in dataclasses.fields(Settings)]
    assert all(item.default is dataclasses.MISSING for item in dataclasses.fields(Settings))


def test_the_documentation_is_in_step() -> None:
    table = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in DOCS.read_text().splitlines()
        if re.match(r"\| `\w+` \|", line)
    ]
    assert table == list(rows())
