"""The host's settings for reaching packages, passed to a build as secrets.

They are a bundle of certificates (for a proxy that inspects TLS), indexes and proxies from the
environment, and apt's proxies. None of them remains in an image.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.environments import UV_REACH
from posebowl.errors import UsageError
from posebowl.util import process

# Settings of uv and pip that hold on any machine; those that name files of the host do not.
_PASSED: Final = re.compile(
    rf"{UV_REACH.pattern}"
    r"|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT|TIMEOUT|RETRIES)"
    r"|(HTTP|HTTPS|ALL|NO)_PROXY|(http|https|all|no)_proxy"
)
_BUNDLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_APT: Final = re.compile(r"^Acquire::(http|https|ftp)::(Proxy|Timeout|Verify-)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A file of the host that some steps of a build may read."""

    id: str
    path: Path

    def argv(self) -> list[str]:
        """Return the options of `docker build` and `podman build`."""
        return ["--secret", f"id={self.id},src={self.path}"]


@contextlib.contextmanager
def secrets(ca_bundle: Path | None) -> Iterator[list[Secret]]:
    """Collect the host's settings, each as a file that exists while the block runs.

    Args:
        ca_bundle: Certificates to trust; None takes what SSL_CERT_FILE or the like names.

    Raises:
        UsageError: The bundle does not exist.
    """
    texts = {"env": exports(os.environ), "apt": apt_settings()}
    with tempfile.TemporaryDirectory(prefix="posebowl-secrets-") as folder:
        found = []
        if bundle := find_bundle(ca_bundle, os.environ):
            found.append(Secret(id="ca", path=bundle))
        for name, text in texts.items():
            if text:
                path = Path(folder, name)
                path.touch(mode=0o600)
                path.write_text(text, encoding="utf-8")
                found.append(Secret(id=name, path=path))
        yield found


def find_bundle(asked: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the bundle of certificates to pass, or None where the host names none.

    Raises:
        UsageError: The one that was asked for does not exist.
    """
    if asked is not None:
        if not asked.is_file():
            raise UsageError(
                f"{asked} is not a file.",
                why="The setting ca_bundle names it as a bundle of certificates.",
                fix="Name a PEM file: --ca-bundle FILE",
            )
        return asked.resolve()
    for name in _BUNDLES:
        value = environ.get(name, "")
        if value and Path(value).is_file():
            return Path(value).resolve()
    return None


def exports(environ: Mapping[str, str]) -> str:
    """Return shell commands that export the settings of uv, pip and proxies that a build needs."""
    names = sorted(name for name in environ if _PASSED.fullmatch(name))
    return "".join(f"export {name}={shlex.quote(environ[name])}\n" for name in names)


def apt_settings() -> str:
    """Return the host's apt settings for proxies and timeouts; empty without apt."""
    if shutil.which("apt-config") is None:
        return ""
    lines = process.run(["apt-config", "dump", "Acquire"], check=False).stdout.splitlines()
    return "".join(f"{line}\n" for line in lines if _APT.match(line) and '""' not in line)
