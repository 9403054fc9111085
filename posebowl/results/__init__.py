"""What a run leaves: its result, its folder, the history of runs."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.results.budget import Budget, BudgetCheck
    from posebowl.results.cleaning import Cleaned
    from posebowl.results.comparison import (
        Change,
        Comparison,
        Difference,
        Images,
        paired,
        paired_ious,
    )
    from posebowl.results.failure import SUSPECT, Failure, first_error, searched
    from posebowl.results.figures import Figure
    from posebowl.results.folder import (
        LOG_FILE,
        REPORT_FILE,
        RESULT_FILE,
        RESULT_FILES,
        SCRATCH_PREFIX,
        check_replaceable,
        clear,
        held,
        is_of_results,
        new_run_id,
    )
    from posebowl.results.history import Run
    from posebowl.results.meters import METERS, PLATFORM, Meter, kind_of, measure
    from posebowl.results.reach import Reach, how_far, memory_growth, steady_pace
    from posebowl.results.result import BudgetLine, Forecast, Result, ScoreSummary, Source, Timing

__getattr__ = face(__name__)
