"""What a run leaves: its result, its folder, the history of runs."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.results.cleaning import Cleaned as Cleaned
    from posebowl.results.comparison import (
        Change as Change,
        Comparison as Comparison,
        Difference as Difference,
        Figure as Figure,
        Images as Images,
        paired_ious as paired_ious,
    )
    from posebowl.results.folder import (
        LOG_FILE as LOG_FILE,
        REPORT_FILE as REPORT_FILE,
        RESULT_FILE as RESULT_FILE,
        RESULT_FILES as RESULT_FILES,
        SCRATCH_PREFIX as SCRATCH_PREFIX,
        clear as clear,
        held as held,
        is_of_results as is_of_results,
        refuse_strangers as refuse_strangers,
    )
    from posebowl.results.history import Run as Run
    from posebowl.results.result import (
        Meter as Meter,
        Result as Result,
        ScoreSummary as ScoreSummary,
        Source as Source,
        Timing as Timing,
    )

__getattr__ = face(
    __name__,
    cleaning=("Cleaned",),
    comparison=(
        "Change",
        "Comparison",
        "Difference",
        "Figure",
        "Images",
        "paired_ious",
    ),
    folder=(
        "LOG_FILE",
        "REPORT_FILE",
        "RESULT_FILE",
        "RESULT_FILES",
        "SCRATCH_PREFIX",
        "clear",
        "held",
        "is_of_results",
        "refuse_strangers",
    ),
    history=("Run",),
    result=(
        "Meter",
        "Result",
        "ScoreSummary",
        "Source",
        "Timing",
    ),
)
