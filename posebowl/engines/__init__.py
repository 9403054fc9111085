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
    from posebowl.engines.conformance import (
        Checked as Checked,
        obstacle as obstacle,
        self_check as self_check,
    )
    from posebowl.engines.contents import offered as offered
    from posebowl.engines.gpu import (
        TOOLKIT_FIX as TOOLKIT_FIX,
        host_has_gpu as host_has_gpu,
        toolkit_is_missing as toolkit_is_missing,
    )
    from posebowl.engines.select import ask as ask, make as make, prepared as prepared

__getattr__ = face(__name__)
