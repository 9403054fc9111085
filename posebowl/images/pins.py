"""What a build starts from, pinned to its bytes: uv by the hashes of uv.lock, Debian by its digest.

`uv run nox -s pins` writes both into runtime/.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from posebowl import paths
from posebowl.challenge import EngineName
from posebowl.engines.oci import Client
from posebowl.images import builder, registry
from posebowl.settings import types
from posebowl.util import program, values
from posebowl.util.console import note
from posebowl.util.options import Option

DEBIAN: Final = "docker.io/library/debian:bookworm-slim"


@dataclass(frozen=True, kw_only=True)
class PinOptions:
    """Where the digest of the base image comes from."""

    engine: Annotated[EngineName | None, Option(types.ENGINE, "what asks the registry")] = None
    base: Annotated[str, Option(values.word(DEBIAN), "the image to pin")] = DEBIAN


def uv_requirement(lock: str) -> str:
    """Return a requirements file of a lock's uv and the hashes of its wheels."""
    found = next(each for each in tomllib.loads(lock)["package"] if each["name"] == "uv")
    hashes = sorted(f"    --hash={wheel['hash']}" for wheel in found["wheels"])
    head = "# The uv of uv.lock, by the hashes of its wheels. Renew: uv run nox -s pins\n"
    return head + " \\\n".join([f"uv=={found['version']}", *hashes]) + "\n"


def by_digest(client: Client, name: str) -> str:
    """Pull an image, and return its name with the digest of the registry instead of the tag.

    Raises:
        EngineError: It cannot be pulled.
    """
    client.run(*registry.transfer_argv("pull", client.engine, name), timeout_s=None)
    return f"{name.rpartition(':')[0]}@{registry.pulled_digest(client, name)}"


def renew(options: PinOptions, runtime: Path = paths.RUNTIME) -> None:
    """Write the pins into runtime/: uv's first, for which no registry is needed.

    Raises:
        EngineError: No engine works here, or the registry cannot be reached.
    """
    (runtime / "uv.txt").write_text(uv_requirement(paths.LOCK.read_text()))
    note("runtime/uv.txt names the uv of uv.lock.")
    base = by_digest(builder.choose(options.engine), options.base)
    dockerfile = runtime / "Dockerfile"
    dockerfile.write_text(builder.BASE.sub(base, dockerfile.read_text(), count=1))
    note(f"runtime/Dockerfile starts from {base}.")


if __name__ == "__main__":
    program.run(renew, PinOptions, task="pins")
