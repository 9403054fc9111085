"""What an image is, told by its labels, and whether it is what the checkout would build."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import Variant
from posebowl.engines.oci.argv import image_name
from posebowl.engines.oci.client import Client
from posebowl.environments import digest
from posebowl.errors import EngineError

LOCK_LABEL: Final = "posebowl.lock"
RECIPE_LABEL: Final = "posebowl.recipe"
VARIANT_LABEL: Final = "posebowl.variant"
REVISION_LABEL: Final = "org.opencontainers.image.revision"

RECIPE: Final = (
    "Dockerfile",
    "apt.txt",
    "build-env.sh",
    "cpu-without.txt",
    "entrypoint.sh",
    "unpack.py",
    "without_cuda.py",
)
"""The files of runtime/ that an image is made from, beside the lock."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that an engine has."""

    name: str
    id: str
    bytes: int
    layers: tuple[str, ...]
    labels: dict[str, str]


def lock_hash() -> str:
    """Return the hash of uv.lock that an image made from it carries."""
    return digest()


def recipe_hash(runtime: Path = paths.RUNTIME) -> str:
    """Return the SHA-256, in hex, of the files of runtime/ that make an image."""
    digest = hashlib.sha256()
    for name in RECIPE:
        content = (runtime / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def find(client: Client, name: str) -> Image | None:
    """Return what an engine knows of an image, or None if it does not have it."""
    found = client.inspect("image", name)
    if found is None:
        return None
    return Image(
        name=name,
        id=str(found.get("Id", "")).removeprefix("sha256:"),
        bytes=int(found.get("Size") or 0),
        layers=tuple((found.get("RootFS") or {}).get("Layers") or ()),
        labels={**((found.get("Config") or {}).get("Labels") or {})},
    )


def current(client: Client, variant: Variant) -> Image:
    """Return the image of a variant, made from the lock and the recipe of this checkout.

    Raises:
        EngineError: There is none, or it was made from another lock or recipe.
    """
    name = image_name(variant)
    fix = f"Type: uv run nox -s build-{variant} -- --engine {client.engine}"
    image = find(client, name)
    if image is None:
        why = "It was neither built nor pulled here."
        raise EngineError(f"{client.engine} has no image {name}.", why=why, fix=fix)
    if why := stale(image, variant):
        raise EngineError(f"The image {name} is not what this checkout builds.", why=why, fix=fix)
    return image


def stale(image: Image, variant: Variant) -> str:
    """Say why an image must not stand for this checkout; nothing if it may."""
    made = image.labels
    if made.get(VARIANT_LABEL) != variant:
        return f"It is the {made.get(VARIANT_LABEL) or 'unlabelled'} variant, not {variant}."
    if made.get(LOCK_LABEL) != lock_hash():
        return (
            f"It was made from another uv.lock ({_short(made.get(LOCK_LABEL))}, "
            f"now {_short(lock_hash())})."
        )
    if made.get(RECIPE_LABEL) != recipe_hash():
        return "The files in runtime/ have changed since it was made."
    return ""


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "none"
