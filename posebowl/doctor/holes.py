"""Known holes in kernels and engines through which a run might get out, and what stops it there.

Versions are those of the makers. A distribution may have closed a hole under an older number, which
nothing here can see, so a finding says what may be.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from posebowl.challenge import EngineName, Limit
from posebowl.doctor.findings import Finding, State
from posebowl.engines.oci import Client

Version = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Hole:
    """A hole in Linux that a program without rights can use."""

    name: str
    """Its CVE number, and what it allows."""
    since: Version
    """The first version that has it."""
    fixed: Version
    """The first version that does not."""
    series: Mapping[Version, int] = field(default_factory=dict)
    """Older series that got the fix, and with which patch."""
    filtered: str = ""
    """What a run may not do, so that it cannot use it; empty where no filter helps."""

    def in_version(self, version: Version) -> bool:
        """Return whether Linux of this version has it."""
        patch = self.series.get(version[:2])
        if patch is not None:
            return version[2:] < (patch,)
        return self.since <= version < self.fixed


_AF_ALG: Final = "CVE-2026-31431 (AF_ALG sockets write to files that a program may only read)"
HOLES: Final = (
    Hole(name=_AF_ALG, since=(4, 14), fixed=(6, 19, 12), filtered="may not open such sockets"),
    Hole(
        name="CVE-2022-0847 (pipes write to files that a program may only read)",
        since=(5, 8),
        fixed=(5, 16, 11),
        series={(5, 10): 102, (5, 15): 25},
    ),
)
_DOCKER_FILTERS: Final = (29, 4, 2)
"""The first version of Docker whose own filter denies AF_ALG."""


def kernel(release: str | None = None) -> Iterator[Finding]:
    """Compare this machine's kernel with the holes that are known."""
    if release is None:
        if sys.platform != "linux":
            return
        release = platform.release()
    found = [hole for hole in HOLES if hole.in_version(version_of(release))]
    if not found:
        text = f"Linux {release} has none of the holes that this tool knows of"
        yield Finding(name="kernel", state=State.GOOD, text=text)
    for hole in found:
        stopped = f"a run {hole.filtered}" if hole.filtered else "nothing here keeps a run from it"
        yield Finding(
            name="kernel",
            state=State.GOOD if hole.filtered else State.WARNING,
            text=f"Linux {release} may have {hole.name}; {stopped}",
            fix="" if hole.filtered else "Update the kernel, and start the machine again.",
        )


def filters(client: Client) -> Finding:
    """Report whether the engine filters system calls, and what its own filter would let through."""
    name = f"{client.engine} filter"
    title = client.engine.capitalize()
    if why := client.cannot_limit.get(Limit.SYSTEM_CALLS):
        fix = "Use --engine embedded, or a kernel with seccomp."
        return Finding(name=name, state=State.WARNING, text=f"none: {why}", fix=fix)
    old = version_of(client.engine_version) < _DOCKER_FILTERS
    if client.engine is EngineName.DOCKER and not old:
        text = "runs get this tool's own filter of system calls"
    else:
        which = "before 29.4.2 " if client.engine is EngineName.DOCKER else ""
        text = (
            f"{title} {which}may let a run open AF_ALG sockets (CVE-2026-31431); "
            "runs get this tool's own filter of system calls, which does not"
        )
    return Finding(name=name, state=State.GOOD, text=text)


def version_of(text: str) -> Version:
    """Return the numbers at the beginning of a version."""
    numbers = re.match(r"\d+(\.\d+){0,2}", text)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()
