"""Run the suite of `inside.py` on a virtual machine: `uv run nox -s test_machines -- [ENGINE]`."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from pathlib import Path

from posebowl.settings import resolve
from tests.machines import machine, recipe

LIMIT_S = 3600.0


def main(only: str = "") -> int:
    """Make the machine if need be, boot it, and return the suite's exit code."""
    if os.geteuid() != 0:
        print("Only root can make the machine: mmdebstrap, chroot and mount take its rights.")
        return 2
    cache = resolve.load().cache / "machines"
    print(f"The machine is made once, in {cache} ...", flush=True)
    image = recipe.image(cache)
    with tempfile.TemporaryDirectory(prefix="machine-") as folder:
        scratch = Path(folder)
        machine.pack(scratch / "checkout.tar")
        machine.pack_runtime(image, scratch / "runtime.tar")
        disks = machine.Disks(
            image=image,
            checkout=scratch / "checkout.tar",
            runtime=scratch / "runtime.tar",
            scratch=scratch,
        )
        try:
            told = functools.partial(print, flush=True)
            return machine.run(disks, told, limit_s=LIMIT_S, only=only)
        except TimeoutError as error:
            print(error)
            return 3


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
