"""uv, the lock and the settings, as the doctor sees them."""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path

import pytest

from posebowl.doctor import toolchain
from posebowl.doctor.findings import State
from posebowl.errors import UsageError
from posebowl.settings import resolve
from posebowl.util import process
from posebowl.util.process import Completed, ProcessError


@pytest.mark.parametrize(
    ("version", "wanted", "old"),
    [
        ("0.9.2", ">=0.9", False),
        ("0.13.9 (x86_64-unknown-linux-gnu)", ">=0.9", False),
        ("0.8.22", ">=0.9", True),
        ("0.9", ">=0.9.1", True),
        ("1.0", ">=0.9", False),
        ("0.8", "", False),
        ("0.8", "==0.9", False),
        ("odd", ">=0.9", False),
    ],
)
def test_versions(version: str, wanted: str, old: bool) -> None:
    assert toolchain.too_old(version, wanted) is old


def test_the_version_that_this_project_asks_for() -> None:
    assert toolchain.required_version().startswith(">=")


def says(monkeypatch: pytest.MonkeyPatch, done: Completed | ProcessError) -> None:
    def run(*_: object, **__: object) -> Completed:
        if isinstance(done, ProcessError):
            raise done
        return done

    monkeypatch.setattr(process, "run", run)


def completed(*, stdout: str = "", stderr: str = "", code: int = 0) -> Completed:
    return Completed(argv=(), returncode=code, stdout=stdout, stderr=stderr)


def test_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, completed(stdout="uv 99.1.2 (x86_64)\n"))
    (finding,) = toolchain.uv()
    assert finding.state is State.GOOD
    assert finding.text.startswith("99.1.2")
    says(monkeypatch, completed(stdout="uv 0.1.2\n"))
    (finding,) = toolchain.uv()
    assert finding.state is State.BAD
    assert "uv self update" in finding.fix
    says(monkeypatch, ProcessError("uv is not installed."))
    (finding,) = toolchain.uv()
    assert (finding.state, finding.fix) == (State.BAD, "Type: pip install uv")


@pytest.mark.parametrize(
    ("done", "state", "fix"),
    [
        (completed(), State.GOOD, ""),
        (
            completed(code=2, stderr="error: The lockfile at `uv.lock` needs to be updated"),
            State.BAD,
            "Type: uv lock",
        ),
        (completed(code=2, stderr="error: offline"), State.WARNING, "Type: uv lock --check"),
        (ProcessError("uv is not installed."), State.WARNING, ""),
    ],
)
def test_the_lock(
    done: Completed | ProcessError, state: State, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, done)
    (finding,) = toolchain.lock()
    assert (finding.state, finding.fix) == (state, fix)


def test_what_uv_run_would_do_to_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, completed())
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2030-01-01")
    _, finding = toolchain.lock()
    assert (finding.name, finding.state) == ("uv settings", State.WARNING)
    assert "UV_EXCLUDE_NEWER" in finding.text
    assert "UV_FROZEN=1" in finding.fix


def test_a_package_that_is_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, completed())
    monkeypatch.setattr(toolchain, "excluded", lambda: {"opencv-python": "Type: uv remove it"})
    _, finding = toolchain.lock()
    assert (finding.state, finding.fix) == (State.WARNING, "Type: uv remove it")
    assert "asks for opencv-python" in finding.text


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBOWL_CPUS", "2")
    (finding,) = toolchain.settings(resolve.explain())
    assert finding.state is State.GOOD
    assert "cpus" in finding.text
    monkeypatch.setenv("POSEBOWL_CPUS", "two")
    with pytest.raises(UsageError) as caught:
        resolve.explain()
    (finding,) = toolchain.settings(caught.value)
    assert (finding.state, finding.fix) == (State.BAD, "Type: export POSEBOWL_CPUS=3")


@pytest.mark.parametrize(
    ("writes", "compiled", "state"),
    [
        (True, False, State.GOOD),
        (False, True, State.GOOD),
        (False, False, State.WARNING),
    ],
)
def test_a_python_that_compiles_its_libraries_in_each_command(
    writes: bool, compiled: bool, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "polars.py"
    library.touch()
    monkeypatch.setattr(toolchain.rich, "__file__", str(library))
    monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
    if compiled:
        py_compile.compile(str(library))
    (finding,) = toolchain.python()
    assert finding.state is state
    assert ("--compile-bytecode" in finding.fix) is (state is State.WARNING)


def test_modules_of_other_software_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/opt/ros/humble/lib/python3.10/site-packages")
    finding, *_ = toolchain.python()
    assert (finding.name, finding.state) == ("PYTHONPATH", State.WARNING)
    assert "/opt/ros/humble" in finding.text
    assert finding.fix == "Type: unset PYTHONPATH"
