"""What a run uses of each of its limits: the name, unit and limit of every meter, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from posebowl.challenge import LIMITS, Limit, Limits, Variant
from posebowl.engines import Outcome
from posebowl.util.text import shorten
from posebowl.util.units import rate

PLATFORM: Final = LIMITS[Variant.CPU]
"""The platform has no GPU, so these are its limits for every submission."""


@dataclass(frozen=True, kw_only=True)
class Meter:
    """What was used of one limit."""

    used: float
    limit: float
    unit: str
    """"s", "bytes" or "cores"."""

    @property
    def share(self) -> float:
        """Used, as a share of the limit."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def room(self) -> str:
        """Return what is left of the limit, such as `12% left`; of cores, how busy they were."""
        if self.unit == "cores":
            return f"{self.share:.0%} busy"
        return "over 99% left" if 0 < self.share < 0.01 else f"{max(0.0, 1 - self.share):.0%} left"


@dataclass(frozen=True, kw_only=True)
class MeterKind:
    """One of the meters."""

    label: str
    unit: str = ""
    limit: Limit | None = None
    """The name under which engines report whether they enforce it."""
    used: Callable[[Outcome], float | None] = lambda _: None
    allowed: Callable[[Limits], float] = lambda _: 0.0
    on_platform: float | None = None
    """The platform's limit, where it publishes one."""
    less_is_better: bool = False
    adds_up: bool = False
    """Whether the shards of a submission share the limit; otherwise the largest value counts."""


METERS: Final = {
    "time": MeterKind(
        label="Time",
        unit="s",
        limit=Limit.WALL_TIME,
        used=lambda outcome: outcome.wall_s,
        allowed=lambda limits: limits.wall_time_s,
        on_platform=PLATFORM.wall_time_s,
        less_is_better=True,
        adds_up=True,
    ),
    "memory": MeterKind(
        label="Peak memory",
        unit="bytes",
        limit=Limit.MEMORY,
        used=lambda outcome: outcome.peak_memory_bytes,
        allowed=lambda limits: limits.memory_bytes,
        on_platform=PLATFORM.memory_bytes,
        less_is_better=True,
    ),
    "cpu": MeterKind(
        label="CPU",
        unit="cores",
        limit=Limit.CPUS,
        used=lambda outcome: rate(outcome.cpu_s, outcome.wall_s),
        allowed=lambda limits: limits.cpus,
        on_platform=PLATFORM.cpus,
    ),
    "output": MeterKind(
        label="Disk",
        unit="bytes",
        limit=Limit.OUTPUT,
        used=lambda outcome: outcome.output_bytes,
        allowed=lambda limits: limits.output_bytes,
    ),
    "log": MeterKind(
        label="Log",
        unit="bytes",
        used=lambda outcome: outcome.log_bytes,
        allowed=lambda limits: limits.log_bytes,
        adds_up=True,
    ),
}


def kind_of(name: str) -> MeterKind:
    """Return the kind of a meter; of one that a newer version added, only the name is known."""
    return METERS.get(name) or MeterKind(label=shorten(name, 30))


def measure(outcome: Outcome, limits: Limits) -> dict[str, Meter]:
    """Return what a run used of each of its limits, as far as that is known."""
    return {
        name: Meter(used=used, limit=kind.allowed(limits), unit=kind.unit)
        for name, kind in METERS.items()
        if (used := kind.used(outcome)) is not None
    }
