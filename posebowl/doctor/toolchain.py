"""uv, the lock, Python and the settings."""

from __future__ import annotations

import os
import platform
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

import polars as pl

from posebowl.doctor.findings import Finding, State, of_error
from posebowl.environments import digest, excluded, rewriting_settings, run_uv
from posebowl.errors import UsageError
from posebowl.settings import resolve
from posebowl.util import process
from posebowl.util.text import counted


def uv() -> Iterator[Finding]:
    """Check uv, and compare its version with the one that pyproject.toml asks for."""
    try:
        said = process.run(["uv", "--version"], timeout_s=30).stdout.strip()
    except process.ProcessError as error:
        yield Finding(name="uv", state=State.BAD, text=error.what, fix="Type: pip install uv")
        return
    version, wanted = said.removeprefix("uv "), required_version()
    if too_old(version, wanted):
        text = f"{version}; pyproject.toml asks for {wanted}"
        fix = "Type: pip install --upgrade uv (or: uv self update)"
        yield Finding(name="uv", state=State.BAD, text=text, fix=fix)
        return
    wish = f" ({wanted} is asked for)" if wanted else ""
    yield Finding(name="uv", state=State.GOOD, text=version.partition(" ")[0] + wish)


def required_version() -> str:
    """Return what tool.uv.required-version of pyproject.toml says; nothing without one."""
    tool = tomllib.loads(resolve.FILE.read_text(encoding="utf-8")).get("tool", {})
    return str(tool.get("uv", {}).get("required-version", ""))


def too_old(version: str, wanted: str) -> bool:
    """Return whether a version is below a bound such as `>=0.9`; other bounds are uv's business."""
    bound = re.fullmatch(r">=\s*([0-9.]+)", wanted)
    have = re.match(r"[0-9.]+", version)
    return bool(bound and have and _numbers(have[0]) < _numbers(bound[1]))


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part]


def lock() -> Iterator[Finding]:
    """Compare uv.lock with pyproject.toml."""
    unclear = "could not be compared with pyproject.toml"
    try:
        done = run_uv("lock", "--check", "--offline", timeout_s=60, check=False)
    except (process.ProcessError, UsageError) as error:
        text = f"{unclear}: {error.what}"
        yield Finding(name="uv.lock", state=State.WARNING, text=text)
        return
    if done.returncode == 0:
        text = f"fits pyproject.toml ({digest()[:12]})"
        yield Finding(name="uv.lock", state=State.GOOD, text=text)
    elif "needs to be updated" in done.stderr:
        text = "older than pyproject.toml"
        yield Finding(name="uv.lock", state=State.BAD, text=text, fix="Type: uv lock")
    else:
        fix = "Type: uv lock --check"
        text = f"{unclear} offline"
        yield Finding(name="uv.lock", state=State.WARNING, text=text, fix=fix)
    for name, why in excluded().items():
        text = f"pyproject.toml asks for {name}, but it is never installed"
        yield Finding(name="packages", state=State.WARNING, text=text, fix=why)
    try:
        rewriting = rewriting_settings(os.environ)
    except UsageError as error:
        yield of_error("uv settings", State.WARNING, error)
        return
    if rewriting:
        yield Finding(
            name="uv settings",
            state=State.WARNING,
            text=f"`uv run` changes uv.lock because of {', '.join(rewriting)}",
            fix="Type: export UV_FROZEN=1; `git checkout uv.lock` takes such changes back.",
        )


def python() -> Iterator[Finding]:
    """Check that no other software's modules come first, and that compiled libraries are kept."""
    if others := os.environ.get("PYTHONPATH"):
        yield Finding(
            name="PYTHONPATH",
            state=State.WARNING,
            text=f"{others}: modules of other software come before those of this project",
            fix="Type: unset PYTHONPATH",
        )
    version = platform.python_version()
    libraries = Path(pl.__file__)
    if not sys.dont_write_bytecode or Path(cache_from_source(str(libraries))).is_file():
        yield Finding(name="python", state=State.GOOD, text=version)
        return
    yield Finding(
        name="python",
        state=State.WARNING,
        text=f"{version} keeps nothing that it compiles (PYTHONDONTWRITEBYTECODE is set): each "
        "run takes 0.3 s longer",
        fix="Type: uv sync --compile-bytecode",
    )


def settings() -> Iterator[Finding]:
    """Read the settings."""
    try:
        found = resolve.explain()
    except UsageError as error:
        yield of_error("settings", State.BAD, error)
        return
    changed = [item.setting.name for item in found if item.origin is not resolve.Origin.DEFAULT]
    text = f"{counted(len(changed), 'setting')} made: {', '.join(changed)}"
    yield Finding(name="settings", state=State.GOOD, text=text if changed else "all by default")
