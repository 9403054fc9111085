"""Move images through a registry, under their local names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import Client, image as identity, image_name
from posebowl.errors import EngineError, UsageError

_LOOPBACK: Final = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(/.*)?")


@dataclass(frozen=True, kw_only=True)
class Moved:
    """An image that was pulled or pushed."""

    remote: str
    local: str
    id: str


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


def push(client: Client, variant: Variant, registry: str) -> Moved:
    """Push the image that this checkout builds; a stale one is refused.

    Raises:
        EngineError: The image is missing or stale, or the registry does not accept it.
    """
    image = identity.current(client, variant)
    remote = remote_name(registry, variant, identity.key())
    client.run("tag", image.name, remote)
    try:
        client.run(
            *transfer_argv("push", client.engine, remote),
            timeout_s=None,
            fix=f"Type: {client.engine} login {registry}",
        )
    finally:
        client.run("rmi", remote, check=False)
    return Moved(remote=remote, local=image.name, id=image.id)


def pull(client: Client, variant: Variant, registry: str) -> Moved:
    """Pull the image that was built from this uv.lock, and tag it with its local names.

    Raises:
        EngineError: The registry has none for this lock, or its labels disagree with its name.
    """
    key = identity.key()
    remote, local = remote_name(registry, variant, key), image_name(variant, key)
    fix = f"Build it here instead: uv run nox -s build-{variant}"
    client.run(*transfer_argv("pull", client.engine, remote), timeout_s=None, fix=fix)
    try:
        image = identity.find(client, remote)
        if image is None:
            raise EngineError(f"{client.engine} pulled {remote} but does not have it.", fix=fix)
        if why := identity.stale(image, variant):
            raise EngineError(f"{remote} is not what its name says.", why=why, fix=fix)
        for name in (local, image_name(variant)):
            client.run("tag", remote, name)
    finally:
        client.run("rmi", remote, check=False)
    return Moved(remote=remote, local=local, id=image.id)


def transfer_argv(command: str, engine: EngineName, remote: str) -> list[str]:
    """Build the arguments of a pull or push; a registry on this machine may speak plain HTTP."""
    words = [command]
    if engine == EngineName.PODMAN and _LOOPBACK.fullmatch(remote.rpartition("/")[0]):
        words.append("--tls-verify=false")
    return [*words, remote]
