"""What a watcher recorded during a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from posebowl.engines.base import RunSpec, Watcher

SpecMaker = Callable[..., RunSpec]
"""Makes a RunSpec from a main.sh, other files, and limits that differ."""


@dataclasses.dataclass(kw_only=True)
class Heard:
    """What a watcher recorded."""

    lines: list[str] = dataclasses.field(default_factory=list)
    samples: list[Any] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def watcher(self) -> Watcher:
        return Watcher(line=self.lines.append, sample=self.samples.append, note=self.notes.append)
