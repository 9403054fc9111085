"""uv.lock, and the Python environments that are made from it."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.environments.comparison import (
        Missing as Missing,
        Offer as Offer,
        missing as missing,
        of_lock as of_lock,
    )
    from posebowl.environments.lock_changes import Change as Change, changes as changes
    from posebowl.environments.lockfile import (
        DirectPackage as DirectPackage,
        digest as digest,
        direct_packages as direct_packages,
        edited as edited,
        excluded as excluded,
        requested as requested,
        source_files as source_files,
    )
    from posebowl.environments.packages import (
        Choice as Choice,
        choose as choose,
        modules as modules,
        package_names as package_names,
        too_new as too_new,
    )
    from posebowl.environments.uv import (
        UV_REACH as UV_REACH,
        rewriting_settings as rewriting_settings,
        run_uv as run_uv,
    )
    from posebowl.environments.venv import (
        NOBODY as NOBODY,
        RUN_GROUP as RUN_GROUP,
        Group as Group,
        check_owner as check_owner,
        ensure as ensure,
        location as location,
        of_other_locks as of_other_locks,
        python as python,
        ready as ready,
    )

__getattr__ = face(__name__)
