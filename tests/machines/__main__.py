"""Run the suite of `inside.py` on a virtual machine: `uv run nox -s test_machines -- [SUITE]`."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from pathlib import Path

from posebowl.settings import resolve
from posebowl.util import program
from tests.machines import machine, recipe

SUITES = ("embedded", "podman", "docker", "rootless", machine.UBUNTU, machine.SWAP)
LIMIT_S = 7200.0


def main(only: str = "") -> int:
    """Make the machine if need be, boot it, and return the suite's exit code."""
    if only and only not in SUITES:
        print(f"There is no suite {only}. Choose one of {', '.join(SUITES)}, or none for all.")
        return 2
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
        told = functools.partial(print, flush=True)
        ways = machine.accelerators()
        codes = []
        try:
            for suite in [only] if only else ["", machine.UBUNTU, machine.SWAP]:
                code, way = machine.run(disks, told, ways=ways, limit_s=LIMIT_S, only=suite)
                codes.append(code)
                ways = [way]  # the others did not boot it
        except TimeoutError as error:
            print(error)
            return 3
    return max(codes)


if __name__ == "__main__":
    # A signal to end it ends the machine too.
    sys.exit(program.guard(lambda: main(*sys.argv[1:])))
