"""Many submissions on many machines: plan -> run -> store -> merge -> leaderboard."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.batch.evaluation import (
        JSON_FILE as JSON_FILE,
        PAGE_FILE as PAGE_FILE,
        Ask as Ask,
        Evaluation as Evaluation,
        evaluate as evaluate,
    )
    from posebowl.batch.leaderboard import Row as Row
    from posebowl.batch.plan import Terms as Terms
    from posebowl.batch.storage import is_uri as is_uri
    from posebowl.batch.worker import OF_THE_MACHINE as OF_THE_MACHINE

__getattr__ = face(
    __name__,
    evaluation=(
        "Ask",
        "Evaluation",
        "JSON_FILE",
        "PAGE_FILE",
        "evaluate",
    ),
    leaderboard=("Row",),
    plan=("Terms",),
    storage=("is_uri",),
    worker=("OF_THE_MACHINE",),
)
