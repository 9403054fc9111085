"""What this machine has and lacks for a run, and what to type next."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.doctor.examination import examine as examine, probes as probes
    from posebowl.doctor.findings import Diagnosis as Diagnosis, Finding as Finding, State as State

__getattr__ = face(
    __name__,
    examination=("examine", "probes"),
    findings=("Diagnosis", "Finding", "State"),
)
