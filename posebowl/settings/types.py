"""Kinds of values that only settings have: engines, variants, limits, memory, registries."""

from __future__ import annotations

import re
from typing import Final

from posebowl.challenge import MIB, EngineName, Limit, Variant
from posebowl.util import units
from posebowl.util.values import Kind, OutOfRangeError, choice, either, number, whole

_REGISTRY: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d+)?(/[a-z0-9._/-]+)?")
_RUNTIME: Final = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./-]*")
AUTO: Final = "auto"
LEAST_MEMORY: Final = 16 * MIB
"""With less, engines cannot even start main.sh."""


def _limits(text: str) -> frozenset[Limit]:
    found = frozenset(Limit(name.strip()) for name in text.split(",") if name.strip())
    if not found:
        raise ValueError(text)
    return found


def _memory(text: str) -> int:
    size = units.size(text)
    if size < LEAST_MEMORY:
        raise OutOfRangeError("at least 16m")
    return size


def _zips(text: str) -> int:
    return 0 if text.strip() == "0" else units.size(text)


def _runtime(text: str) -> str:
    chosen = text.strip()
    if not _RUNTIME.fullmatch(chosen):
        raise ValueError(text)
    return chosen


def _registry(text: str) -> str:
    chosen = text.strip().rstrip("/")
    if not _REGISTRY.fullmatch(chosen):
        raise ValueError(text)
    return chosen


VARIANT: Final = choice(Variant)
ENGINE: Final = Kind(
    expects=either([AUTO, *EngineName]),
    example="docker",
    read=lambda text: None if text == AUTO else EngineName(text),
    choices=(AUTO, *EngineName),
)
LIMITS: Final = Kind(
    expects=f"limits, separated by commas, of {either(list(Limit))}",
    example="memory,cpus",
    read=_limits,
    write=lambda limits: ",".join(sorted(limits)),
    toml=list,
    choices=tuple(Limit),
)
RUNTIME: Final = Kind(
    expects="the name of a runtime, such as runsc, kata or crun", example="runsc", read=_runtime
)
CPUS: Final = whole(1, 3)
SHARE: Final = number(0, 1, "0.8", without_least=True)
DROP: Final = number(0, 1, "0.01")
COUNT: Final = whole(0, 20, none_at_zero="none")
MEMORY: Final = Kind(
    expects="a size of 16m or more, such as 512m or 4g", example="4g", read=_memory, toml=float
)
ZIPS: Final = Kind(
    expects="a size, such as 500m or 2g, or 0 for none", example="2g", read=_zips, toml=float
)
REGISTRY: Final = Kind(
    expects="a host, with a port and a path if need be, and no https:// in front",
    example="registry.example:5000/team",
    read=_registry,
)
