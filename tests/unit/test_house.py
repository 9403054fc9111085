"""The rooms of posebowl/: each shows a face, and others use nothing but that."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl import paths

PACKAGE = paths.ROOT / "posebowl"
FACES = sorted(
    file for file in PACKAGE.rglob("__init__.py") if "lazy import face" in file.read_text()
)
SHELF = "posebowl.util"
"""A shelf of tools that have nothing to do with each other: the tool's name says which."""


def dotted(file: Path) -> str:
    parts = file.relative_to(paths.ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imports(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("posebowl."):
            yield from ((str(node.module), alias.name) for alias in node.names)


def test_no_file_is_longer_than_400_lines() -> None:
    folders = ("posebowl", "tests", "solutions", "benchmarks", "runtime", "docs")
    files = [file for folder in folders for file in (paths.ROOT / folder).rglob("*.py")]
    lengths = {file: len(file.read_text().splitlines()) for file in files}
    assert len(lengths) > 500
    assert {str(file): length for file, length in lengths.items() if length > 400} == {}


def test_there_are_rooms() -> None:
    assert len(FACES) >= 10


@pytest.mark.parametrize("file", FACES, ids=dotted)
def test_a_face_gives_what_the_type_checker_sees(file: Path) -> None:
    if dotted(file) == "posebowl.training":
        pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")
    face = importlib.import_module(dotted(file))
    shown = [(module, name) for module, name in imports(file) if room(module) != SHELF]
    assert shown
    for module, name in shown:
        assert getattr(face, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        face.nothing_of_the_kind  # noqa: B018


def test_rooms_use_the_faces_of_others() -> None:
    packages = {dotted(file) for file in PACKAGE.rglob("__init__.py")}
    reached = [
        f"{dotted(file)}: {module}.{name}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for module, name in imports(file)
        if module not in packages and room(module) not in {SHELF, room(dotted(file)), module}
    ]
    assert reached == []
