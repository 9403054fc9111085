"""What runs a submission: the embedded engine, Docker or Podman, behind one interface."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.engines.base import Engine, Outcome, RunSpec, Sample, Stop, Watcher
    from posebowl.engines.conformance import Checked, obstacle, self_check
    from posebowl.engines.contents import offered
    from posebowl.engines.gpu import TOOLKIT_FIX, host_has_gpu, toolkit_is_missing
    from posebowl.engines.select import ask, make, prepared

__getattr__ = face(__name__)
