"""What an image is, by its labels, and whether it is what this checkout would build."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import Variant
from posebowl.engines.oci.argv import image_name
from posebowl.engines.oci.client import Client
from posebowl.environments import digest, edited
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
    "sources/names.txt",
    "unpack.py",
    "uv.txt",
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
    architecture: str = ""

    def emulation(self, machine: str) -> str:
        """Return a warning where a machine of another architecture has to emulate the image's."""
        if not self.architecture or not machine or self.architecture == machine:
            return ""
        return (
            f"The image is for {self.architecture} and the engine's machine is {machine}: it is "
            "emulated, so times do not tell how fast the platform is."
        )


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


def key() -> str:
    """Return the SHA-256, in hex, of all that makes an image: two checkouts never share a name."""
    return hashlib.sha256(f"{lock_hash()} {recipe_hash()}".encode()).hexdigest()


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
        architecture=str(found.get("Architecture") or ""),
    )


def named(client: Client, name: str) -> Image:
    """Return an image that the user names, whatever it was made from.

    Raises:
        EngineError: The engine does not have it.
    """
    if image := find(client, name):
        return image
    raise EngineError(
        f"{client.engine} has no image {name}.",
        why="It is named by the setting image, and is not pulled by itself.",
        fix=f"Type: {client.engine} pull {shlex.quote(name)}",
    )


def current(client: Client, variant: Variant) -> Image:
    """Return the image of a variant, made from the lock and the recipe of this checkout.

    Raises:
        EngineError: There is none, or it was made from another lock or recipe.
    """
    fix = f"Type: uv run nox -s build-{variant} -- --engine {client.engine}"
    image = find(client, image_name(variant, key())) or find(client, image_name(variant))
    if image is None:
        why = "It was neither built nor pulled here."
        name = image_name(variant)
        raise EngineError(f"{client.engine} has no image {name}.", why=why, fix=fix)
    if why := stale(image, variant):
        what = f"The image {image.name} is not what this checkout builds."
        raise EngineError(what, why=why, fix=fix)
    return image


def stale(image: Image, variant: Variant) -> str:
    """Return why an image cannot be used for this checkout; nothing if it can."""
    made = image.labels
    if made.get(VARIANT_LABEL) != variant:
        return f"It is the {made.get(VARIANT_LABEL) or 'unlabelled'} variant, not {variant}."
    if made.get(LOCK_LABEL) != lock_hash():
        locks = f"{_short(made.get(LOCK_LABEL))}, now {_short(lock_hash())}"
        return f"It was made from another uv.lock ({locks}). {edited()}".strip()
    if made.get(RECIPE_LABEL) != recipe_hash():
        return "The files in runtime/ have changed since it was made."
    return ""


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "none"
