"""Build the images from uv.lock."""

from __future__ import annotations

import itertools
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import Client, client as oci_client, image as identity, image_name
from posebowl.environments import excluded
from posebowl.errors import EngineError
from posebowl.images import build_secrets
from posebowl.images.build_secrets import Secret
from posebowl.images.context import staged
from posebowl.images.debian_base import local_name
from posebowl.util import process
from posebowl.util.console import note, warn
from posebowl.util.units import human_bytes

BASE: Final = re.compile(r"(?<=^ARG BASE_IMAGE=)\S+$", re.MULTILINE)
"""In the Dockerfile: what a build starts from where nothing is named and `base` made nothing."""

_BASE_NAME: Final = "org.opencontainers.image.base.name"
_BASE_DIGEST: Final = "org.opencontainers.image.base.digest"


@dataclass(frozen=True, kw_only=True)
class Built:
    """An image that was built."""

    name: str
    alias: str
    """The name of the latest one of its variant, whichever checkout built that."""
    id: str
    engine: EngineName
    bytes: int
    seconds: float
    shared_bytes: int | None
    """Of layers that the other variant has too; None while there is no other one."""
    lock: str


def build(
    variant: Variant,
    engine: EngineName | None = None,
    *,
    cache: Path,
    no_cache: bool = False,
    base_image: str = "",
    ca_bundle: Path | None = None,
    network: str = "host",
) -> Built:
    """Build the image of a variant; its progress goes to the terminal.

    Args:
        variant: Cpu or gpu.
        engine: Docker or podman; None takes docker where it works, else podman.
        cache: The folder of the setting `cache`.
        no_cache: Repeat every step.
        base_image: What to start from; by default the image that `base` made, if any, else
            Debian's own.
        ca_bundle: Certificates that the build trusts; by default what the environment names.
        network: The network of the build's steps.

    Raises:
        EngineError: The engine is missing, or the build failed.
    """
    client = choose(engine)
    for name, why in excluded().items():
        warn(f"pyproject.toml asks for {name}, but it is never installed: {why}")
    start = time.monotonic()
    argv, variables = oci_client.builder(client)
    chosen = base_image or local_name(client) or default_base()
    pull_base(client, chosen)
    with build_secrets.secrets(ca_bundle) as secrets, staged(variant, cache) as context:
        words = build_argv(
            variant,
            secrets,
            names=(image_name(variant, identity.key()), image_name(variant)),
            base_image=chosen,
            no_cache=no_cache,
            network=network,
            labels=labels(variant) | base_labels(client, chosen),
            podman=client.engine == EngineName.PODMAN,
            buildx=argv[-1] == "buildx",
        )
        _run([*argv, *words], context, variables)
    image = identity.current(client, variant)
    return Built(
        name=image.name,
        alias=image_name(variant),
        id=image.id,
        engine=client.engine,
        bytes=image.bytes,
        seconds=time.monotonic() - start,
        shared_bytes=shared_bytes(client),
        lock=identity.lock_hash(),
    )


def default_base() -> str:
    """Return the base image of the Dockerfile."""
    (found,) = BASE.findall((paths.RUNTIME / "Dockerfile").read_text(encoding="utf-8"))
    return str(found)


def choose(engine: EngineName | None) -> Client:
    """Return a client of the engine asked for, or of the first that works here.

    Raises:
        EngineError: It does not work, or none does.
    """
    if engine is not None:
        return oci_client.connect(engine)
    reasons = []
    for name in (EngineName.DOCKER, EngineName.PODMAN):
        try:
            return oci_client.connect(name)
        except EngineError as error:
            reasons.append(str(error))
    raise EngineError(
        "Images need docker or podman, and neither works here.",
        why=" ".join(reasons),
        fix="Install one of them; the embedded engine runs submissions without.",
    )


def pull_base(client: Client, name: str) -> None:
    """Pull the image that a build starts from, unless the engine has it.

    Raises:
        EngineError: It cannot be pulled.
    """
    if identity.find(client, name):
        return
    try:
        process.run([*client.argv, "pull", name], capture=False, to_stderr=True, echo=True)
    except process.ProcessError as error:
        raise EngineError(
            f"{client.engine} cannot pull the base image {name}.",
            why=f"{error.what} Its output is above.",
            fix=f"Without a registry, type: uv run invoke base --engine {client.engine}; "
            "then repeat this command. --base-image names another image.",
        ) from None


