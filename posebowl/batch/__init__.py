"""Many submissions on many machines: plan -> run -> store -> merge -> leaderboard."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.batch.evaluation import (
        JSON_FILE as JSON_FILE,
        PAGE_FILE as PAGE_FILE,
        Evaluation as Evaluation,
        EvaluationRequest as EvaluationRequest,
        evaluate as evaluate,
    )
    from posebowl.batch.leaderboard import Row as Row
    from posebowl.batch.plan import RunOptions as RunOptions
    from posebowl.batch.seal import Verified as Verified, verify as verify
    from posebowl.batch.storage import is_uri as is_uri
    from posebowl.batch.twins import Twins as Twins, compare as compare

__getattr__ = face(
    __name__,
    evaluation=("Evaluation", "EvaluationRequest", "JSON_FILE", "PAGE_FILE", "evaluate"),
    leaderboard=("Row",),
    plan=("RunOptions",),
    seal=("Verified", "verify"),
    storage=("is_uri",),
    twins=("Twins", "compare"),
)
