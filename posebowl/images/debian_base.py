"""A base image without a registry: made by debootstrap, imported into docker or podman."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.challenge import EngineName
from posebowl.engines.oci import Client, host_user, image as identity
from posebowl.errors import EngineError
from posebowl.util import process
from posebowl.util.host import is_root

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


def make(
    client: Client,
    *,
    mirror: str = "",
    scratch: Path | None = None,
    name: str = NAME,
    as_root: bool | None = None,
) -> Base:
    """Make the base image from Debian's packages, and import it.

    Args:
        client: Of the engine that takes it.
        mirror: Where Debian's packages are; by default where the host's apt gets its own.
        scratch: A folder with 1 GB of room; by default the one for temporary files.
        name: Of the image.
        as_root: Install in a root of the host's; otherwise in a container. By default as this
            user may.

    Raises:
        EngineError: A program that this needs is missing, or fails.
    """
    rooted = is_root() if as_root is None else as_root
    if problem := missing(as_root=rooted):
        raise problem
    start = time.monotonic()
    sources = host_sources()
    with tempfile.TemporaryDirectory(prefix="posebowl-base-", dir=scratch) as folder:
        root, archive = Path(folder, "root"), Path(folder, "base.tar")
        words = bootstrap_argv(root, mirror or mirror_of(sources))
        text = "" if mirror else sources_list(sources)
        if rooted:
            _run(words)
            forget_host(root)
            process.run(["sh", "-ec", tidying(text)], cwd=root, umask=0o022)
            _run(tar_argv(root, archive), quiet=True)
            client.run(*import_argv(archive, name), timeout_s=None)
        else:
            # What fakeroot pretends of owners has to hold until the archive is made.
            state = Path(folder, "fakeroot")
            state.touch()
            fakeroot = ["fakeroot", "-i", str(state), "-s", str(state), "--"]
            _run([*fakeroot, words[0], "--foreign", *words[1:]])
            forget_host(root)
            if (root / "proc").is_symlink():  # podman mounts nothing on a link
                (root / "proc").unlink()
                (root / "proc").mkdir()
                (root / "proc").chmod(0o755)
            _run([*fakeroot, *tar_argv(root, archive)], quiet=True)
            _install_in_container(client, archive, name, text)
    image = identity.find(client, name)
    if image is None:
        raise EngineError(
            f"{client.engine} did not keep the base image {name}.",
            fix=f"Type: {client.engine} images; then the same command again.",
        )
    return Base(name=name, bytes=image.bytes, seconds=time.monotonic() - start)


def _run(argv: list[str], *, quiet: bool = False) -> None:
    """Run a program of the host, which finds root's programs and makes files for all to read."""
    process.run(
        argv, env={"PATH": _path()}, umask=0o022, capture=quiet, to_stderr=True, echo=not quiet
    )


def _path() -> str:
    """Return a PATH with the folders of root's programs, which users' may lack."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _install_in_container(client: Client, archive: Path, name: str, sources: str) -> None:
    """Import unpacked packages, install them where there is a root: in a container."""
    unfinished = f"{name}-unfinished"
    container = f"posebowl-base-{secrets.token_hex(4)}"
    # In a container of this kind debootstrap can do without devices of its own.
    run = ["run", "--name", container, "--network", "none", "--workdir", "/"]
    run += ["--env", "container=lxc"]
    if client.engine == EngineName.PODMAN:  # which asks for more than this process may grant
        run += [f"--ulimit={limit}={most}:{most}" for limit, most in host_user.rlimits().items()]
    try:
        client.run(*import_argv(archive, unfinished), timeout_s=None)
        script = f"/debootstrap/debootstrap --second-stage\nrm -rf debootstrap\n{tidying(sources)}"
        process.run(
            [*client.argv, *run, unfinished, "sh", "-ec", script],
            capture=False,
            to_stderr=True,
        )
        client.run("export", "--output", str(archive), container, timeout_s=None)
        client.run(*import_argv(archive, name), timeout_s=None)
    finally:
        client.run("rm", "--force", container, check=False)
        client.run("rmi", "--force", unfinished, check=False)


def bootstrap_argv(root: Path, mirror: str) -> list[str]:
    """Build debootstrap's command line; without a mirror it uses its own default."""
    words = ["debootstrap", "--variant=minbase", SUITE, str(root)]
    return [*words, mirror] if mirror else words


def tar_argv(root: Path, archive: Path) -> list[str]:
    """Build the arguments that make an archive of a root."""
    return ["tar", "--numeric-owner", "--sort=name", "-C", str(root), "-cf", str(archive), "."]


def import_argv(archive: Path, name: str) -> list[str]:
    """Build the arguments that import a tar archive as an image."""
    words = ["import", "--change", 'CMD ["sh"]', "--change", f"LABEL posebowl.base={SUITE}"]
    return [*words, str(archive), name]


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


def sources_list(sources: list[Source]) -> str:
    """Return the image's sources.list, so that its apt sees updates where the host's does."""
    return "".join(source.line() for source in sources) if mirror_of(sources) else ""


def tidying(sources: str) -> str:
    """Return a script for the root's folder: empty what nobody reads in a container."""
    lines = [f"rm -rf {' '.join(f'{name}/*' for name in _NEEDLESS)}"]
    if sources:
        lines.append(f"printf %s {shlex.quote(sources)} >etc/apt/sources.list")
    return "\n".join(lines)


def forget_host(root: Path) -> None:
    """Empty what names the machine that made a root."""
    for name in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        with contextlib.suppress(FileNotFoundError):
            (root / name).write_text("")


def missing(*, as_root: bool) -> EngineError | None:
    """Return what this machine lacks to make the base, or None."""
    if sys.platform != "linux":
        return EngineError(
            "The base image can only be made on Linux.",
            why="debootstrap makes it from Debian's packages, where no registry can be reached.",
            fix="Build with a base image that the engine pulls, or do this in WSL2.",
        )
    programs = ["debootstrap"] if as_root else ["debootstrap", "fakeroot"]
    lacking = [name for name in programs if shutil.which(name, path=_path()) is None]
    if not lacking:
        return None
    return EngineError(
        f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not installed.",
        why="The base image is made with it from Debian's packages, where no registry can be "
        "reached.",
        fix=f"Type: sudo apt-get install {' '.join(lacking)}",
    )
