"""A new solution is a copy that packs, under a name that Python can import."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.errors import UsageError
from posebowl.submission import start_solution
from posebowl.submission.packer import pack


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    source = tmp_path / "solutions" / "template"
    (source / "inner").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_text("")
    (source / "main.sh").write_text("python main.py\n")
    (source / "main.sh").chmod(0o755)
    (source / "main.py").write_text("ANSWER = 42\n")
    (source / "inner" / "weights.onnx").write_bytes(b"\0\1")
    return source.parent


@pytest.mark.usefixtures("each_umask")
def test_a_copy_without_junk(solutions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = start_solution("my_first", solutions=solutions)
    names = {str(path.relative_to(made)) for path in made.rglob("*")}
    assert names == {"main.sh", "main.py", "empty", "inner", "inner/weights.onnx"}
    assert (made / "main.sh").stat().st_mode & 0o777 == 0o755
    assert (made / "inner" / "weights.onnx").read_bytes() == b"\0\1"
    monkeypatch.syspath_prepend(str(solutions.parent))
    assert importlib.import_module("solutions.my_first.main").ANSWER == 42
    assert pack(made, solutions / "a.zip").files == 3


def test_the_template_and_the_others_can_be_copied(tmp_path: Path) -> None:
    for source in ("template", "quickstart", "benchmark"):
        (tmp_path / source).symlink_to(paths.SOLUTIONS / source)
    for source in ("template", "quickstart"):
        made = start_solution(f"new_{source}", source=source, solutions=tmp_path)
        assert pack(made, tmp_path / f"{source}.zip").archive.main_script


@pytest.mark.parametrize(
    ("name", "advised"),
    [
        ("my-net", "my_net"),
        ("My Net!", "my_net"),
        ("2nd", "mine"),
        ("class", "mine"),
        ("../up", "up"),
        ("ünï", "n"),
        (".", "mine"),
        ("a/b", "a_b"),
        ("x" * 51, "x" * 50),
        ("\x1b[31m", "mine"),
    ],
)
def test_a_name_that_cannot_be_imported(name: str, advised: str, solutions: Path) -> None:
    before = sorted(solutions.rglob("*"))
    with pytest.raises(UsageError, match="cannot be the name of a solution") as caught:
        start_solution(name, solutions=solutions)
    assert caught.value.fix == f"Type: invoke new {advised}"
    assert "\x1b" not in str(caught.value)
    assert sorted(solutions.rglob("*")) == before


@pytest.mark.parametrize("name", ["template", "Template"])
def test_a_name_that_is_taken(name: str, solutions: Path) -> None:
    with pytest.raises(UsageError, match="template already exists"):
        start_solution(name, solutions=solutions)
    assert (solutions / "template" / "main.py").read_text() == "ANSWER = 42\n"


def test_a_source_that_is_not_there(solutions: Path) -> None:
    with pytest.raises(UsageError, match="no solution named benchmrk"):
        start_solution("mine", source="benchmrk", solutions=solutions)
    assert not (solutions / "mine").exists()
