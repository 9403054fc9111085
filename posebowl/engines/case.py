"""What a case is: a small submission with the verdict that any engine must give it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from posebowl.errors import Verdict

OK: Final = "cp ../data/submission_format.csv ../submission/submission.csv\n"
"""The shortest valid main.sh."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A submission: main.sh and the files beside it, and how its run must end."""

    name: str
    about: str = ""
    """What it does, for people: a sentence without a subject."""
    main: str
    verdict: Verdict = Verdict.OK
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the limits of a run."""
    says: str = ""
    """What the message of the verdict, or a warning, must contain."""
    log: str = ""
    """What the log must contain."""
    lasts_s: float = 0.0
    """How long the run must be billed for, at least."""
    exit_code: int | None = None
    signal: int | None = None
    kernel_memory: bool = False
    """Needs the kernel to enforce the memory limit."""


def python(code: str, then: str = OK) -> str:
    """Return a main.sh that runs Python code, and then a shell line if the code succeeded."""
    return f"set -e\npython - <<'END'\n{code}\nEND\n{then}"
