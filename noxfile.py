"""Nox sessions: test submissions as the platform runs them, and check this project itself.

`uv run nox --list` shows them all; everything after `--` is passed to the session's command, as
in `uv run nox -s test_submission-cpu -- --engine podman --time-limit 10m`.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "tests"]

ROOT = Path(__file__).parent
ISOLATED = dict.fromkeys(
    (
        *("PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"),
        "VIRTUAL_ENV",
    )
)
"""Unset: with these, other software (such as ROS) puts its packages into every Python, and uv warns
of an environment that is not the project's, such as the one that nox runs in."""
RESOLVING = ("EXCLUDE_NEWER", "PRERELEASE", "RESOLUTION", "FORK_STRATEGY", "DEFAULT_INDEX", "INDEX")
"""Prefixes of variables (behind UV_) that would make uv resolve another lock."""


@nox.session(name="test_submission-cpu", venv_backend="none", tags=["submission", "cpu"])
def test_submission_cpu(session: nox.Session) -> None:
    """Run submission.zip as the platform would; pack the benchmark first if there is none."""
    run_submission(session, "cpu")


@nox.session(name="test_submission-gpu", venv_backend="none", tags=["submission", "gpu"])
def test_submission_gpu(session: nox.Session) -> None:
    """Run submission.zip in the gpu image."""
    run_submission(session, "gpu")


@nox.session(name="test_solutions-cpu", venv_backend="none", tags=["submission", "cpu"])
def test_solutions_cpu(session: nox.Session) -> None:
    """Pack and run every folder of solutions/, each with a results folder of its own."""
    run_solutions(session, "cpu")


@nox.session(name="test_solutions-gpu", venv_backend="none", tags=["submission", "gpu"])
def test_solutions_gpu(session: nox.Session) -> None:
    """Pack and run every folder of solutions/ in the gpu image."""
    run_solutions(session, "gpu")


@nox.session(venv_backend="none", tags=["image"])
def build(session: nox.Session) -> None:
    """Build both images from uv.lock."""
    invoke(session, "build", "--variant", "cpu", *session.posargs)
    invoke(session, "build", "--variant", "gpu", *session.posargs)


@nox.session(name="build-cpu", venv_backend="none", tags=["image", "cpu"])
def build_cpu(session: nox.Session) -> None:
    """Build the cpu image from uv.lock."""
    invoke(session, "build", "--variant", "cpu", *session.posargs)


@nox.session(name="build-gpu", venv_backend="none", tags=["image", "gpu"])
def build_gpu(session: nox.Session) -> None:
    """Build the gpu image from uv.lock."""
    invoke(session, "build", "--variant", "gpu", *session.posargs)


@nox.session(venv_backend="none", tags=["image"], default=False)
def pins(session: nox.Session) -> None:
    """Pin what images start from: uv by uv.lock's hashes, Debian by its registry's digest."""
    words = ("run", "--frozen", "python", "-m", "posebowl.images.pins", *session.posargs)
    session.run("uv", *words, external=True, env=ISOLATED)


@nox.session(name="test_packages-cpu", venv_backend="none", tags=["image", "cpu"])
def test_packages_cpu(session: nox.Session) -> None:
    """Test every package inside the cpu image."""
    invoke(session, "packages", "--variant", "cpu", *session.posargs)


@nox.session(name="test_packages-gpu", venv_backend="none", tags=["image", "gpu"])
def test_packages_gpu(session: nox.Session) -> None:
    """Test every package inside the gpu image."""
    invoke(session, "packages", "--variant", "gpu", *session.posargs)


@nox.session(tags=["check"])
def tests(session: nox.Session) -> None:
    """Test this project, with every available engine; what is skipped is listed."""
    groups = ("render", "lean", "docs", "cluster-test")
    sync(session, *(word for name in groups for word in ("--group", name)))
    # The floor in pyproject.toml is for all tests, not for a selection.
    coverage = [] if session.posargs else ["--cov", "--cov-report=term"]
    session.run("pytest", *coverage, *session.posargs, env=ISOLATED)


@nox.session(tags=["check"], default=False)
def test_training(session: nox.Session) -> None:
    """Test training and export of the benchmark, with torch (several GB)."""
    sync(session, "--group", "cpu")
    tests = ("tests/unit/training", "tests/unit/solutions")
    session.run("pytest", *tests, *session.posargs, env=ISOLATED)


@nox.session(tags=["check"], default=False)
def test_machines(session: nox.Session) -> None:
    """Test the engines on a virtual machine with cgroup v2 and systemd: as root, an hour."""
    sync(session)
    session.run("python", "-m", "tests.machines", *session.posargs, env=ISOLATED)


@nox.session(tags=["check"])
def lint(session: nox.Session) -> None:
    """Check style, types, the layers of rooms, and that uv.lock matches pyproject.toml."""
    sync(session)
    # The user's own settings must not decide whether the lock matches.
    names = tuple(f"UV_{name}" for name in RESOLVING)
    plain = dict.fromkeys(name for name in os.environ if name.startswith(names))
    session.run("uv", "lock", "--check", external=True, env={**plain, "UV_NO_CONFIG": "1"})
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports", "--no-logo")


@nox.session(tags=["check"], default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation site into site/; a dead link within it is an error."""
    sync(session, "--group", "docs")
    # Without its cache: the page of commands comes from the code, and not from its file alone.
    build = ("python", "-m", "zensical", "build", "--strict", "--clean")
    session.run(*build, *session.posargs, env=ISOLATED)
    session.run("python", "-m", "docs.llms", "site", env=ISOLATED)


def run_submission(session: nox.Session, variant: str) -> None:
    """Run a zip: by default submission.zip, packed from the benchmark if it does not exist."""
    if not any(word.startswith("--zip") or word.endswith(".zip") for word in session.posargs):
        invoke(session, "pack", "benchmark", "--keep")
    invoke(session, "run", "--variant", variant, *session.posargs)


def run_solutions(session: nox.Session, variant: str) -> None:
    """Pack and run all solutions."""
    for solution in sorted(path.parent for path in ROOT.glob("solutions/*/main.sh")):
        out = ROOT / "submission" / solution.name
        archive = str(out / "submission.zip")
        invoke(session, "pack", solution.name, "--force", "--out", archive)
        options = ["--out", str(out), "--variant", variant]
        invoke(session, "run", archive, *options, *session.posargs)


def invoke(session: nox.Session, *words: str) -> None:
    """Run an invoke task in the project's own environment."""
    session.run("uv", "run", "--frozen", "invoke", *words, external=True, env=ISOLATED)


def sync(session: nox.Session, *options: str) -> None:
    """Install from uv.lock, as it is, into the session's environment."""
    place = {"UV_PROJECT_ENVIRONMENT": session.virtualenv.location}
    session.run_install("uv", "sync", "--frozen", *options, env=place, external=True)
