"""What was checked, and what it means for a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from posebowl.errors import PoseBowlError


class State(StrEnum):
    """What a finding means for a run."""

    GOOD = "good"
    WARNING = "warning"
    MISSING = "missing"
    BAD = "bad"
    """Nothing can run until it is fixed."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked."""

    name: str
    state: State
    text: str
    fix: str = ""
    """What to type; empty where all is well or nothing helps."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything that was checked."""

    findings: tuple[Finding, ...]
    next_step: str
    """What to type next."""

    @property
    def healthy(self) -> bool:
        """Whether a submission can be run here."""
        return all(finding.state is not State.BAD for finding in self.findings)


def of_error(name: str, state: State, error: PoseBowlError) -> Finding:
    """Return an error as a finding, in its own words."""
    return Finding(name=name, state=state, text=f"{error.what} {error.why}".strip(), fix=error.fix)
