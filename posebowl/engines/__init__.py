"""What runs a submission: the embedded engine, Docker or Podman, behind one interface."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.engines.base import (
        Engine as Engine,
        Outcome as Outcome,
        RunSpec as RunSpec,
        Sample as Sample,
        Stop as Stop,
        Watcher as Watcher,
    )

__getattr__ = face(
    __name__,
    base=(
        "Engine",
        "Outcome",
        "RunSpec",
        "Sample",
        "Stop",
        "Watcher",
    ),
)
