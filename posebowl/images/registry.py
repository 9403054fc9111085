"""Move images through a registry, under their local names."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import Client, image as identity, image_name
from posebowl.errors import EngineError, UsageError
from posebowl.util.text import show

_LOOPBACK: Final = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(/.*)?")
_VERSION: Final = re.compile(r"[A-Za-z0-9_.-]{0,100}")


@dataclass(frozen=True, kw_only=True)
class Moved:
    """An image that was pulled or pushed."""

    remote: str
    local: str
    id: str
    digest: str = ""
    """Of its manifest in the registry: `sha256:...`."""
    tags: tuple[str, ...] = ()
    """Its other names in the registry."""


def required(registry: str | None) -> str:
    """Return the registry that is set.

    Raises:
        UsageError: None is set.
    """
    if registry is None:
        raise UsageError(
            "No registry is set.",
            why="Images are pushed to a registry and pulled from it, and none is used by default.",
            fix="Add --registry HOST[:PORT][/PATH], or set POSEBOWL_REGISTRY.",
        )
    return registry


def remote_name(registry: str, variant: Variant, key: str) -> str:
    """Return the name of an image in a registry: its local name after the registry's."""
    return f"{registry}/{image_name(variant, key)}"


def push(client: Client, variant: Variant, registry: str, *, version: str = "") -> Moved:
    """Push the image that this checkout builds; a stale one is refused.

    Args:
        client: Of docker or podman.
        variant: Which image.
        registry: Where to: host[:port][/path].
        version: A version of this project, under which the image is pushed too.

    Raises:
        EngineError: The image is missing or stale, or the registry does not accept it.
        UsageError: The version cannot be part of a tag.
    """
    if not _VERSION.fullmatch(version):
        raise UsageError(
            f"--version {show(version)} cannot be part of an image's tag.",
            why="A tag has letters, digits, `.`, `_` and `-`, and at most 100 of them here.",
            fix="Type: --version 0.1.0",
        )
    image = identity.current(client, variant)
    remote = remote_name(registry, variant, identity.key())
    tags = (f"{registry}/{image_name(variant)}-{version}",) if version else ()
    digests = [_push(client, image.name, name, registry) for name in (remote, *tags)]
    return Moved(remote=remote, local=image.name, id=image.id, digest=digests[0], tags=tags)


def _push(client: Client, local: str, remote: str, registry: str) -> str:
    """Push an image under one name, and return the digest that the registry knows it by."""
    client.run("tag", local, remote)
    fix = f"Type: {client.engine} login {registry}"
    try:
        with tempfile.TemporaryDirectory(prefix="posebowl-push-") as folder:
            words = transfer_argv("push", client.engine, remote)
            if client.engine is EngineName.PODMAN:
                # What it pushes is compressed, and has another digest than what it keeps.
                file = Path(folder, "digest")
                words[1:1] = ["--digestfile", str(file)]
                client.run(*words, timeout_s=None, fix=fix)
                return file.read_text(encoding="utf-8").strip()
            client.run(*words, timeout_s=None, fix=fix)
        return pulled_digest(client, remote)
    finally:
        client.run("rmi", remote, check=False)


def pulled_digest(client: Client, name: str) -> str:
    """Return the digest under which a registry served an image; empty if none did."""
    found = client.inspect("image", name) or {}
    if client.engine is EngineName.PODMAN:  # whose list has the index and what it took from it
        return str(found.get("Digest", ""))
    place = re.sub(r"(:[^:/@]+)?(@.*)?$", "", name)
    known = (one.partition("@") for one in found.get("RepoDigests") or ())
    # Docker shortens the names of its own hub.
    return next((digest for own, _, digest in known if f"/{place}".endswith(f"/{own}")), "")


def pull(client: Client, variant: Variant, registry: str, *, digest: str = "") -> Moved:
    """Pull the image that was built from this uv.lock, and tag it with its local names.

    Args:
        client: Of docker or podman.
        variant: Which image.
        registry: Where from: host[:port][/path].
        digest: What the image has to be; without it, its labels are believed.

    Raises:
        EngineError: The registry has none for this lock, or not the one of the digest, or its
            labels disagree with its name.
    """
    key = identity.key()
    remote, local = remote_name(registry, variant, key), image_name(variant, key)
    if digest:
        remote = f"{remote.rpartition(':')[0]}@{digest}"
    fix = f"Build it here instead: uv run nox -s build-{variant}"
    client.run(*transfer_argv("pull", client.engine, remote), timeout_s=None, fix=fix)
    try:
        image = identity.find(client, remote)
        if image is None:
            raise EngineError(f"{client.engine} pulled {remote} but does not have it.", fix=fix)
        if why := identity.stale(image, variant):
            raise EngineError(f"{remote} is not what its name says.", why=why, fix=fix)
        served = pulled_digest(client, remote)
        for name in (local, image_name(variant)):
            client.run("tag", image.id, name)
    finally:
        client.run("rmi", remote, check=False)
    return Moved(remote=remote, local=local, id=image.id, digest=digest or served)


def transfer_argv(command: str, engine: EngineName, remote: str) -> list[str]:
    """Build the arguments of a pull or push; a registry on this machine may speak plain HTTP."""
    words = [command]
    if engine == EngineName.PODMAN and _LOOPBACK.fullmatch(remote.rpartition("/")[0]):
        words.append("--tls-verify=false")
    return [*words, remote]
