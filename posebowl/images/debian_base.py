"""A base image without a registry: made by debootstrap, imported into docker or podman."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.engines.oci import Client, image as identity
from posebowl.errors import EngineError
from posebowl.util import process

SUITE: Final = "bookworm"
NAME: Final = f"posebowl-base:{SUITE}"

# What nobody reads in a container; nothing is removed that a package needs to work.
_NEEDLESS: Final = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
)


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base image that was made."""

    name: str
    bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Source:
    """A part of Debian, and where the host's apt gets it."""

    uri: str
    suite: str

    def line(self) -> str:
        """Write it as a line of sources.list."""
        return f"deb {self.uri} {self.suite} main\n"


def local_name(client: Client) -> str:
    """Return the name of the base that was made here, or nothing where there is none."""
    return NAME if identity.find(client, NAME) else ""


def make(client: Client, *, mirror: str = "", scratch: Path | None = None) -> Base:
    """Make the base image from Debian's packages, and import it.

    Args:
        client: Of the engine that takes it.
        mirror: Where Debian's packages are; by default where the host's apt gets its own.
        scratch: A folder with 1 GB of room; by default the one for temporary files.

    Raises:
        EngineError: debootstrap is missing or fails, or this is not root.
    """
    if problem := _unable():
        raise problem
    start = time.monotonic()
    sources = host_sources()
    with _scratch(scratch) as folder:
        root, archive = folder / "root", folder / "base.tar"
        process.run(
            bootstrap_argv(root, mirror or mirror_of(sources)),
            capture=False,
            to_stderr=True,
            echo=True,
        )
        tidy(root)
        if not mirror:
            write_sources(root, sources)
        process.run(["tar", "--numeric-owner", "--sort=name", "-C", root, "-cf", archive, "."])
        client.run(*import_argv(archive), timeout_s=None)
    image = identity.find(client, NAME)
    if image is None:
        raise EngineError(
            f"{client.engine} did not keep the base image {NAME}.",
            fix=f"Type: {client.engine} images; then the same command again.",
        )
    return Base(name=NAME, bytes=image.bytes, seconds=time.monotonic() - start)


def bootstrap_argv(root: Path, mirror: str) -> list[str]:
    """Build debootstrap's command line; without a mirror it uses its own default."""
    words = ["debootstrap", "--variant=minbase", SUITE, str(root)]
    return [*words, mirror] if mirror else words


def import_argv(archive: Path) -> list[str]:
    """Build the arguments that import a tar archive as the base image."""
    words = ["import", "--change", 'CMD ["sh"]', "--change", f"LABEL posebowl.base={SUITE}"]
    return [*words, str(archive), NAME]


def host_sources() -> list[Source]:
    """Return where the host's apt gets this release of Debian from; nothing elsewhere.

    Addresses with a password in them are left out: they would stay in the image.
    """
    if shutil.which("apt-get") is None:
        return []
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    argv = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    return parse_sources(process.run(argv, check=False).stdout)


def parse_sources(text: str) -> list[Source]:
    """Read lines of an address, a suite and a component; only Debian's own main part."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3 or words[2] != "main" or "@" in words[0]:
            continue
        if re.fullmatch(rf"{SUITE}(-updates|-security)?", words[1]):
            found.append(Source(uri=words[0], suite=words[1]))
    return list(dict.fromkeys(found))


def mirror_of(sources: list[Source]) -> str:
    """Return the address of the release itself, or nothing."""
    return next((source.uri for source in sources if source.suite == SUITE), "")


def write_sources(root: Path, sources: list[Source]) -> None:
    """Let the image's apt see updates and security fixes too, where the host's does."""
    if mirror_of(sources):
        text = "".join(source.line() for source in sources)
        (root / "etc" / "apt" / "sources.list").write_text(text)


def tidy(root: Path) -> None:
    """Empty what nobody reads in a container, and forget which machine made it."""
    for name in _NEEDLESS:
        for path in (root / name).glob("*"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        with contextlib.suppress(FileNotFoundError):
            (root / name).write_text("")


def _unable() -> EngineError | None:
    """Say what is missing here to make the base, or None."""
    if sys.platform != "linux" or shutil.which("debootstrap") is None:
        return EngineError(
            "debootstrap is not installed.",
            why="It makes the base image from Debian's packages, where no registry can be reached.",
            fix="Type: sudo apt-get install debootstrap",
        )
    if os.geteuid() != 0:
        return EngineError(
            "Only root can make the base image.",
            why="debootstrap installs packages into a root of their own.",
            fix="Type: sudo env PATH=$PATH uv run invoke base; or let the build pull its base.",
        )
    return None


@contextlib.contextmanager
def _scratch(parent: Path | None) -> Iterator[Path]:
    """Give a folder that is removed afterwards, with all that debootstrap put there."""
    with tempfile.TemporaryDirectory(prefix="posebowl-base-", dir=parent) as name:
        yield Path(name)
