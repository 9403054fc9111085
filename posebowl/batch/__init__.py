"""Many submissions on many machines: plan -> run -> store -> merge -> leaderboard."""
# mypy: implicit-reexport
# ruff: noqa: F401

import os
from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.batch.evaluation import (
        JSON_FILE,
        PAGE_FILE,
        Evaluation,
        EvaluationRequest,
        evaluate,
    )
    from posebowl.batch.leaderboard import Row
    from posebowl.batch.options import FILE_THERE, EvaluationOptions
    from posebowl.batch.plan import RunOptions
    from posebowl.batch.seal import Verified, verify
    from posebowl.batch.storage import is_uri
    from posebowl.batch.twins import Twins, compare
    from posebowl.batch.twins_page import matrix_page

# Ray reads these when it is imported, by whichever module of this room that is.
# Ray would start each worker with `uv run`; workers have the environment of their node instead.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# It would end this process when the head of the cluster is lost.
os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "600")
# A busy machine takes longer to start Ray's own agent than the 15 s that Ray gives it.
os.environ.setdefault("RAY_agent_register_timeout_ms", "120000")

__getattr__ = face(__name__)
