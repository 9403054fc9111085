"""A base image made without a registry: by debootstrap, imported into docker or podman."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.challenge import EngineName
from posebowl.engines.oci import Client, argv as oci_argv, host_user, image as identity
from posebowl.errors import EngineError
from posebowl.util import process
from posebowl.util.host import is_root
from posebowl.util.process_identity import owned_folder, owner

SUITE: Final = "bookworm"
NAME: Final = f"posebowl-base:{SUITE}"

_KILLED_WITH_THIS: Final = ["setpriv", "--pdeathsig", "KILL"]
_APART: Final = ["unshare", "--mount-proc", "--pid", "--fork", "--kill-child"]
"""What it mounts is seen by its own processes alone, and all of them end when it does."""

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
    """A suite of Debian, and where the host's apt gets it."""

    uri: str
    suite: str


def local_name(client: Client) -> str:
    """Return the name of the base image if one was made here, else an empty string."""
    return NAME if identity.find(client, NAME) else ""


def make(
    client: Client,
    *,
    cache: Path,
    mirror: str = "",
    name: str = NAME,
    as_root: bool | None = None,
) -> Base:
    """Make the base image from Debian's packages, and import it.

    Args:
        client: Of the engine that takes it.
        cache: The folder of the setting `cache`; it needs 1 GB of free space.
        mirror: Where Debian's packages are; by default where the host's apt gets its own.
        name: Of the image.
        as_root: Install in a folder of the host, which only root can; otherwise in a container.
            By default what this user can.

    Raises:
        EngineError: A program that this needs is missing, or fails.
    """
    rooted = is_root() if as_root is None else as_root
    if problem := missing(as_root=rooted):
        raise problem
    start = time.monotonic()
    sources = host_sources()
    with owned_folder(cache / "bases") as folder:
        root = folder / "root"
        words = bootstrap_argv(root, mirror or mirror_of(sources))
        install = _install_as_root if rooted else _install_as_user
        install(client, words, root, name, "" if mirror else sources_list(sources))
    image = identity.find(client, name)
    if image is None:
        raise EngineError(
            f"{client.engine} did not keep the base image {name}.",
            fix=f"Type: {client.engine} images; then repeat this command.",
        )
    return Base(name=name, bytes=image.bytes, seconds=time.monotonic() - start)


def _install_as_root(
    client: Client, bootstrap: list[str], root: Path, name: str, sources: str
) -> None:
    archive = root.with_name("base.tar")
    _run([*apart(), *bootstrap])
    forget_host(root)
    process.run(["sh", "-ec", tidying(sources)], cwd=root, umask=0o022)
    _run(tar_argv(root, archive), quiet=True)
    client.run(*import_argv(archive, name), timeout_s=None)


def _install_as_user(
    client: Client, bootstrap: list[str], root: Path, name: str, sources: str
) -> None:
    archive, state = root.with_name("base.tar"), root.with_name("fakeroot")
    state.touch()  # the owners that fakeroot pretends have to last until the archive is made
    fakeroot = ["fakeroot", "-i", str(state), "-s", str(state), "--"]
    _run([*fakeroot, bootstrap[0], "--foreign", *bootstrap[1:]])
    forget_host(root)
    proc = root / "proc"
    if proc.is_symlink():  # podman mounts nothing on a link
        proc.unlink()
        proc.mkdir()
        proc.chmod(0o755)
    _run([*fakeroot, *tar_argv(root, archive)], quiet=True)
    _install_in_container(client, archive, name, sources)


def _run(argv: list[str], *, quiet: bool = False) -> None:
    """Run a program that finds root's programs and makes files that all users can read."""
    process.run(
        argv, env={"PATH": _path()}, umask=0o022, capture=quiet, to_stderr=True, echo=not quiet
    )


def apart() -> list[str]:
    """Return what starts a program that mounts something, so that none of it is ever left.

    It is nothing where mounts are forbidden, as in most containers: there, none is made either.
    """
    with contextlib.suppress(process.ProcessError):
        process.run([*_KILLED_WITH_THIS, *_APART, "true"])
        return [*_KILLED_WITH_THIS, *_APART]
    return []


def _path() -> str:
    """Return a PATH with the folders of root's programs, which a user's may lack."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _install_in_container(client: Client, archive: Path, name: str, sources: str) -> None:
    """Import unpacked packages, and install them where there is a root user: in a container."""
    unfinished = f"{name}-unfinished"
    container = f"posebowl-base-{secrets.token_hex(4)}"
    # debootstrap makes no devices in what it takes for an LXC container.
    run = ["run", "--name", container, "--network", "none", "--workdir", "/"]
    run += ["--env", "container=lxc"]
    labels = {oci_argv.RUN_LABEL: "base", oci_argv.OWNER_LABEL: owner()}
    run += [f"--label={label}={value}" for label, value in labels.items()]
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
    """Return where the host's apt gets this release of Debian; empty on other systems.

    Addresses with a password in them are left out: they would remain in the image.
    """
    if shutil.which("apt-get") is None:
        return []
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    argv = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    return parse_sources(process.run(argv, check=False).stdout)


def parse_sources(text: str) -> list[Source]:
    """Read lines of an address, a suite and a component; keep those of Debian's main component."""
    found = re.findall(
        rf"^[ \t]*([^\s@]+)[ \t]+({SUITE}(?:-updates|-security)?)[ \t]+main[ \t]*$",
        text,
        re.MULTILINE,
    )
    return [Source(uri=uri, suite=suite) for uri, suite in dict.fromkeys(found)]


def mirror_of(sources: list[Source]) -> str:
    """Return the address of the release itself; empty if there is none."""
    return next((source.uri for source in sources if source.suite == SUITE), "")


def sources_list(sources: list[Source]) -> str:
    """Return the image's sources.list, so that its apt sees updates where the host's does."""
    lines = (f"deb {source.uri} {source.suite} main\n" for source in sources)
    return "".join(lines) if mirror_of(sources) else ""


def tidying(sources: str) -> str:
    """Return a script, run in the root's folder, that removes what nobody reads in a container."""
    lines = [f"rm -rf {' '.join(f'{name}/*' for name in _NEEDLESS)}"]
    if sources:
        lines.append(f"printf %s {shlex.quote(sources)} >etc/apt/sources.list")
    return "\n".join(lines)


def forget_host(root: Path) -> None:
    """Empty the files that name the machine on which a root was made."""
    for name in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        with contextlib.suppress(FileNotFoundError):
            (root / name).write_text("")


def missing(*, as_root: bool) -> EngineError | None:
    """Return what this machine lacks to make the base image, or None."""
    if sys.platform != "linux":
        return EngineError(
            "The base image can only be made on Linux.",
            why="debootstrap makes it from Debian's packages, without a registry.",
            fix="Build with a base image that the engine pulls, or do this in WSL2.",
        )
    programs = ["debootstrap"] if as_root else ["debootstrap", "fakeroot"]
    lacking = [name for name in programs if shutil.which(name, path=_path()) is None]
    if not lacking:
        return None
    return EngineError(
        f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not installed.",
        why="The base image is made from Debian's packages with debootstrap, without a registry.",
        fix=f"Type: sudo apt-get install {' '.join(lacking)}",
    )
