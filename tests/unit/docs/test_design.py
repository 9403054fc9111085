"""docs/design.md is the picture of the house: its rooms, their order, the files it names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from posebowl import paths

PAGE = (paths.ROOT / "docs" / "design.md").read_text()
PACKAGE = paths.ROOT / "posebowl"


def blocks() -> list[list[str]]:
    """Return the lines of each block of text."""
    return [found.splitlines() for found in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)]


def rooms(folder: Path) -> set[str]:
    return {f"{file.parent.name}/" for file in folder.glob("*/__init__.py")}


def test_the_tree_shows_every_room_and_nothing_else() -> None:
    (tree,) = (block for block in blocks() if block[0] == "posebowl/")
    shown: dict[str, set[str]] = {"": set()}
    above = ""
    for line in tree[1:]:
        indent, name, purpose = re.fullmatch(r"( +)(\S+) +(\S.+)", line).groups()
        assert purpose
        if len(indent) == 2:
            above = name
            shown[""].add(name)
        else:
            shown.setdefault(above, set()).add(name)
    modules = {file.name for file in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert shown.pop("") == rooms(PACKAGE) | modules
    for room, inner in shown.items():
        assert inner == rooms(PACKAGE / room)


def test_the_layers_are_those_of_the_contract() -> None:
    config = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())
    (contract,) = config["tool"]["importlinter"]["contracts"]
    assert contract["layers"] in blocks()


def test_the_paths_that_it_names_exist() -> None:
    named = re.findall(r"`((?:posebowl|tests|runtime|docs|solutions|benchmarks)/[\w./]*)`", PAGE)
    named += re.findall(r"(?<=[ ,])posebowl/\w+", "\n".join(map("\n".join, blocks())))
    assert len(named) > 25
    assert [path for path in named if not (paths.ROOT / path).exists()] == []
