"""Measure the images: how large they are, what they share, and a rebuild after `uv add`.

    uv run python -m benchmarks.images [--engine docker] [--variant cpu] [--package humanize]

The rebuild happens in a copy of the checkout, under another name, with the caches of the last
build of this checkout. The goal is under 30 seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import Client, client as oci_client, image as identity, image_name
from posebowl.images import builder
from posebowl.util.units import human_bytes

NAME = "posebowl-benchmark"
OCI = (EngineName.DOCKER, EngineName.PODMAN)
BUILD = f"""
import sys
from posebowl.challenge import EngineName, Variant
from pathlib import Path
from posebowl.engines.oci import argv
argv.image_name = lambda variant, key="": f"{NAME}:{{variant}}"
from posebowl.images import builder
builder.build(Variant(sys.argv[2]), EngineName(sys.argv[1]), cache=Path("cache"))
"""


def main() -> None:
    """Measure each engine, and print sizes and the time of a rebuild."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", type=EngineName, help="docker or podman")
    parser.add_argument("--variant", type=Variant, default=Variant.CPU)
    parser.add_argument("--package", default="humanize", help="a pure-Python package to add")
    words = parser.parse_args()
    for engine in [words.engine] if words.engine else OCI:
        if problem := oci_client.problem(engine):
            print(f"{engine}: {problem}", file=sys.stderr)
            continue
        client = oci_client.connect(engine)
        show_sizes(client)
        if identity.find(client, image_name(words.variant)) is None:
            continue
        seconds = rebuild_s(client, words.variant, words.package)
        what = f"rebuild of {words.variant} after `uv add {words.package}`"
        print(f"{what} {client.engine:7} {seconds:.1f} s", flush=True)


def show_sizes(client: Client) -> None:
    """Print the size of each image, and of what both share."""
    for variant in Variant:
        image = identity.find(client, image_name(variant))
        size = human_bytes(image.bytes) if image else "not built"
        print(f"{image_name(variant):24} {client.engine:7} {size}")
    shared = builder.shared_bytes(client)
    if shared is not None:
        print(f"{'shared':24} {client.engine:7} {human_bytes(shared)}")


def rebuild_s(client: Client, variant: Variant, package: str) -> float:
    """Measure the build in a copy of the checkout with one more package."""
    with TemporaryDirectory(prefix="posebowl-images-") as name:
        copy = Path(name)
        for file in ("pyproject.toml", "uv.lock"):
            shutil.copy(paths.ROOT / file, copy)
        for folder in ("posebowl", "runtime"):
            shutil.copytree(paths.ROOT / folder, copy / folder)
        subprocess.run(["uv", "add", "--quiet", "--no-sync", package], cwd=copy, check=True)
        # Otherwise a second measurement would find what the first has built.
        with (copy / "pyproject.toml").open("a") as file:
            file.write(f"# {time.time_ns()}\n")
        start = time.monotonic()
        argv = [sys.executable, "-c", BUILD, client.engine, variant]
        env = {**os.environ, "PYTHONPATH": name}
        built = subprocess.run(argv, cwd=copy, env=env, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
        if built.returncode != 0:
            sys.exit(f"{built.stdout}{built.stderr}\n{client.engine}: the build failed, see above")
    client.run("rmi", "--force", f"{NAME}:{variant}", check=False)
    return seconds


if __name__ == "__main__":
    main()
