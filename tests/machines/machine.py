"""Boot a virtual machine, hand a checkout to it, and pass on what it says."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl import paths
from tests.machines.recipe import Image

UP: Final = "UP"
"""What the machine says first, and how its last line begins, before an exit code."""
ENDS: Final = "ENDS "
BOOT_S: Final = {"kvm": 60.0, "tcg": 900.0}
"""KVM may answer and yet be unable to boot a kernel, inside another virtual machine."""

_QEMU: Final = (
    *("qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot"),
    *("-smp", "3", "-m", "3G"),
)
_CPU: Final = {"kvm": "host", "tcg": "max"}
UBUNTU: Final = "ubuntu"
"""The suite that runs on Ubuntu's kernel."""
SWAP: Final = "swap"
"""The suite that runs on an old kernel, with control groups of version 1 and with swap."""


@dataclass(frozen=True, kw_only=True)
class Disks:
    """What a machine is started with."""

    image: Image
    checkout: Path
    """A tar file, the second disk."""
    runtime: Path
    """A tar file, the third: the root of the runtime image."""
    scratch: Path
    """For what the machine changes on its first disk, which stays as it is."""


def pack(target: Path) -> None:
    """Write the files of this checkout, committed or not, to a tar file."""
    words = ["git", "-C", str(paths.ROOT), "ls-files", "-zco", "--exclude-standard"]
    names = subprocess.run(words, check=True, capture_output=True).stdout
    tar = ["tar", "-C", str(paths.ROOT), "--null", "--owner=0", "--group=0", "-cf", str(target)]
    subprocess.run([*tar, "-T", "-"], check=True, input=names)


def pack_runtime(image: Image, target: Path) -> None:
    """Write the root of the runtime image, with the tools of this checkout, to a tar file."""
    shutil.copyfile(image.runtime, target)
    tools = ["entrypoint.sh", "unpack.py"]
    place = ["--transform", "s,^,./opt/posebowl/,", "--owner=0", "--group=0"]
    words = ["tar", "-C", str(paths.RUNTIME), *place, "-rf", str(target), *tools]
    subprocess.run(words, check=True)


def argv(disks: Disks, accelerator: str, only: str = "") -> list[str]:
    """Return the command that boots a machine, to run all suites of its kernel or only one."""
    drives = (
        f"file={disks.image.disk},snapshot=on",
        f"file={disks.checkout},readonly=on",
        f"file={disks.runtime},readonly=on",
    )
    # On a busy host the clock of the processor is measured wrong, and runs several times too fast,
    # and the kernel's test of its timer fails. A kernel that panics ends the machine at once.
    clock = "clocksource=hpet no_timer_check panic=-1"
    options = [f"root=/dev/vda rw console=ttyS0 mitigations=off {clock}", f"only={only}"]
    kernels = {UBUNTU: disks.image.ubuntu, SWAP: disks.image.focal}
    kernel = ["-kernel", str(kernels.get(only, disks.image.kernel))]
    if only not in kernels:
        kernel += ["-initrd", str(disks.image.initrd)]
    if only == SWAP:
        options.append("systemd.unified_cgroup_hierarchy=0")
    return [
        *("nice", "-n", "5", *_QEMU, "-accel", accelerator, "-cpu", _CPU[accelerator]),
        *kernel,
        *("-append", " ".join(options)),
        *(word for drive in drives for word in ("-drive", f"{drive},if=virtio,format=raw")),
        *("-serial", f"file:{disks.scratch / 'console.log'}", "-serial", "stdio"),
    ]


def accelerators(kvm: Path = Path("/dev/kvm")) -> list[str]:
    """Return what may boot a machine here, the fastest first."""
    return [*(["kvm"] if os.access(kvm, os.R_OK | os.W_OK) else []), "tcg"]


def run(
    disks: Disks,
    told: Callable[[str], None],
    *,
    ways: list[str],
    limit_s: float,
    only: str = "",
) -> tuple[int, str]:
    """Boot a machine, pass on its lines until it has ended; return its exit code, and what ran it.

    Args:
        disks: What it is started with.
        told: Given each line.
        ways: The accelerators to try, in this order.
        limit_s: How long it may take.
        only: The only suite to run; nothing for all.

    Raises:
        TimeoutError: It did not boot or end in time.
    """
    end = time.monotonic() + limit_s
    for accelerator in ways:
        with _started(disks, argv(disks, accelerator, only)) as lines:
            if _next(lines, time.monotonic() + BOOT_S[accelerator]) != UP:
                told(f"{accelerator} does not boot it.")
                continue
            told(f"The machine runs, with {accelerator}.")
            while (line := _next(lines, end)) is not None:
                if line.startswith(ENDS):
                    return int(line.removeprefix(ENDS)), accelerator
                told(line)
            break
    console = (disks.scratch / "console.log").read_text(errors="replace")
    raise TimeoutError(f"The machine did not end. Its console ends so:\n{console[-2000:]}")


@contextmanager
def _started(disks: Disks, words: list[str]) -> Iterator[queue.Queue[str | None]]:
    """Start a machine, and return its lines, and None after the last one; end it afterwards."""
    lines: queue.Queue[str | None] = queue.Queue()
    variables = {**os.environ, "TMPDIR": str(disks.scratch)}
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=variables
    ) as child:
        stdout = child.stdout or ()

        def read() -> None:
            for line in stdout:
                lines.put(line.decode(errors="replace").rstrip())
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        try:
            yield lines
        finally:
            child.kill()


def _next(lines: queue.Queue[str | None], end: float) -> str | None:
    """Return the next line, or None if there is none before a moment of the monotonic clock."""
    try:
        return lines.get(timeout=max(0.0, end - time.monotonic()))
    except queue.Empty:
        return None
