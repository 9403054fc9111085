"""uv, run so that no setting of the user changes what it makes.

Settings about how packages are reached (indexes, proxies, certificates, caches) hold; those about
which packages are chosen and how they are installed do not, whether they are in the environment,
in the user's uv.toml or in the system's.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from posebowl import paths
from posebowl.errors import UsageError
from posebowl.util import process

UV_REACH: Final = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|INDEX_STRATEGY|INDEX_\w+_(USERNAME|PASSWORD)"
    r"|HTTP_TIMEOUT|HTTP_RETRIES|INSECURE_HOST|SYSTEM_CERTS|NATIVE_TLS|PYTHON_INSTALL_MIRROR"
    r"|CONCURRENT_\w+)"
)
"""Variables of uv about how packages are reached."""
_PLACES: Final = re.compile(
    r"UV_(CACHE_DIR|NO_CACHE|OFFLINE|KEYRING_PROVIDER|PYTHON_INSTALL_DIR|GITHUB_TOKEN|LOCK_TIMEOUT)"
)
"""Variables of uv about where it keeps what it fetched, and with which credentials."""
_KEYS: Final = re.compile(
    r"(default-)?index(-url|-strategy)?|extra-index-url|(http|https|no)-proxy|allow-insecure-host"
    r"|system-certs|native-tls|offline|cache-dir|no-cache|keyring-provider|python-install-mirror"
    r"|concurrent-\w+"
)
"""Keys of uv.toml about the same."""
_REWRITES: Final = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX_URL|RESOLUTION|FORK_STRATEGY|(EXCLUDE_NEWER|PRERELEASE)(_PACKAGE)?)"
)
"""Variables with which uv, run by the user, rewrites uv.lock."""
_REWRITING_KEYS: Final = ("dependency-metadata", "exclude-newer-package", "index", "index-url")
"""Keys of uv.toml with which it does, in spite of all that pyproject.toml can fix."""


def run_uv(
    *words: str | Path,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
) -> process.Completed:
    """Run uv in the checkout.

    Args:
        words: Its arguments.
        env: Further variables to set.
        timeout_s: It is killed after so many seconds.
        check: Raise ProcessError if its exit code is not 0.
        on_line: Called with each line as it is printed.

    Raises:
        ProcessError: uv is missing, failed, or took too long.
        UsageError: The user's uv.toml cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="posebowl-uv-") as scratch:
        return process.run(
            ["uv", *words],
            cwd=paths.ROOT,
            # uv leaves locks among the temporary files, hence TMPDIR.
            env=environment(os.environ, Path(scratch)) | {"TMPDIR": scratch} | dict(env or {}),
            timeout_s=timeout_s,
            check=check,
            on_line=on_line,
            umask=0o022,
            fix="Type: pip install uv",
        )


def environment(environ: Mapping[str, str], scratch: Path) -> dict[str, str | None]:
    """Return the variables to set for uv, with None for those to remove.

    Args:
        environ: The environment of this process.
        scratch: A folder for a configuration file, which exists while uv runs.

    Raises:
        UsageError: The user's uv.toml cannot be read.
    """
    kept: dict[str, str | None] = {
        name: None
        for name in environ
        if name.startswith("UV_") and not (UV_REACH.fullmatch(name) or _PLACES.fullmatch(name))
    }
    kept |= dict.fromkeys(("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX"))
    settings: dict[str, Any] = {}
    for file in configuration_files(environ):
        settings |= _read(file)
    lines = [
        f"{key} = {_toml(settings[key])}\n" for key in sorted(settings) if _KEYS.fullmatch(key)
    ]
    if not lines:
        return kept | {"UV_NO_CONFIG": "1"}
    file = scratch / "uv.toml"
    file.write_text("".join(lines))
    return kept | {"UV_CONFIG_FILE": str(file)}


def configuration_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the configuration files of system and user that uv reads, lowest precedence first."""
    if environ.get("UV_NO_CONFIG", "").lower() in {"1", "true"}:
        return []
    if named := environ.get("UV_CONFIG_FILE"):
        return [Path(named)]
    if os.name == "nt":
        roots = [environ.get("PROGRAMDATA"), environ.get("APPDATA")]
        found = [Path(root, "uv", "uv.toml") for root in roots if root]
    else:
        system = (environ.get("XDG_CONFIG_DIRS") or "/etc").split(":")[0]
        user = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~"), ".config"))
        found = [Path("/etc/uv/uv.toml"), Path(system, "uv/uv.toml"), Path(user, "uv/uv.toml")]
    return [file for file in dict.fromkeys(found) if file.is_file()]


def rewriting_settings(environ: Mapping[str, str]) -> list[str]:
    """Return the user's settings with which `uv run` rewrites uv.lock.

    This project's own calls of uv are not affected; with UV_FROZEN, no call is.

    Raises:
        UsageError: The user's uv.toml cannot be read.
    """
    if environ.get("UV_FROZEN", "").lower() in {"1", "true", "yes", "on"}:
        return []
    found = sorted(name for name in environ if _REWRITES.fullmatch(name))
    for file in configuration_files(environ):
        found += [f"{key} in {file}" for key in _REWRITING_KEYS if key in _read(file)]
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"uv's configuration file {file} cannot be read.",
            why=f"{error}.",
            fix="Correct it, or type: export UV_NO_CONFIG=1",
        ) from None


def _toml(value: Any) -> str:
    """Return a value of uv.toml as TOML, with tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
