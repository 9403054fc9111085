"""The sessions: their names, and that the file needs nothing but nox."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace

import pytest

from posebowl import paths
from tests.doc_commands import nox_sessions

SESSIONS = {
    "tests",
    "lint",
    "docs",
    "build",
    "build-cpu",
    "build-gpu",
    "test_submission-cpu",
    "test_submission-gpu",
    "test_solutions-cpu",
    "test_solutions-gpu",
    "test_packages-cpu",
    "test_packages-gpu",
}


def test_sessions_have_the_names_that_people_type() -> None:
    assert nox_sessions().keys() >= SESSIONS


def test_every_session_says_what_it_does() -> None:
    for session in nox_sessions().values():
        assert session["description"].endswith(".")
        assert "\n" not in session["description"]
        assert session["tags"]


def test_only_nox_and_the_standard_library_are_imported() -> None:
    tree = ast.parse((paths.ROOT / "noxfile.py").read_text())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert names - sys.stdlib_module_names == {"nox"}


class Session:
    """Writes down what a session runs."""

    def __init__(self, *posargs: str) -> None:
        self.posargs = posargs
        self.ran: list[list[str]] = []
        self.isolated: list[bool] = []
        self.virtualenv = SimpleNamespace(location="")

    def run(self, *words: str, env: Mapping[str, str | None], **_: object) -> None:
        self.ran.append([*words])
        self.isolated.append(env.get("PYTHONPATH", "") is None)

    def run_install(self, *_: str, **__: object) -> None:
        pass


@pytest.fixture
def noxfile(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the noxfile as nox does."""
    monkeypatch.syspath_prepend(str(paths.ROOT))
    return pytest.importorskip("noxfile")


def test_the_benchmark_is_packed_only_where_there_is_no_zip(noxfile: ModuleType) -> None:
    session = Session("--engine", "podman")
    noxfile.run_submission(session, "cpu")
    invoke = ["uv", "run", "--frozen", "invoke"]
    pack = [*invoke, "pack", "benchmark", "--keep"]
    assert session.ran == [pack, [*invoke, "run", "--variant", "cpu", "--engine", "podman"]]


def test_packages_of_other_software_are_kept_out(noxfile: ModuleType) -> None:
    for name in ("tests", "test_training", "test_submission_cpu", "test_solutions_cpu", "build"):
        session = Session()
        getattr(noxfile, name)(session)
        assert session.ran
        assert all(session.isolated), name


def test_coverage_is_measured_of_all_tests_only(noxfile: ModuleType) -> None:
    for posargs, measured in ((), True), (("tests/unit/test_paths.py",), False):
        session = Session(*posargs)
        noxfile.tests(session)
        assert ("--cov" in session.ran[-1]) == measured


def test_every_solution_runs_in_a_folder_of_its_own(noxfile: ModuleType) -> None:
    session = Session()
    noxfile.run_solutions(session, "cpu")
    solutions = sorted(path.parent.name for path in paths.SOLUTIONS.glob("*/main.sh"))
    assert {"benchmark", "quickstart", "template"} <= set(solutions)
    packs, runs = session.ran[::2], session.ran[1::2]
    assert [words[words.index("pack") + 1] for words in packs] == solutions
    places = [words[words.index("--out") + 1] for words in runs]
    assert places == [str(paths.SUBMISSION / name) for name in solutions]


@pytest.mark.parametrize("named", [("--zip", "mine.zip"), ("--zip=mine",), ("mine.zip",)])
def test_nothing_is_packed_where_another_zip_is_named(
    named: tuple[str, ...], noxfile: ModuleType
) -> None:
    session = Session(*named)
    noxfile.run_submission(session, "cpu")
    (words,) = session.ran
    assert words[-2 - len(named) :] == ["--variant", "cpu", *named]
