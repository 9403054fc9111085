"""uv.lock, and the Python environments that are made from it."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.environments.comparison import Missing, Offer, missing, of_lock
    from posebowl.environments.lock_changes import Change, changes
    from posebowl.environments.lockfile import (
        DirectPackage,
        digest,
        direct_packages,
        edited,
        excluded,
        requested,
        source_files,
    )
    from posebowl.environments.packages import Choice, choose, modules, package_names, too_new
    from posebowl.environments.uv import UV_REACH, rewriting_settings, run_uv
    from posebowl.environments.venv import (
        NOBODY,
        RUN_GROUP,
        Group,
        check_owner,
        ensure,
        location,
        of_other_locks,
        python,
        ready,
    )

__getattr__ = face(__name__)
