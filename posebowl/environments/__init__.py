"""uv.lock, and the Python environments that are made from it."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.environments.lockfile import digest as digest
    from posebowl.environments.packages import Choice as Choice, choose as choose
    from posebowl.environments.venv import (
        NOBODY as NOBODY,
        RUN_GROUP as RUN_GROUP,
        Group as Group,
        ensure as ensure,
        location as location,
        of_other_locks as of_other_locks,
        ready as ready,
    )

__getattr__ = face(
    __name__,
    lockfile=("digest",),
    packages=("Choice", "choose"),
    venv=("NOBODY", "RUN_GROUP", "Group", "ensure", "location", "of_other_locks", "ready"),
)
