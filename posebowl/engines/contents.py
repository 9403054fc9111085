"""The modules that a submission finds with an engine, without running it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from posebowl import environments
from posebowl.challenge import LIMITS, EngineName, Variant
from posebowl.engines.oci import argv, image
from posebowl.engines.oci.client import connect
from posebowl.engines.oci.look import look_spec
from posebowl.environments import Offer

_LIST: Final = (
    "import os, sys; print(*{name.partition('.')[0] for path in sys.path if os.path.isdir(path)"
    " for name in os.listdir(path)}, sep='\\n')"
)


def offered(
    name: EngineName, variant: Variant, imports: frozenset[str], cache: Path, *, full: bool = False
) -> Offer:
    """Return what an engine offers: the files of its environment or image, as they are.

    Args:
        name: The engine.
        variant: Whose image, or group of the lock.
        imports: What the submission imports, by which the embedded engine chooses a group.
        cache: The folder of the setting `cache`.
        full: The embedded engine takes the whole group.

    Raises:
        EngineError: The engine does not work here, has no image, or uv cannot read its lock.
    """
    if name is EngineName.EMBEDDED:
        return _of_environment(variant, imports, cache, full=full)
    client = connect(name)
    found = image.current(client, variant)
    with tempfile.TemporaryDirectory(prefix="posebowl-look-") as folder:
        spec = look_spec(client, found.id, LIMITS[variant], Path(folder))
        spec = replace(spec, entrypoint="python", command=("-I", "-c", _LIST))
        listed = client.run(*argv.run(client.engine, spec)).stdout
    return Offer(
        where=f"the image {found.name} of {name}",
        modules=frozenset(listed.split()),
        remedy=f"Type: uv run nox -s build-{variant} -- --engine {name}",
    )


def _of_environment(variant: Variant, imports: frozenset[str], cache: Path, *, full: bool) -> Offer:
    group: environments.Group = "gpu"
    if variant is Variant.CPU:
        group = environments.choose(imports, cache, full=full).group
    where = f"the {group} environment of the embedded engine"
    if not environments.ready(group, cache):
        return Offer(where=where, modules=environments.modules(group, cache))
    packages = environments.location(group, cache).glob("lib/python3*/site-packages")
    names = {path.name.partition(".")[0] for place in packages for path in place.iterdir()}
    return Offer(where=where, modules=frozenset(names))
