"""uv, the lock, Python and the settings."""

from __future__ import annotations

import os
import platform
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.util import cache_from_source
from pathlib import Path

import rich

from posebowl import paths
from posebowl.doctor.findings import Finding, State, of_error
from posebowl.environments import digest, excluded, rewriting_settings, run_uv
from posebowl.errors import UsageError
from posebowl.settings import Found, Origin
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
    else:
        wish = f" (required: {wanted})" if wanted else ""
        yield Finding(name="uv", state=State.GOOD, text=version.partition(" ")[0] + wish)


def required_version() -> str:
    """Return tool.uv.required-version of pyproject.toml; empty without one."""
    table = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(table.get("tool", {}).get("uv", {}).get("required-version", ""))


def too_old(version: str, wanted: str) -> bool:
    """Return whether a version is below a bound such as `>=0.9`; other bounds are left to uv."""
    bound = re.fullmatch(r">=\s*([0-9.]+)", wanted)
    have = re.match(r"[0-9.]+", version)
    if not bound or not have:
        return False
    low, high = ([int(part) for part in text.split(".") if part] for text in (have[0], bound[1]))
    return low < high


def lock() -> Iterator[Finding]:
    """Compare uv.lock with pyproject.toml, and check that nothing changes it by itself."""
    unclear = "could not be compared with pyproject.toml"
    try:
        done = run_uv("lock", "--check", "--offline", timeout_s=60, check=False)
    except (process.ProcessError, UsageError) as error:
        yield Finding(name="uv.lock", state=State.WARNING, text=f"{unclear}: {error.what}")
        return
    if done.returncode == 0:
        state, text, fix = State.GOOD, f"matches pyproject.toml ({digest()[:12]})", ""
    elif "needs to be updated" in done.stderr:
        state, text, fix = State.BAD, "older than pyproject.toml", "Type: uv lock"
    else:
        state, text, fix = State.WARNING, f"{unclear} offline", "Type: uv lock --check"
    yield Finding(name="uv.lock", state=state, text=text, fix=fix)
    for name, why in excluded().items():
        text = f"pyproject.toml asks for {name}, but it is never installed"
        yield Finding(name="packages", state=State.WARNING, text=text, fix=why)
    yield from _rewriting()


def _rewriting() -> Iterator[Finding]:
    """Check that `uv run` does not change uv.lock because of the user's own settings."""
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
            fix="Type: export UV_FROZEN=1; `git checkout uv.lock` undoes such changes.",
        )


def python() -> Iterator[Finding]:
    """Check that no other software's modules come first, and that bytecode is kept."""
    if others := os.environ.get("PYTHONPATH"):
        yield Finding(
            name="PYTHONPATH",
            state=State.WARNING,
            text=f"{others}: other software's modules are imported before this project's",
            fix="Type: unset PYTHONPATH",
        )
    version = platform.python_version()
    if not sys.dont_write_bytecode or Path(cache_from_source(rich.__file__)).is_file():
        yield Finding(name="python", state=State.GOOD, text=version)
        return
    yield Finding(
        name="python",
        state=State.WARNING,
        text=f"{version} keeps no bytecode (PYTHONDONTWRITEBYTECODE is set): each run takes 0.3 s "
        "longer",
        fix="Type: uv sync --compile-bytecode",
    )


def settings(found: Sequence[Found] | UsageError) -> Iterator[Finding]:
    """List the settings that are not at their defaults, or report what is wrong with them."""
    if isinstance(found, UsageError):
        yield of_error("settings", State.BAD, found)
        return
    changed = [item.setting.name for item in found if item.origin is not Origin.DEFAULT]
    text = f"{counted(len(changed), 'setting')} changed: {', '.join(changed)}"
    yield Finding(name="settings", state=State.GOOD, text=text if changed else "all at defaults")
