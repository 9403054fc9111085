"""What a run leaves: its result, its folder, the history of runs."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.results.budget import Budget as Budget, BudgetCheck as BudgetCheck
    from posebowl.results.cleaning import Cleaned as Cleaned
    from posebowl.results.comparison import (
        Change as Change,
        Comparison as Comparison,
        Difference as Difference,
        Images as Images,
        paired as paired,
        paired_ious as paired_ious,
    )
    from posebowl.results.failure import (
        SUSPECT as SUSPECT,
        Failure as Failure,
        first_error as first_error,
        searched as searched,
    )
    from posebowl.results.figures import Figure as Figure
    from posebowl.results.folder import (
        LOG_FILE as LOG_FILE,
        REPORT_FILE as REPORT_FILE,
        RESULT_FILE as RESULT_FILE,
        RESULT_FILES as RESULT_FILES,
        SCRATCH_PREFIX as SCRATCH_PREFIX,
        check_replaceable as check_replaceable,
        clear as clear,
        held as held,
        is_of_results as is_of_results,
        new_run_id as new_run_id,
    )
    from posebowl.results.history import Run as Run
    from posebowl.results.meters import (
        METERS as METERS,
        PLATFORM as PLATFORM,
        Meter as Meter,
        kind_of as kind_of,
        measure as measure,
    )
    from posebowl.results.reach import (
        Reach as Reach,
        how_far as how_far,
        memory_growth as memory_growth,
        steady_pace as steady_pace,
    )
    from posebowl.results.result import (
        BudgetLine as BudgetLine,
        Forecast as Forecast,
        Result as Result,
        ScoreSummary as ScoreSummary,
        Source as Source,
        Timing as Timing,
    )

__getattr__ = face(__name__)