def build_argv(
    variant: Variant,
    secrets: list[Secret],
    *,
    names: tuple[str, ...],
    base_image: str,
    no_cache: bool,
    network: str,
    labels: Mapping[str, str],
    podman: bool,
    buildx: bool,
) -> list[str]:
    """Build the arguments after the client's name."""
    options = [
        *(("--tag", name) for name in names),
        ("--build-arg", f"VARIANT={variant}"),
        ("--build-arg", f"BASE_IMAGE={base_image}"),
        ("--network", network),
        *(("--label", f"{name}={labels[name]}") for name in sorted(labels)),
        *(secret.argv() for secret in secrets),
        ("--no-cache",) if no_cache else (),
        ("--layers",) if podman else (),  # else it keeps no intermediate layers
        ("--load",) if buildx else (),  # else a builder in a container keeps the image to itself
        ("--allow", "network.host") if buildx and network == "host" else (),
    ]
    return ["build", "--file", "runtime/Dockerfile", *itertools.chain(*options), "."]


def labels(variant: Variant) -> dict[str, str]:
    """Return the labels of an image, the same for the same sources."""
    done = process.run(["git", "rev-parse", "HEAD"], cwd=paths.ROOT, check=False)
    return {
        identity.LOCK_LABEL: identity.lock_hash(),
        identity.RECIPE_LABEL: identity.recipe_hash(),
        identity.VARIANT_LABEL: str(variant),
        identity.REVISION_LABEL: done.stdout.strip() or "unknown",
    }


def base_labels(client: Client, name: str) -> dict[str, str]:
    """Return the labels that say which base image was used, by what no registry can change.

    The names are those of the OCI image specification, annotations.md.
    """
    found = client.inspect("image", name) or {}
    digests = [str(digest).rpartition("@")[2] for digest in found.get("RepoDigests") or ()]
    # One that was made here has no digest of a registry.
    digest = (*digests, str(found.get("Id", "unknown")))[0]
    return {_BASE_NAME: name, _BASE_DIGEST: digest}


def shared_bytes(client: Client) -> int | None:
    """Return the size of the layers that both images have, in bytes; None without both."""
    names = [image_name(variant) for variant in Variant]
    if any(identity.find(client, name) is None for name in names):
        return None
    one, other = (_layer_sizes(client, name) for name in names)
    pairs = zip(one, other, strict=False)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
    return sum(size for (_, size), _ in same)


def _layer_sizes(client: Client, name: str) -> list[tuple[str, int]]:
    """Return the steps that made an image, first to last, each with the bytes it added."""
    form = ["--no-trunc", "--human=false", "--format", "{{.CreatedBy}}\t{{.Size}}"]
    lines = client.run("history", *form, name).stdout.splitlines()
    steps = [line.rpartition("\t") for line in reversed(lines)]
    return [(step, int(size)) for step, _, size in steps if size.strip().isdecimal()]


def describe(built: Built) -> str:
    """Return a line about what was built."""
    size = human_bytes(built.bytes)
    text = f"{built.name} and {built.alias} ({built.engine}): {size} in {built.seconds:.0f} s"
    if built.shared_bytes is not None:
        text += f"; {human_bytes(built.shared_bytes)} of it shared with the other variant"
    return text


def _run(argv: list[str], context: Path, variables: dict[str, str]) -> None:
    """Build, with the engine's own progress on the terminal."""
    note(f"$ {' '.join(argv)}")
    try:
        process.run(argv, cwd=context, env=variables, capture=False, to_stderr=True)
    except (process.ProcessError, subprocess.SubprocessError) as error:
        why, fix = str(error), "Type: invoke doctor"
        if isinstance(error, process.ProcessError):
            why, fix = error.what, "The last lines above show which step failed, and why."
        raise EngineError("The image could not be built.", why=why, fix=fix) from None
